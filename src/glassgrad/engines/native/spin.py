"""Loops with a small body, all in registers: each element of the body is a scalar of its own.

A body of a few scalars (a descent in two variables, a recurrence) would spend its time calling
steps and passing numbers through memory. Here views cost nothing, carries are loop variables, and
what the body captures is loaded once. Small branches and loops of unknown length stand inside such
a body, or alone, as a loop of one turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from glassgrad.engines.native import cost
from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
from glassgrad.engines.native.convert import converted, from_memory, to_memory
from glassgrad.engines.native.emit import I1, Value, of_dtype
from glassgrad.engines.native.emit import Function as Builder
from glassgrad.engines.native.expand import expanded
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.extents import NONE, Extents
from glassgrad.engines.native.interrupt import pulse, turns
from glassgrad.engines.native.reduction import CHAINS, KINDS
from glassgrad.engines.native.repeat import goes_on
from glassgrad.engines.native.roots import is_costly
from glassgrad.engines.native.step import Spin
from glassgrad.graph.dtype import BOOL
from glassgrad.graph.family import Broadcast, Cast, Elementwise, Reshape
from glassgrad.graph.function import Function
from glassgrad.graph.node import Const, Input, Item, Node
from glassgrad.graph.op import Op
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.loop import Cond, While
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.view import Concatenate, Place, Slice, Transpose, Update
from glassgrad.rewrite.pipeline import finish

_LARGEST = 16  # elements of one node
_LARGEST_COSTLY = 4  # where a vector would do several exps at once
_WHILE = 20.0  # nanoseconds of a turn of a loop of unknown length, about
_MOST = 800  # elements of all nodes

Scalars = np.ndarray[Any, Any]  # of Lanes


def spins(params: Sequence[Node], outputs: Sequence[Node]) -> bool:
    """Whether a body is small enough, and of ops that are known element by element."""
    order = topological_order([*params, *outputs])
    return _elements(order) <= _MOST and all(_fits(n) for n in order)


def lowered(body: Function, extents: Extents = NONE) -> tuple[list[Node], list[Node]]:
    """The parameters of a function, and its outputs in terms that steps are planned from."""
    return list(body.params), expanded(finish(body.outputs), extents)


def _elements(order: Sequence[Node]) -> int:
    """The elements of all nodes, those of inner functions too."""
    inner = (f.order for n in order if isinstance(n.op, Cond | While) for f in _functions(n.op))
    own = sum(node.size for node in order if node.outputs is None)
    return own + sum(_elements(nodes) for nodes in inner)


def _functions(op: Cond | While) -> tuple[Function, Function]:
    return (op.yes, op.no) if isinstance(op, Cond) else (op.test, op.body)


def _fits(node: Node) -> bool:
    if isinstance(node.op, Input | Const):
        return True
    if isinstance(node.op, Cond | While):
        return all(spins(*lowered(f)) for f in _functions(node.op))
    if node.outputs is not None or type(node.op) not in _RULES:
        return False
    if isinstance(node.op, Reduce) and not _is_one_run(node.op, node.inputs[0].ndim):
        return False
    return node.size <= (_LARGEST_COSTLY if is_costly(node.op) else _LARGEST)


def _is_one_run(op: Reduce, ndim: int) -> bool:
    """Whether the reduced axes are neighbours, of a kind that has a tree."""
    axes = sorted(op.axes)
    return op.kind in KINDS and bool(axes) and axes[-1] - axes[0] == len(axes) - 1


def emit_spin(
    f: Builder, step: Spin, pointers: dict[Buffer, Value], status: Value | None
) -> None:  # fmt: skip
    """The loop; its carries are stored after the last turn, the stacked results in each."""
    c, r = step.carries, step.rows
    body = _Body(f, step.parameters, step.outputs, status)
    fixed = [body.read(b, pointers[b], b.shape) for b in step.operands[c + r :]]
    first = [body.read(b, pointers[b], b.shape) for b in step.operands[:c]]
    stacked = step.results[c:]

    def turn(i: Value, *carried: Value) -> list[Value]:
        rows = [
            body.read(b, _row(f, b, pointers[b], i), b.shape[1:]) for b in step.operands[c : c + r]
        ]
        found = body.run([*body.shaped(carried, first), *rows, *fixed])
        for buffer, values in zip(stacked, found[c:]):
            body.write(values, _row(f, buffer, pointers[buffer], i), buffer)
        return body.flat(found[:c])

    some = turns(cost.of_step(step) / max(1, step.length))  # that are made without a look

    def block(i: Value, *carried: Value) -> list[Value]:
        assert status is not None
        pulse(f, status)
        low, high = i * some, i * some + some
        least = f.select(f.compare("slt", high, step.length), high, f.index(step.length))
        return f.loop(low, least, 1, turn, carried)

    if f.module.interruptible and step.length > 2 * some:
        last = f.loop(0, -(-step.length // some), 1, block, body.flat(first))
    else:
        last = f.loop(0, step.length, 1, turn, body.flat(first))
    for buffer, values in zip(step.results, body.shaped(last, first)):
        body.write(values, pointers[buffer], buffer)


def _row(f: Builder, buffer: Buffer, pointer: Value, i: Value) -> Value:
    return f.at(pointer, of_dtype(buffer.dtype), i * prod(buffer.shape[1:]))


class _Body:
    """The nodes of a body, each an array of scalars."""

    def __init__(
        self, f: Builder, params: Sequence[Node], outputs: Sequence[Node], status: Value | None
    ) -> None:
        self.f, self.k, self.status = f, LLVMAlgebra(f, status), status
        self.params, self.outputs = params, outputs
        self.order = topological_order(outputs)

    def read(self, buffer: Buffer, pointer: Value, shape: tuple[int, ...]) -> Scalars:
        """Elements in memory as scalars."""
        element = of_dtype(buffer.dtype)
        places = (self.f.at(pointer, element, i) for i in range(prod(shape)))
        values = [from_memory(self.k, self.f.load(element, p), buffer.dtype) for p in places]
        return scalars(values, shape)

    def write(self, values: Scalars, pointer: Value, buffer: Buffer) -> None:
        """Scalars to memory."""
        element = of_dtype(buffer.dtype)
        for i, x in enumerate(values.reshape(-1)):
            self.f.store(to_memory(self.k, x), self.f.at(pointer, element, i))

    def flat(self, arrays: Sequence[Scalars]) -> list[Value]:
        """The machine's values of some arrays, one after the other."""
        return [x.value for array in arrays for x in array.reshape(-1)]

    def shaped(self, values: Sequence[Value], like: Sequence[Scalars]) -> list[Scalars]:
        """Values as arrays of the shapes and dtypes of others."""
        it = iter(values)
        return [
            scalars([self.k.wrap(next(it), x.dtype) for x in array.reshape(-1)], array.shape)
            for array in like
        ]

    def run(self, arguments: Sequence[Scalars]) -> list[Scalars]:
        """The outputs for these arguments."""
        known: dict[Node, Any] = dict(zip(self.params, arguments))
        for node in self.order:
            if node in known:
                continue
            if isinstance(node.op, Const):
                known[node] = self._constant(node.op.value)
            else:
                known[node] = _RULES[type(node.op)](self, node, *(known[x] for x in node.inputs))
        return [known[y] for y in self.outputs]

    def number(self, value: Any, dtype: np.dtype[Any]) -> Lanes:
        """A constant."""
        element = I1 if dtype == BOOL else of_dtype(dtype)
        return self.k.wrap(self.f.const(element, value), dtype)

    def _constant(self, value: np.ndarray[Any, Any]) -> Scalars:
        flat = value.reshape(-1)
        return scalars([self.number(v.item(), value.dtype) for v in flat], value.shape)

    # -- rules ----------------------------------------------------------------

    def elementwise(self, node: Node, *operands: Scalars) -> Scalars:
        """Each distinct tuple of scalars once: what was broadcast is not computed again."""
        run = self._operation(node.op, node.dtype)
        self.k.node = node
        made: dict[tuple[int, ...], Lanes] = {}
        values: list[Lanes] = []
        for xs in zip(*(x.reshape(-1) for x in operands)):
            key = tuple(map(id, xs))
            if key not in made:
                made[key] = run(*xs)
            values.append(made[key])
        return scalars(values, node.shape)

    def _operation(self, op: Op, dtype: np.dtype[Any]) -> Callable[..., Lanes]:
        if isinstance(op, Cast):
            return lambda x: converted(self.k, x, dtype)
        return getattr(self.k, op.name)

    def inner(self, function: Function) -> _Body:
        """A function inside this one."""
        return _Body(self.f, *lowered(function), self.status)

    def branch(self, node: Node, chosen: Scalars, *operands: Scalars) -> list[Scalars]:
        """One of two functions: the other is not computed."""
        op = node.op
        assert isinstance(op, Cond)
        like: list[Scalars] = []

        def side(function: Function) -> list[Value]:
            like[:] = self.inner(function).run(operands)
            return self.flat(like)

        (pred,) = chosen.reshape(-1)
        found = self.f.branch(pred.value, lambda: side(op.yes), lambda: side(op.no))
        return self.shaped(found, like)

    def until(self, node: Node, *operands: Scalars) -> list[Scalars]:
        """A function run as long as a test holds."""
        op = node.op
        assert isinstance(op, While)
        first, fixed = operands[: op.carries], operands[op.carries :]

        def more(*carried: Value) -> Value:
            (asked,) = self.inner(op.test).run([*self.shaped(carried, first), *fixed])
            assert self.status is not None
            return goes_on(self.f, asked.item().value, self.status, _WHILE)

        def turn(*carried: Value) -> list[Value]:
            return self.flat(self.inner(op.body).run([*self.shaped(carried, first), *fixed]))

        return self.shaped(self.f.turns(more, turn, self.flat(first)), first)

    def place(self, node: Node, *operands: Scalars) -> Scalars:
        """Zeros, or a copy of the first operand, with the last written into a part."""
        op, part = node.op, operands[-1]
        assert isinstance(op, Place | Update)
        if isinstance(op, Update):
            result = operands[0].copy()
        else:
            zero = self.number(0, node.dtype)
            result = scalars([zero] * node.size, node.shape)
        result[_index(op.starts, op.steps, part.shape)] = part
        return result

    def reduce(self, node: Node, x: Scalars) -> Scalars:
        """The tree of a reduction in memory: chains of lanes, then the lanes by halves."""
        op = node.op
        assert isinstance(op, Reduce)
        if not x.size:
            nothing = self.number(KINDS[op.kind].identity(node.dtype), node.dtype)
            return scalars([nothing] * node.size, node.shape)
        if op.kind in ("any", "all"):
            x = self.elementwise_cast(x)
        dims = [n for n in node.inputs[0].shape[max(op.axes) + 1 :] if n != 1]
        kept = [i for i in range(x.ndim) if i not in op.axes]
        rows = x.transpose([*kept, *sorted(op.axes)]).reshape(node.size, -1)
        return scalars([self._tree(op.kind, list(r), not dims) for r in rows], node.shape)

    def elementwise_cast(self, x: Scalars) -> Scalars:
        """Truth values."""
        return scalars([converted(self.k, v, BOOL) for v in x.reshape(-1)], x.shape)

    def _tree(self, kind: str, values: list[Lanes], last: bool) -> Lanes:
        how, dtype = KINDS[kind], values[0].dtype
        combine = getattr(self.k, how.combine)
        n, width = len(values), self.f.target.vector_bytes // max(dtype.itemsize, 1)
        lanes = min(width, 1 << (n - 1).bit_length()) if last else 1
        chains = min(CHAINS, -(-n // lanes))
        table = [[self.number(how.identity(dtype), dtype)] * lanes for _ in range(chains)]
        for i, x in enumerate(values):
            row = table[i // lanes % chains]
            row[i % lanes] = combine(row[i % lanes], x)
        while len(table) > 1:
            pairs = zip(table[::2], table[1::2])
            joined = [[combine(a, b) for a, b in zip(*pair)] for pair in pairs]
            table = joined + table[len(table) // 2 * 2 :]
        (row,) = table
        while len(row) > 1:
            half = len(row) // 2
            row = [combine(a, b) for a, b in zip(row[:half], row[half:])]
        return row[0]


def scalars(values: Sequence[Lanes], shape: tuple[int, ...]) -> Scalars:
    """An array of objects, element by element."""
    made = np.empty(len(values), object)
    for i, x in enumerate(values):
        made[i] = x
    return made.reshape(shape)


def _index(
    starts: Sequence[int], steps: Sequence[int], lengths: Sequence[int]
) -> tuple[np.ndarray[Any, Any], ...]:
    """The places of a slice, axis by axis."""
    ranges = [a + s * np.arange(n) for a, s, n in zip(starts, steps, lengths)]
    return np.ix_(*ranges) if ranges else ()


def _slice(body: _Body, node: Node, x: Scalars) -> Scalars:
    op = node.op
    assert isinstance(op, Slice)
    return x[_index(op.starts, op.steps, op.lengths)].reshape(node.shape)


def _transpose(body: _Body, node: Node, x: Scalars) -> Scalars:
    op = node.op
    assert isinstance(op, Transpose)
    return x.transpose(op.perm)


def _concatenate(body: _Body, node: Node, *operands: Scalars) -> Scalars:
    op = node.op
    assert isinstance(op, Concatenate)
    return np.concatenate(operands, op.axis)


_RULES: dict[type[Op], Callable[..., Any]] = {
    Elementwise: _Body.elementwise,
    Cast: _Body.elementwise,
    Broadcast: lambda body, node, x: np.broadcast_to(x, node.shape),
    Reshape: lambda body, node, x: x.reshape(node.shape),
    Transpose: _transpose,
    Slice: _slice,
    Place: _Body.place,
    Update: _Body.place,
    Concatenate: _concatenate,
    Reduce: _Body.reduce,
    Cond: _Body.branch,
    While: _Body.until,
    Item: lambda body, node, results: results[node.op.index],
}
