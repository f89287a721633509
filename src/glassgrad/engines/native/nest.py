"""Loop nests over an iteration space: where values are computed, and how memory is walked.

One axis may be the vector axis. What does not vary along it is computed as a scalar, in the
outermost loop that knows all of its axes, and splatted; what does vary is computed in vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
from glassgrad.engines.native.convert import converted, from_memory, to_memory
from glassgrad.engines.native.emit import (
    I1,
    I8,
    I32,
    I64,
    PTR,
    VOID,
    Function,
    Type,
    Value,
    of_dtype,
)
from glassgrad.engines.native.expression import (
    Apply,
    Buffer,
    Expr,
    Gather,
    Load,
    Seed,
    Store,
    Uniform,
    walk,
)
from glassgrad.engines.native.pieces import fetch
from glassgrad.graph.dtype import BOOL
from glassgrad.graph.family import Cast

Access = Load | Gather | Store


class Part:
    """A range of one axis of a loop nest: part number `index` of about `wanted` equal ones.

    Which axis is cut, and in how many parts, is settled when the loops are known: `count` says it;
    0 means as many as are wanted, which is known at run time.
    Each element is computed as it would be in the whole, so a cut changes no bit.
    """

    def __init__(self, f: Function, index: Value, wanted: Value | int) -> None:
        self.f, self.index, self.wanted = f, index, wanted
        self.count, self.axis, self.low, self.high = 1, -1, f.index(0), f.index(0)

    def cut(self, axes: Sequence[int], dims: Sequence[int], vector: int | None, lanes: int) -> None:
        """Cuts the first of some axes that is long enough, or the longest one."""
        grains = {a: max(1, lanes) if a == vector else 1 for a in axes}
        steps = {a: -(-dims[a] // grains[a]) for a in axes}
        if not steps:
            return
        if isinstance(self.wanted, Value):
            axis = next((a for a in axes if self.f.varying(dims[a]) is not None), None)
            axis = max(axes, key=lambda a: steps[a]) if axis is None else axis
            self._cut_varying(axis, dims[axis], grains[axis], self.wanted)
            return
        long = (a for a in axes if steps[a] >= self.wanted)
        axis = next(long, max(axes, key=lambda a: steps[a]))
        size = -(-steps[axis] // self.wanted) * grains[axis]
        f, self.axis, self.count = self.f, axis, -(-dims[axis] // size)
        self.low = self.index * size
        end = self.low + size
        self.high = f.select(f.compare("slt", end, dims[axis]), end, dims[axis])

    def _cut_varying(self, axis: int, n: int, grain: int, wanted: Value) -> None:
        """The parts of a run whose length, or number of parts, is known at run time."""
        f, self.axis, self.count = self.f, axis, 0
        length = f.index(n)
        steps = f.binary("udiv", length + (grain - 1), grain)
        size = f.binary("udiv", steps + (wanted - 1), wanted) * grain

        def within(x: Value) -> Value:
            return f.select(f.compare("slt", x, length), x, length)

        self.low = within(self.index * size)
        self.high = within(self.low + size)


def _unknown(
    expr: Expr, known: Mapping[Any, Any], is_open: Callable[[Expr], bool]
) -> list[Expr]:  # fmt: skip
    """What is computed for an expression, in order: a chain may be deeper than Python's stack."""
    found: dict[Expr, None] = {}
    stack = [(expr, False)]
    while stack:
        x, ready = stack.pop()
        if x in known or x in found:
            continue
        if ready or not isinstance(x, Apply) or not is_open(x):
            found[x] = None
        else:
            stack.append((x, True))
            stack.extend((y, False) for y in reversed(x.args))
    return list(found)


class Nest:
    """The expressions of one step, evaluated inside loops that its user opens."""

    def __init__(
        self, f: Function, k: LLVMAlgebra, dims: Sequence[int], roots: Sequence[Expr],
        strides: Mapping[Any, Sequence[int]], pointers: dict[Buffer, Value],
        *, vector: int | None = None, lanes: int = 0, part: Part | None = None,
    ) -> None:  # fmt: skip
        self.part = part
        self.f, self.k, self.dims, self.strides = f, k, list(dims), strides
        self.vector, self.lanes = vector, lanes
        self.exprs = list(walk(roots))
        self.axes: dict[Expr, frozenset[int]] = {}
        self.late: set[Expr] = set()
        self._classify()
        self.opened: set[int] = set()
        self.scalars: dict[Any, Any] = {}
        self.pointer: dict[Any, Value] = {}
        for access in strides:
            base = pointers[access.buffer]
            self.pointer[access] = f.at(base, of_dtype(access.buffer.dtype), access.view.offset)

    def _classify(self) -> None:
        """Which axes each expression varies along, and whether it waits for a seed."""
        for expr in self.exprs:
            own: set[int] = set()
            if isinstance(expr, Load | Gather):
                own = {a for a, s in enumerate(self.strides[expr]) if s}
            for x in expr.args:
                own |= self.axes[x]
            if isinstance(expr, Seed) or any(x in self.late for x in expr.args):
                self.late.add(expr)
            self.axes[expr] = frozenset(own)

    # -- loops ----------------------------------------------------------------

    def open(
        self, order: Sequence[int], body: Callable[[Sequence[Value]], Sequence[Value] | None],
        carried: Sequence[Value] = (),
    ) -> list[Value]:  # fmt: skip
        """Loops over the axes in this order around `body(carried)`."""
        self.hoist()
        if not order:
            return list(body(carried) or ())
        axis, *rest = order

        def turn(i: Value, *inner: Value) -> Sequence[Value]:
            return self.inside(axis, i, lambda: self.open(rest, body, inner))

        return self.f.loop(*self.extent(axis), 1, turn, carried)

    def extent(self, axis: int) -> tuple[Value | int, Value | int]:
        """Where the loop over an axis starts and ends."""
        if self.part is not None and self.part.axis == axis:
            return self.part.low, self.part.high
        return 0, self.dims[axis]

    def inside(self, axis: int, i: Value, body: Callable[[], Any]) -> Any:
        """Runs `body` where the index along an axis is `i`."""
        saved = dict(self.scalars), dict(self.pointer), set(self.opened)
        self.opened.add(axis)
        for access, strides in self.strides.items():
            if strides[axis]:
                element = of_dtype(access.buffer.dtype)
                self.pointer[access] = self.f.at(self.pointer[access], element, i * strides[axis])
        result = body()
        self.scalars, self.pointer, self.opened = saved
        return result

    def aside(self, body: Callable[[], Any]) -> Any:
        """Runs `body` in a block of its own: what it computes is not known elsewhere."""
        saved = dict(self.scalars)
        result = body()
        self.scalars = saved
        return result

    def hoist(self) -> None:
        """Computes what is known by now and does not vary along the vector axis.

        Where there are no elements nothing is: a place that nobody reads may be out of range.
        """
        if 0 in self.dims:
            return
        for expr in self.exprs:
            if expr in self.late or isinstance(expr, Uniform):
                continue
            if isinstance(expr, Gather) and all(self._known(x) for x in expr.args):
                self.place(expr)
            if expr not in self.scalars and self._known(expr):
                self.scalars[expr] = self.scalar(expr)

    def _known(self, x: Expr) -> bool:
        return self.axes[x] <= self.opened and self.vector not in self.axes[x]

    # -- scalars --------------------------------------------------------------

    def scalar(self, expr: Expr) -> Lanes:
        """The value of an expression at the current point."""
        if expr not in self.scalars:
            for x in _unknown(expr, self.scalars, lambda _: True):
                self.scalars[x] = self._scalar(x)
        return self.scalars[expr]

    def _scalar(self, expr: Expr) -> Lanes:
        if isinstance(expr, Uniform):
            return self._uniform(expr, 0)
        if isinstance(expr, Load):
            return self._read(self.pointer[expr], expr.dtype)
        if isinstance(expr, Gather):
            element = of_dtype(expr.dtype)
            return self._read(self.f.at(self.pointer[expr], element, self.place(expr)), expr.dtype)
        assert isinstance(expr, Apply), expr
        args = [self.scalar(x) for x in expr.args]
        return self._apply(expr, args, None)

    def _read(self, pointer: Value, dtype: Any) -> Lanes:
        return from_memory(self.k, self.f.load(of_dtype(dtype), pointer), dtype)

    def _uniform(self, expr: Uniform, lanes: int) -> Lanes:
        element = I1 if expr.dtype == BOOL else of_dtype(expr.dtype)
        return self.k.wrap(self.f.const(element.vector(lanes), expr.number), expr.dtype)

    def _apply(self, expr: Apply, args: Sequence[Lanes], mask: Value | None) -> Lanes:
        self.k.mask, self.k.node = mask, expr.node
        if isinstance(expr.op, Cast):
            return converted(self.k, args[0], expr.dtype)
        return getattr(self.k, expr.op.name)(*args)

    # -- computed places ------------------------------------------------------

    def place(self, expr: Gather) -> Value:
        """The offset in elements of a gather whose indices are scalars, checked."""
        key = ("place", expr)
        if key not in self.scalars:
            self.scalars[key] = self.offset(expr, [self.scalar(x) for x in expr.args], None)
        return self.scalars[key]

    def offset(self, expr: Gather, indices: Sequence[Lanes], mask: Value | None) -> Value:
        """The sum of index times stride; out of range is reported and read as 0."""
        total: Value | None = None
        for index, extent, stride in zip(indices, expr.extents, expr.strides):
            i = self.within(index, extent, mask)
            total = i * stride if total is None else total + i * stride
        assert total is not None
        return total

    def within(self, index: Lanes, extent: int, mask: Value | None) -> Value:
        """Indices counted from the start of an axis; out of range is reported, and is 0."""
        f, wide = self.f, I64.vector(index.value.type.lanes)
        cast = "sext" if index.dtype.kind == "i" else "zext"
        i = f.cast(cast, index.value, wide)
        if index.dtype.kind == "i":
            i = f.select(f.compare("slt", i, 0), i + extent, i)
        bad = f.compare("uge", i, extent)
        self.k.mask = mask
        self.k.report(bad)
        return f.select(bad, f.const(wide, 0), i)

    # -- vectors --------------------------------------------------------------

    def value(
        self, expr: Expr, i: Value | None, mask: Value | None, memo: dict[Expr, Lanes]
    ) -> Lanes:
        """The value at the current point, for all lanes from index `i` of the vector axis."""
        if self.vector is None:
            return self.scalar(expr)
        if expr not in memo:
            assert i is not None
            for x in _unknown(expr, memo, self._is_vector):
                memo[x] = self._vector(x, i, mask, memo)
        return memo[expr]

    def _is_vector(self, expr: Expr) -> bool:
        return expr in self.late or self.vector in self.axes[expr]

    def _vector(self, expr: Expr, i: Value, mask: Value | None, memo: dict[Expr, Lanes]) -> Lanes:
        if isinstance(expr, Uniform):
            return self._uniform(expr, self.lanes)
        if not self._is_vector(expr):
            x = self.scalar(expr)
            return self.k.wrap(self.f.splat(x.value, x.value.type.vector(self.lanes)), x.dtype)
        if isinstance(expr, Load):
            return self._read_vector(expr, self.pointer[expr], i, mask)
        if isinstance(expr, Gather):
            return self._gather(expr, i, mask, memo)
        assert isinstance(expr, Apply), expr
        args = [self.value(x, i, mask, memo) for x in expr.args]
        return self._apply(expr, args, mask)

    def _read_vector(
        self, expr: Load | Gather, pointer: Value, i: Value, mask: Value | None
    ) -> Lanes:
        assert self.vector is not None
        element, stride = of_dtype(expr.dtype), self.strides[expr][self.vector]
        if stride == 1:
            where = self.f.at(pointer, element, i)
            value = self.f.load(element.vector(self.lanes), where, mask=mask)
        else:
            value = self._gathered(element, pointer, self._steps(i, stride), mask)
        return from_memory(self.k, value, expr.dtype)

    def _steps(self, i: Value, stride: int) -> Value:
        """``(i + lane) * stride`` for each lane."""
        wide = I64.vector(self.lanes)
        if self.f.varying(stride) is not None:
            lanes = self.f.const(wide, list(range(self.lanes))) * stride
        else:
            lanes = self.f.const(wide, [lane * stride for lane in range(self.lanes)])
        return self.f.splat(i * stride, wide) + lanes

    def _gather(self, expr: Gather, i: Value, mask: Value | None, memo: dict[Expr, Lanes]) -> Lanes:
        assert self.vector is not None
        element = of_dtype(expr.dtype)
        if all(self.vector not in self.axes[x] for x in expr.args):
            pointer = self.f.at(self.pointer[expr], element, self.place(expr))
            return self._read_vector(expr, pointer, i, mask)
        places = self.offset(expr, [self.value(x, i, mask, memo) for x in expr.args], mask)
        stride = self.strides[expr][self.vector]
        if stride:
            places = places + self._steps(i, stride)
        value = self._gathered(element, self.pointer[expr], places, mask)
        return from_memory(self.k, value, expr.dtype)

    def _addresses(self, element: Type, pointer: Value, places: Value) -> Value:
        return self.f.addresses(pointer, element, places)

    def _gathered(self, element: Type, pointer: Value, places: Value, mask: Value | None) -> Value:
        f = self.f
        to = element.vector(self.lanes)
        every = mask or f.const(I1.vector(self.lanes), 1)
        pointers = self._addresses(element, pointer, places)
        return f.intrinsic(
            "llvm.masked.gather", to, pointers, f.const(I32, element.itemsize), every,
            f.const(to, 0), overloads=[to, pointers.type],
        )  # fmt: skip

    def fetch(self, ahead: Sequence[Load], i: Value | None) -> None:
        """Asks for the lines that others need soon."""
        if i is not None:
            for load in ahead:
                fetch(self.f, self.f.at(self.pointer[load], of_dtype(load.dtype), i))

    # -- stores ---------------------------------------------------------------

    def store(self, store: Store, x: Lanes, i: Value | None, mask: Value | None) -> None:
        """Writes the value of a store at the current point."""
        f = self.f
        value, pointer = to_memory(self.k, x), self.pointer[store]
        element = of_dtype(store.buffer.dtype)
        if self.vector is None or i is None:
            f.store(value, pointer)
            return
        stride = self.strides[store][self.vector]
        if stride == 1:
            f.store(value, f.at(pointer, element, i), mask=mask)
            return
        pointers = self._addresses(element, pointer, self._steps(i, stride))
        every = mask or f.const(I1.vector(self.lanes), 1)
        f.intrinsic(
            "llvm.masked.scatter", VOID, value, pointers, f.const(I32, element.itemsize), every,
            overloads=[value.type, pointers.type],
        )  # fmt: skip


def vector_lanes(f: Function, exprs: Sequence[Expr], length: int) -> int:
    """Lanes for the widest dtype among the expressions; 0 (scalars) for a single element."""
    widest = max([x.dtype.itemsize for x in exprs] + [4 if length > 16 else 1])
    lanes = min(f.target.vector_bytes // widest, 1 << max(0, length - 1).bit_length())
    return lanes if lanes > 1 else 0


__all__ = ["I8", "PTR", "Access", "Nest", "vector_lanes"]
