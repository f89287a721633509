"""The families of ops. Engines and calculus dispatch on these, never on a single op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from glassgrad.graph.algebra import NODES, PRIMITIVES
from glassgrad.graph.dtype import BOOL, FLOAT64, DType, promote, to_float
from glassgrad.graph.errors import DTypeError, GraphError, ShapeError
from glassgrad.graph.node import (
    Node,
    Operand,
    Trace,
    constant_value,
    make,
    new_input,
    weak_constant,
)
from glassgrad.graph.op import REGISTRY, Aval, Op, Shape, register
from glassgrad.graph.provenance import at_caller
from glassgrad.graph.strict import check_shapes
from glassgrad.graph.traverse import topological_order

Rule = Callable[..., Any]


class Elementwise(Op):
    """A function of scalars, applied to each element; all operands of a node have one shape.

    math:     the mathematics, printed and evaluated to 50 digits.
    scalar:   how a machine computes it, where that differs; None: a primitive of every algebra.
    partials: (k, y, *x) -> the partial derivative by each operand, None where it has none.
    route:    (k, t, *x) -> t passed on to each operand, for ops that choose: it replaces
              `partials`, so that what was not chosen never meets the cotangent.
    result:   "same" dtype as the operands, "float" (integers become float64), or "bool".
    form:     how it prints, with {0} {1} for the operands; `binds` is how tightly.
    domain, kinks, verb: words: where it is defined, what holds at a kink, what it does to a
              gradient.
    samples:  where its tests probe it: an interval for each operand, or choices.

    What it costs follows from its body.
    """

    cost = "the operations of its body, an element"
    fields: ClassVar[tuple[str, ...]] = ("name",)

    def __init__(
        self,
        name: str,
        *,
        math: Rule,
        scalar: Rule | None = None,
        partials: Rule | None = None,
        route: Rule | None = None,
        arity: int = 1,
        result: str = "float",
        form: str = "",
        binds: int = 100,
        domain: str = "all reals",
        kinks: str = "",
        verb: str = "scales by the local derivative",
        samples: Sequence[tuple[float, float]] = (),
    ) -> None:
        super().__init__(name)
        values: dict[str, Any] = {
            "math": math, "scalar": scalar, "partials": partials, "route": route, "arity": arity,
            "result": result, "form": form, "binds": binds, "domain": domain, "kinks": kinks,
            "verb": verb, "samples": tuple(samples) or ((-3.0, 3.0),) * arity, "_promoted": {},
            "_flops": None,
        }  # fmt: skip
        for key, value in values.items():
            object.__setattr__(self, key, value)
        register(name, self)

    name: str  # pyright: ignore[reportIncompatibleVariableOverride]
    verb: str  # pyright: ignore[reportIncompatibleVariableOverride]
    math: Rule
    scalar: Rule | None
    partials: Rule | None
    route: Rule | None
    arity: int
    result: str
    form: str
    binds: int
    domain: str  # pyright: ignore[reportIncompatibleVariableOverride]
    kinks: str  # pyright: ignore[reportIncompatibleVariableOverride]
    samples: tuple[tuple[float, float], ...]
    _promoted: dict[tuple[Any, ...], list[DType]]
    _flops: int | None

    def parameters(self) -> tuple[Any, ...]:
        """Its name alone: elementwise ops are singletons."""
        return (self.name,)

    def __repr__(self) -> str:
        return self.name

    @property
    def selects(self) -> bool:
        """Whether it chooses between operands, so that a zero cotangent may mean: not chosen."""
        return self.route is not None

    def apply(self, *operands: Operand) -> Node:
        """The node of this op on nodes and Python scalars, broadcast and promoted as NumPy does."""
        return make(self, *self.operands(*operands))

    def operands(self, *operands: Operand) -> list[Node]:
        """Nodes and Python scalars as nodes of one shape and of the dtypes that this op takes."""
        if len(operands) != self.arity:
            raise TypeError(f"{self.name} takes {self.arity} operands, got {len(operands)}")
        for first in operands:
            if isinstance(first, Node):
                break
        else:
            raise GraphError(f"{self.name} needs a node among its operands")
        trace = first.trace
        dtypes = self._operand_dtypes(operands)
        shape = self._shape(operands)
        return [_fit(trace, x, d, shape) for x, d in zip(operands, dtypes)]

    def _operand_dtypes(self, operands: Sequence[Operand]) -> list[DType]:
        kinds = tuple(x.dtype if isinstance(x, Node) else type(x) for x in operands)
        known = self._promoted.get(kinds)
        if known is None:
            known = self._promoted[kinds] = self._promote(kinds)
        return known

    def _promote(self, kinds: Sequence[Any]) -> list[DType]:
        examples = [kind() if isinstance(kind, type) else kind for kind in kinds]  # weak scalars
        if self.name == "where":
            return [BOOL, *[promote(*examples[1:])] * 2]
        if self.name.startswith("logical_"):
            return [BOOL] * self.arity
        found = promote(*examples)
        if self.result == "float":
            found = to_float(found)
        if self.result == "same" and found == BOOL and self.name in _NO_BOOL:
            raise DTypeError(
                f"{self.name} is not defined for booleans: use np.logical_not or np.logical_xor, "
                f"or convert with .astype(float){at_caller()}"
            )
        return [found] * self.arity

    def _shape(self, operands: Sequence[Operand]) -> Shape:
        shapes = [x.shape for x in operands if isinstance(x, Node)]
        longest = max(shapes, key=len)
        if all(s == longest for s in shapes if s):  # a number fits any shape
            return longest
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError:
            listed = " and ".join(str(s) for s in shapes)
            raise ShapeError(
                f"{self.name}: shapes {listed} do not broadcast: compared from the right, each "
                f"pair of axes must be equal or one of them 1; reshape one operand{at_caller()}"
            ) from None
        check_shapes(self.name, [x for x in operands if isinstance(x, Node)], shape)
        return shape

    def infer(self, *inputs: Node) -> Aval:
        """The common shape; the dtype by `result`."""
        if len(inputs) != self.arity:
            raise ShapeError(f"{self.name} takes {self.arity} operands of one shape")
        shape, dtype = inputs[0].shape, inputs[-1].dtype
        for x in inputs:
            if x.shape != shape:
                raise ShapeError(f"{self.name} takes {self.arity} operands of one shape")
        for x in inputs[1:] if self.name == "where" else inputs:
            if x.dtype is not dtype and x.dtype != dtype:
                raise DTypeError(f"{self.name} takes operands of one dtype")
        if self.result == "float" and dtype.kind != "f":
            raise DTypeError(f"{self.name} takes floats, not {dtype}")
        return shape, BOOL if self.result == "bool" else dtype

    @property
    def flops_each(self) -> int:
        """The operations for one element, counted in the scalar body."""
        if self._flops is None:
            object.__setattr__(self, "_flops", self._counted())
        assert self._flops is not None
        return self._flops

    def _counted(self) -> int:
        if self.result == "bool" or self.name == "where":
            return 0
        if self.scalar is None or self.name in PRIMITIVES:
            return 1
        trace = Trace()
        xs = [new_input(trace, "x", (), FLOAT64) for _ in range(self.arity)]
        inside = [n.op for n in topological_order([self.scalar(NODES, *xs)])]
        if self in inside:  # arithmetic itself
            return 1
        return sum(op.flops_each for op in inside if isinstance(op, Elementwise))

    def flops(self, node: Node) -> int:
        """`flops_each` for every element."""
        return self.flops_each * node.size

    def local(self, node: Node, index: int) -> Node | float | None:
        """The partial derivative by operand `index`: a node, a number, or None for none."""
        return None if self.partials is None else self.partials(NODES, node, *node.inputs)[index]

    def routed(self, node: Node, t: Node, index: int) -> Node | None:
        """`t` passed through this choosing op to or from operand `index`."""
        assert self.route is not None
        return self.route(NODES, t, *node.inputs)[index]


_NO_BOOL = ("negative", "subtract", "square", "power", "sign", "floor_divide", "remainder", "fmod")


def _fit(trace: Any, x: Operand, dtype: DType, shape: Shape) -> Node:
    """An operand as a node of that dtype and shape."""
    node = x if isinstance(x, Node) else weak_constant(trace, x, dtype)
    if node.dtype is not dtype and node.dtype != dtype:
        node = make(Cast(dtype), node)
    return node if node.shape == shape else make(Broadcast(shape), node)


def scaled(x: Node, factor: Node | float) -> Node:
    """x times a local derivative of its shape; a factor of 1 or -1 costs no product."""
    if isinstance(factor, Node):
        return factor if literal(x) == 1 else x * factor
    return x if factor == 1 else -x if factor == -1 else x * factor


def full_like(node: Node, value: float) -> Node:
    """A node of the same shape and dtype, filled with one value."""
    return _fit(node.trace, value, node.dtype, node.shape)


class Linear(Op):
    """An op that is linear in its only operand: its tangent is the op of the tangent."""

    linear_in: ClassVar[int] = 0

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The same op, applied to the tangent."""
        t = tangents[0]
        return None if t is None else make(self, t)


class View(Linear):
    """An op that only says which element stands where."""

    verb = "moves the gradient to where the element came from"
    cost = "none: it moves numbers"


class Cast(Op):
    """The same numbers in another dtype; integers and booleans carry no derivative."""

    name = "cast"
    verb = "passes the gradient on in the other dtype"
    cost = "none: it converts numbers"
    dtype: DType

    def infer(self, *inputs: Node) -> Aval:
        """The same shape, the new dtype."""
        return inputs[0].shape, self.dtype

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent in the operand's dtype."""
        x = node.inputs[0]
        return (make(Cast(x.dtype), g) if x.dtype.kind == "f" else None,)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The tangent in the new dtype."""
        t = tangents[0]
        return make(self, t) if t is not None and self.dtype.kind == "f" else None


class Broadcast(View):
    """The operand repeated along new and length-one axes, aligned from the right as in NumPy."""

    name = "broadcast"
    verb = "copies forward, sums the gradient back"
    shape: Shape

    def infer(self, *inputs: Node) -> Aval:
        """The target shape."""
        x = inputs[0]
        try:
            fits = np.broadcast_shapes(x.shape, self.shape) == self.shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(
                f"broadcast: shape {x.shape} cannot be broadcast to {self.shape}{at_caller()}"
            )
        return self.shape, x.dtype

    def axes(self, shape: Shape) -> tuple[int, ...]:
        """The axes of the result along which an operand of that shape is repeated."""
        lead = len(self.shape) - len(shape)
        grown = (i + lead for i, n in enumerate(shape) if n == 1 and self.shape[i + lead] != 1)
        return (*range(lead), *grown)

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent summed over the repeated axes."""
        x = node.inputs[0]
        total = REGISTRY["reduce"]("sum", self.axes(x.shape))
        return (reshape(make(total, g) if total.axes else g, x.shape),)


class Alias(View):
    """The operand under a fresh identity: a variable of an inner differentiation, bound to a node.

    No two aliases are one node, so that the derivative by one leaves the other uses of the operand
    alone. Rewriting removes it.
    """

    name = "alias"
    verb = "passes the gradient on"
    serial: int

    def infer(self, *inputs: Node) -> Aval:
        """That of the operand."""
        return inputs[0].shape, inputs[0].dtype

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent as it is."""
        return (g,)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The tangent as it is."""
        return tangents[0]


class Reshape(View):
    """The same elements in row-major order under another shape."""

    name = "reshape"
    verb = "reshapes the gradient back"
    shape: Shape

    def infer(self, *inputs: Node) -> Aval:
        """The new shape, of as many elements."""
        x = inputs[0]
        if int(np.prod(self.shape, dtype=np.int64)) != x.size:
            raise ShapeError(
                f"reshape: {x.shape} has {x.size} elements, {self.shape} has "
                f"{int(np.prod(self.shape, dtype=np.int64))}{at_caller()}"
            )
        return self.shape, x.dtype

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent in the operand's shape."""
        return (reshape(g, node.inputs[0].shape),)


_alias_serial = iter(range(1 << 62))


def alias(x: Node) -> Node:
    """A node of the same value that is equal to no other."""
    return make(Alias(next(_alias_serial)), x)


def reshape(x: Node, shape: Shape) -> Node:
    """`x` under another shape; itself if it has it already."""
    return x if x.shape == shape else make(Reshape(shape), x)


def broadcast_to(x: Node, shape: Shape) -> Node:
    """`x` repeated to a shape; itself if it has it already."""
    return x if x.shape == tuple(shape) else make(Broadcast(tuple(shape)), x)


def cast(x: Node, dtype: DType) -> Node:
    """`x` in another dtype; itself if it has it already."""
    return x if x.dtype == dtype else make(Cast(dtype), x)


def literal(x: Any) -> float | None:
    """The number that an operand is in the program's text, None for anything computed."""
    if not isinstance(x, Node):
        return float(x) if isinstance(x, int | float) else None
    if x.op.name == "broadcast":
        x = x.inputs[0]
    if x.op.name != "const":
        return None
    value = constant_value(x)
    return float(value.item()) if value is not None and value.size == 1 else None
