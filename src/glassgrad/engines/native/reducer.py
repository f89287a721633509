"""Machine code of reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from glassgrad.engines.native.across import across
from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
from glassgrad.engines.native.emit import I1, Function, Value, of_dtype
from glassgrad.engines.native.expression import Apply, Buffer, Expr, Gather, loads, walk
from glassgrad.engines.native.long_sums import ACROSS, DOWN
from glassgrad.engines.native.nest import Nest, Part, vector_lanes
from glassgrad.engines.native.reduction import CHAINS, KINDS
from glassgrad.engines.native.step import Reduction
from glassgrad.engines.native.strided import collapse
from glassgrad.graph.dtype import BOOL

Point = tuple[Value, Value | None]  # the first lane's place, and the mask of a last vector
_SIMPLE = 8  # operations of a sum over columns that is written out for several vectors


class Reducer:
    """A reduction, in an order that only its shape and the machine's vector width decide.

    Where the last axis is reduced, element r of it goes to lane r mod lanes of chain
    (r div lanes) mod 4; otherwise the lanes are kept elements and row r goes to chain r mod 4.
    The chains are combined as (0+1)+(2+3), then the lanes by halves. The number of lanes is that of
    the sum's own dtype, whatever else is computed inside: what is fused changes no bit.
    """

    def __init__(
        self, f: Function, step: Reduction, pointers: dict[Buffer, Value], status: Value | None,
        part: Part | None,
    ) -> None:  # fmt: skip
        self.f, self.step, self.k = f, step, LLVMAlgebra(f, status)
        self.inner = loads([step.operand])
        self.outer = [a for a in loads([s.expr for s in step.stores]) if a not in self.inner]
        self.kind = KINDS[step.kind]
        self.dims, strides, classes = self._collapse()
        self.reduced = [a for a, c in enumerate(classes) if c]
        self.kept = [a for a, c in enumerate(classes) if not c]
        self.last = bool(self.reduced) and self.reduced[-1] == len(self.dims) - 1
        exprs = [step.operand] if step.operand.dtype.kind == "f" else list(walk(step.roots()))
        axis = self.reduced[-1] if self.last else self.kept[-1] if self.kept else None
        lanes = 0 if axis is None else vector_lanes(f, exprs, max(1, self.dims[axis]))
        self.lanes, self.vector = lanes, axis if lanes else None
        accesses = [*self.inner, *self.outer, *step.stores]
        if part is not None:
            part.cut(self.kept, self.dims, self.vector, lanes)
        self.nest = Nest(
            f, self.k, self.dims, step.roots(), dict(zip(accesses, strides)), pointers,
            vector=self.vector, lanes=lanes, part=part,
        )  # fmt: skip

    def _collapse(self) -> tuple[list[int], list[list[int]], list[int]]:
        step = self.step
        classes = [int(i in step.axes) for i in range(len(step.space))]
        strides: list[Sequence[int]] = [a.view.strides for a in self.inner]
        for access in (*self.outer, *step.stores):
            own = iter(access.view.strides)
            strides.append([0 if c else next(own) for c in classes])
        return collapse(step.space, strides, classes)

    def emit(self) -> None:
        """The loops over what is kept, around those over what is reduced."""
        if any(self.dims[a] == 0 for a in self.kept):
            return
        if self.last or not self.lanes:
            self.nest.open(self.kept, lambda _: self._row())
        else:
            self.nest.open(self.kept[:-1], lambda _: self._columns())

    def _combine(self, x: Value, y: Value) -> Value:
        dtype = self.step.operand.dtype
        wrap = self.k.wrap
        return getattr(self.k, self.kind.combine)(wrap(x, dtype), wrap(y, dtype)).value

    def _identity(self, lanes: int) -> Value:
        dtype = self.step.operand.dtype
        element = I1 if dtype == BOOL else of_dtype(dtype)
        return self.f.const(element.vector(lanes), self.kind.identity(dtype))

    def _tree(self, chains: list[Value]) -> Value:
        while len(chains) > 1:
            pairs = zip(chains[::2], chains[1::2])
            chains = [self._combine(a, b) for a, b in pairs] + chains[len(chains) // 2 * 2 :]
        return chains[0]

    # -- the last axis is reduced ---------------------------------------------

    def _row(self) -> None:
        """One kept element: chains of vectors along the last axis, folded at the end."""
        f, axis = self.f, self.vector
        n = self.dims[axis] if axis is not None else 1
        count = min(CHAINS, max(1, -(-n // max(1, self.lanes))))
        start = [self._identity(self.lanes)] * count
        order = [a for a in self.reduced if a != axis]
        chains = self.nest.open(order, lambda c: self._walk(list(c), n), start)
        total = f.fold(self._tree(chains), self._combine)
        self._finish_scalar(total)

    def _walk(self, chains: list[Value], n: int) -> list[Value]:
        f, lanes = self.f, self.lanes
        if not lanes:
            return [self._combine(chains[0], self.nest.scalar(self.step.operand).value)]
        stride = lanes * len(chains)

        def turn(i: Value, *inner: Value) -> list[Value]:
            return [
                self._combine(c, self._vector(i + j * lanes, None)) for j, c in enumerate(inner)
            ]

        def some(low: Value, high: Value, inner: list[Value]) -> list[Value]:
            whole = low + f.binary("and", high - low, -stride)
            found = f.loop(low, whole, stride, turn, inner)
            for j, c in enumerate(found):
                found[j] = self._last_vector(whole + j * lanes, high, c)
            return found

        if (varying := f.varying(n)) is not None:
            return self._in_levels(varying, ACROSS, some, chains)
        whole = n // stride * stride
        chains = f.loop(0, whole, stride, turn, chains)
        for j, at in enumerate(range(whole, n, lanes)):
            mask = f.tail_mask(lanes, n - at) if n - at < lanes else None
            chains[j] = self._combine(chains[j], self._vector(f.index(at), mask))
        return chains

    def _last_vector(self, at: Value, high: Value, chain: Value) -> Value:
        """The chain with the elements from a place on, if there are any."""
        f = self.f

        def vector() -> list[Value]:
            x = self.nest.aside(lambda: self._vector(at, f.tail_mask(self.lanes, high - at)))
            return [self._combine(chain, x)]

        return f.branch(f.compare("slt", at, high), vector, lambda: [chain])[0]

    def _in_levels(
        self, n: Value, most: int, some: Callable[[Value, Value, list[Value]], list[Value]],
        chains: list[Value],
    ) -> list[Value]:  # fmt: skip
        """Parts of at most so many elements by themselves, as of a sum whose length is planned."""
        f = self.f

        def part(low: Value, *totals: Value) -> list[Value]:
            end = low + most
            high = f.select(f.compare("slt", end, n), end, n)
            found = some(low, high, [self._identity(self.lanes)] * len(totals))
            return [self._combine(t, x) for t, x in zip(totals, found)]

        return f.loop(0, n, most, part, chains)

    def _vector(self, i: Value | None, mask: Value | None) -> Value:
        x = self.nest.value(self.step.operand, i, mask, {}).value
        return x if mask is None else self.f.select(mask, x, self._identity(self.lanes))

    def _finish_scalar(self, total: Value) -> None:
        nest, step = self.nest, self.step
        nest.scalars[step.seed] = self.k.wrap(total, step.seed.dtype)
        for load in step.early():
            nest.scalar(load)
        for store in step.stores:
            nest.store(store, nest.scalar(store.expr), None, None)

    # -- the last axis is kept ------------------------------------------------

    def _columns(self) -> None:
        """Vectors of kept elements, some side by side; the rows are walked in chains."""
        f, n, lanes = self.f, self.dims[self.nest.vector or 0], self.lanes
        group = lanes * self._beside()
        starts = range(0, group, lanes)
        low, high = self.nest.extent(self.nest.vector or 0)
        if f.varying(n) is not None and isinstance(high, int):
            low, high = f.index(0), f.index(n)
        if not isinstance(high, int):  # a part of the columns
            groups = f.binary("udiv", high - low, group) * group
            f.loop(low, groups + low, group, lambda i: self._some([(i + v, None) for v in starts]))
            across(
                f, self.nest, self.dims, lanes, lambda i, m: self._some([(_known(i), m)]),
                start=groups + low,
            )  # fmt: skip
            return
        whole = n // group * group
        f.loop(0, whole, group, lambda i: self._some([(i + v, None) for v in starts]))
        rest = [
            (f.index(at), f.tail_mask(lanes, n - at) if n - at < lanes else None)
            for at in range(whole, n, lanes)
        ]
        if rest:
            self._some(rest)

    def _beside(self) -> int:
        """How many vectors are walked side by side: rows are then read a few lines at a time."""
        exprs = [x for x in walk(self.step.roots()) if isinstance(x, Apply | Gather)]
        if len(exprs) > _SIMPLE or any(x.dtype != self.step.seed.dtype for x in exprs):
            return 1
        return max(1, self.f.target.registers // 2 // CHAINS)

    def _some(self, vectors: list[Point]) -> None:
        """The columns of some vectors."""
        step, nest = self.step, self.nest
        order = self.reduced[:-1]
        rows = self.dims[self.reduced[-1]] if self.reduced else 1
        count = min(CHAINS, max(1, rows)) * len(vectors)
        start = [self._identity(self.lanes)] * count
        found = nest.open(order, lambda c: self._rows(list(c), rows, vectors), start)
        for v, (i, mask) in enumerate(vectors):
            total = self._tree(found[v :: len(vectors)])
            memo: dict[Expr, Lanes] = {step.seed: self.k.wrap(total, step.seed.dtype)}
            for load in step.early():
                nest.value(load, i, mask, memo)
            for store in step.stores:
                nest.store(store, nest.value(store.expr, i, mask, memo), i, mask)

    def _rows(self, chains: list[Value], rows: int, vectors: list[Point]) -> list[Value]:
        """Row r goes to chain r mod 4 of each vector; the chains of one row stand together."""
        f, width = self.f, len(vectors)
        count = len(chains) // width

        def one(row: Sequence[Value]) -> list[Value]:
            self.nest.hoist()
            operands = (self.nest.value(self.step.operand, *at, {}).value for at in vectors)
            return [self._combine(chain, x) for chain, x in zip(row, operands)]

        if not self.reduced:
            return one(chains)
        axis = self.reduced[-1]

        def turn(r: Value, *inner: Value) -> list[Value]:
            found: list[Value] = []
            for j in range(count):
                row = inner[j * width : (j + 1) * width]
                found += self.nest.inside(axis, r + j, lambda row=row: one(row))
            return found

        def last(at: Value, row: Sequence[Value]) -> list[Value]:
            return self.nest.inside(axis, at, lambda: one(row))

        def some(low: Value, high: Value, inner: list[Value]) -> list[Value]:
            whole = low + f.binary("and", high - low, -count)
            found = f.loop(low, whole, count, turn, inner)
            for j in range(count - 1):
                row, at = slice(j * width, (j + 1) * width), whole + j
                found[row] = f.branch(
                    f.compare("slt", at, high),
                    lambda at=at, c=found[row]: last(at, c), lambda c=found[row]: c,
                )  # fmt: skip
            return found

        if (varying := f.varying(rows)) is not None:
            return self._in_levels(varying, DOWN, some, chains)
        whole = rows // count * count
        chains = f.loop(0, whole, count, turn, chains)
        for j, at in enumerate(range(whole, rows)):
            row = slice(j * width, (j + 1) * width)
            chains[row] = last(f.index(at), chains[row])
        return chains


def _known(i: Value | None) -> Value:
    assert i is not None
    return i
