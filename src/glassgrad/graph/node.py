"""The node, and the trace in which equal nodes are one.

A node is immutable: an op and its inputs. Within a trace, building the same op on the same inputs
twice gives the same node, so common subexpressions vanish as they are built and equality is `is`.
"""

from __future__ import annotations

from contextvars import ContextVar
from math import prod
from typing import Any, NamedTuple

import numpy as np

from glassgrad.graph.dtype import DType, as_dtype, as_plain, holds, is_float
from glassgrad.graph.errors import GraphError, IntegerRangeError
from glassgrad.graph.op import Aval, Op, Shape, lookup
from glassgrad.graph.provenance import Origin, at_caller, caller

NDArray = np.ndarray[Any, Any]

INTERNED_BYTES = 64  # a constant up to this size is known by its bits, a larger one by identity


class Guard(NamedTuple):
    """A value that the traced program looked at, on which its course may depend."""

    node: Node
    value: Any


class Node:
    """An op applied to inputs, with the shape and dtype of the result.

    `outputs` is None for a node with one result; an op with several has a tuple of (shape, dtype)
    there, and its results are read through `item` nodes.
    """

    __slots__ = ("bound", "dtype", "inputs", "linked", "op", "outputs", "shape", "trace")
    __match_args__ = ("name", "inputs")

    op: Op
    inputs: tuple[Node, ...]
    shape: Shape
    dtype: DType
    outputs: tuple[Aval, ...] | None
    trace: Trace
    bound: bool  # depends on an input
    linked: bool  # ... through real values all the way, so that it carries a derivative

    @property
    def name(self) -> str:
        """The name of the op."""
        return self.op.name

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    def __repr__(self) -> str:
        if self.outputs is not None:
            return f"<node {self.op!r} with {len(self.outputs)} results>"
        return f"<node {self.op!r} {self.dtype}{list(self.shape)}>"

    # The arithmetic in which rules are written: a node is a value of an algebra.
    def __add__(self, other: Operand) -> Node:
        return lookup("add").apply(self, other)

    def __radd__(self, other: Operand) -> Node:
        return lookup("add").apply(other, self)

    def __sub__(self, other: Operand) -> Node:
        return lookup("subtract").apply(self, other)

    def __rsub__(self, other: Operand) -> Node:
        return lookup("subtract").apply(other, self)

    def __mul__(self, other: Operand) -> Node:
        return lookup("multiply").apply(self, other)

    def __rmul__(self, other: Operand) -> Node:
        return lookup("multiply").apply(other, self)

    def __truediv__(self, other: Operand) -> Node:
        return lookup("divide").apply(self, other)

    def __rtruediv__(self, other: Operand) -> Node:
        return lookup("divide").apply(other, self)

    def __neg__(self) -> Node:
        return lookup("negative").apply(self)


Operand = Node | float | int | bool
"""What arithmetic on nodes takes: nodes and Python scalars, which are weak (NEP 50)."""


class Trace:
    """A table of nodes, and what is known beside the graph: origins, guards, values.

    `found` holds, for whoever asked, the nodes of which something was found to hold: a node never
    changes, so it holds for good, and a walk over the graph may stop there.
    Traces whose nodes meet in one op are merged; `root` finds the one that lives on.
    """

    __slots__ = (
        "_origin", "_parent", "_scalars", "_snapshots", "found", "guards", "names", "origins",
        "table", "values",
    )  # fmt: skip

    def __init__(self) -> None:
        self.table: dict[tuple[Any, ...], Node] = {}
        self.origins: dict[Node, list[Origin]] = {}
        self.guards: list[Guard] = []
        self.values: dict[Node, Any] = {}
        self.names: dict[Node, str] = {}
        self.found: dict[Any, set[Node]] = {}
        self._origin: Origin | None = None
        self._parent: Trace | None = None
        self._snapshots: dict[int, tuple[NDArray, Node]] = {}
        self._scalars: dict[tuple[Any, ...], Node] = {}

    def root(self) -> Trace:
        """The trace that this one has been merged into, itself if into none."""
        trace = self
        while trace._parent is not None:
            trace = trace._parent
        return trace

    def merge(self, other: Trace) -> Trace:
        """One trace of two; the smaller is poured into the larger."""
        a, b = self.root(), other.root()
        if a is b:
            return a
        if len(a.table) < len(b.table):
            a, b = b, a
        for key, node in b.table.items():
            a.table.setdefault(key, node)
        a.origins.update(b.origins)
        a.guards.extend(b.guards)
        a.values.update(b.values)
        a.names.update(b.names)
        a._snapshots.update(b._snapshots)
        a._origin = a._origin or b._origin
        b._parent = a
        return a

    def make(self, op: Op, inputs: tuple[Node, ...] = ()) -> Node:
        """The node of this op on these inputs: the one that exists, or a new one."""
        key = (op, *inputs)
        found = self.table.get(key)
        if found is None:
            found = self.table[key] = _new(self, op, inputs)
            self.origins[found] = [self._origin or Origin("written", caller())]
        elif self._origin is None and len(origins := self.origins.setdefault(found, [])) < 8:
            here = Origin("written", caller())
            if here not in origins:
                origins.append(here)
        return found

    def making(self, how: str, source: Node | None, rule: str = "") -> _Making:
        """Nodes made inside come from `source` by `rule`, not from the line that runs."""
        return _Making(self.root(), Origin(how, None, source, rule))

    def sites(self, node: Node) -> list[Any]:
        """The lines of user code that a node descends from, nearest first."""
        found: list[Any] = []
        seen: set[Node] = set()
        todo = [node]
        while todo:
            at = todo.pop()
            if at in seen:
                continue
            seen.add(at)
            for origin in at.trace.root().origins.get(at, ()):
                if origin.site is not None and origin.site not in found:
                    found.append(origin.site)
                if origin.source is not None:
                    todo.append(origin.source)
        return found


class _Making:
    """The context in which a trace's new nodes have a given origin."""

    __slots__ = ("origin", "outer", "trace")

    def __init__(self, trace: Trace, origin: Origin) -> None:
        self.trace = trace
        self.origin = origin
        self.outer: Origin | None = None

    def __enter__(self) -> None:
        self.outer = self.trace._origin  # pyright: ignore[reportPrivateUsage]
        self.trace._origin = self.origin  # pyright: ignore[reportPrivateUsage]

    def __exit__(self, *error: object) -> None:
        self.trace.root()._origin = self.outer  # pyright: ignore[reportPrivateUsage]


def _new(trace: Trace, op: Op, inputs: tuple[Node, ...]) -> Node:
    node = Node()
    node.op, node.inputs, node.trace = op, inputs, trace
    result = op.infer(*inputs)
    if len(result) != 2 or not isinstance(result[1], np.dtype):
        node.outputs = result  # pyright: ignore[reportAttributeAccessIssue]
        node.shape, node.dtype = (), np.dtype(np.void)
        real = True
    else:
        node.outputs = None
        node.shape, node.dtype = result  # pyright: ignore[reportAttributeAccessIssue]
        real = is_float(node.dtype)
    bound = linked = op.name == "input"
    for x in inputs:
        bound = bound or x.bound
        linked = linked or x.linked
    node.bound = bound
    node.linked = linked and real and op.name != "stop_gradient"
    return node


def make(op: Op, *inputs: Node) -> Node:
    """The node of `op` on `inputs`, in the trace that the inputs live in."""
    trace = inputs[0].trace
    if trace._parent is not None:  # pyright: ignore[reportPrivateUsage]
        trace = trace.root()
    for x in inputs[1:]:
        if x.trace is not trace:
            trace = trace.merge(x.trace)
    return trace.make(op, inputs)


class Input(Op):
    """A variable: always a fresh node, known by its serial, shown by its name."""

    name = "input"
    cost = "none: it is given"
    label: str
    shape: Shape
    dtype: DType
    serial: int

    def infer(self, *inputs: Node) -> Aval:
        """The shape and dtype that it was declared with."""
        return self.shape, self.dtype


class Const(Op):
    """A constant array, read-only; `bits` tells it apart: its bytes, or its identity if large."""

    name = "const"
    cost = "none: it is given"
    shape: Shape
    dtype: DType
    bits: bytes | int
    _value: NDArray

    @staticmethod
    def of(value: NDArray) -> Const:
        """The op for a read-only array."""
        bits = value.tobytes() if value.nbytes <= INTERNED_BYTES else id(value)
        op = Const(value.shape, value.dtype, bits)  # pyright: ignore[reportCallIssue]
        object.__setattr__(op, "_value", value)
        return op

    @property
    def value(self) -> NDArray:
        """The array, read-only."""
        return self._value

    def infer(self, *inputs: Node) -> Aval:
        """The shape and dtype of the value."""
        return self.shape, self.dtype

    def __repr__(self) -> str:
        return f"const({self._value.tolist()!r})" if self._value.size < 9 else "const(...)"


class Item(Op):
    """One result of a node that has several."""

    name = "item"
    cost = "none: it is one of the results"
    index: int

    def infer(self, *inputs: Node) -> Aval:
        """The shape and dtype of that result."""
        outputs = inputs[0].outputs
        if outputs is None or not 0 <= self.index < len(outputs):
            raise GraphError(f"item {self.index} of {inputs[0]!r} does not exist")
        return outputs[self.index]


_serial = iter(range(1 << 62))


def new_input(trace: Trace, label: str, shape: Shape, dtype: Any) -> Node:
    """A fresh variable of that shape and dtype."""
    op = Input(label, tuple(shape), as_dtype(dtype, f"variable {label!r}"), next(_serial))
    return trace.root().make(op)


def constant(trace: Trace, value: Any, dtype: Any = None) -> Node:
    """A constant node: small ones by their bits, large ones by the array that they were taken from.

    The caller's array is copied, so that a later write to it does not reach into the graph.
    """
    trace = trace.root()
    given = as_plain(value)
    known = trace._snapshots.get(id(given))  # pyright: ignore[reportPrivateUsage]
    if known is not None and known[0] is given and dtype is None and _same_bits(given, known[1]):
        return known[1]
    copied = np.array(given, dtype=as_dtype(given.dtype if dtype is None else dtype), order="C")
    copied.flags.writeable = False
    node = trace.make(Const.of(copied))
    if copied.nbytes > INTERNED_BYTES:
        trace._snapshots[id(given)] = (given, node)  # pyright: ignore[reportPrivateUsage]
    return node


def weak_constant(trace: Trace, value: float, dtype: DType) -> Node:
    """A Python scalar as a 0-d constant of the dtype that it takes among nodes."""
    trace = trace.root()
    key = (dtype, type(value), value.hex() if isinstance(value, float) else value)
    found = trace._scalars.get(key)  # pyright: ignore[reportPrivateUsage]
    if found is None:
        if not holds(dtype, value):
            raise IntegerRangeError(
                f"the Python integer {value} is out of bounds for {dtype}: convert the array to a "
                f"wider dtype, as by .astype(np.int64){at_caller()}"
            )
        found = constant(trace, np.asarray(value).astype(dtype))
        trace._scalars[key] = found  # pyright: ignore[reportPrivateUsage]
    return found


def _same_bits(array: NDArray, node: Node) -> bool:
    kept = constant_value(node)
    return (
        kept is not None
        and kept.shape == array.shape
        and kept.dtype == array.dtype
        and np.array_equal(_bytes(kept), _bytes(array))
    )


def _bytes(array: NDArray) -> NDArray:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def constant_value(node: Node) -> NDArray | None:
    """The array of a constant node, None for any other."""
    return node.op.value if isinstance(node.op, Const) else None


def item(node: Node, index: int) -> Node:
    """The result number `index` of a node that has several."""
    return make(Item(index), node)


def at_site(node: Node) -> str:
    """The line of the program that a node descends from, as the tail of an error."""
    sites = node.trace.root().sites(node)
    return f"\n  at {sites[0]}" if sites else ""


ACTIVE: ContextVar[Trace | None] = ContextVar("glassgrad_trace", default=None)
"""The trace that is being written in this context, if any; other threads have their own."""
