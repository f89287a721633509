"""Sums of rows together with the loop that computes what is summed: rows are walked once.

The loop keeps its order and each sum its chains (see `reducer.Reducer`), so no bit changes; what
only the sums have read is never stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
from glassgrad.engines.native.emit import Function, Value, of_dtype
from glassgrad.engines.native.expression import (
    Apply,
    Buffer,
    Expr,
    Gather,
    Load,
    Store,
    loads,
    walk,
)
from glassgrad.engines.native.nest import Nest, vector_lanes
from glassgrad.engines.native.reduction import CHAINS, KINDS
from glassgrad.engines.native.roots import is_costly
from glassgrad.engines.native.step import Loop, Reduction, Step
from glassgrad.engines.native.strided import Strided, collapse

_SHORTEST = 256  # elements of a row whose sums are joined


@dataclass(eq=False)
class RowSums(Step):
    """Sums along the last axis of `space`; what is stored on the way has the whole space."""

    space: tuple[int, ...]
    along: list[Store]
    sums: list[Reduction]

    def roots(self) -> list[Expr]:
        """What is stored, what is summed, and what is made of the sums."""
        return [*(s.expr for s in self.along), *(r.operand for r in self.sums), *super().roots()]

    def writes(self) -> list[Buffer]:
        """What is stored on the way too."""
        return [*(s.buffer for s in self.along), *super().writes()]

    def said(self) -> str:
        """A line for the report."""
        kinds = " and ".join(r.kind for r in self.sums)
        stored = f", {len(self.along)} stored" if self.along else ""
        return f"{kinds} over the last axis of {list(self.space)}{stored}"


# -- joining ---------------------------------------------------------------------------------


def with_sums(steps: Sequence[Step], local: Set[Buffer], fresh: Set[Buffer]) -> list[Step]:
    """The steps, each sum with the loop that computes its operand.

    A sum then runs earlier than it did: what it writes is `local`, which only these steps use, or
    `fresh`, which nobody reads before.
    """
    found: list[Step] = []
    for step in steps:
        at = _latest(found, step)
        joined = _joined(found[at], step, local | fresh) if at >= 0 else None
        if joined is None:
            found.append(step)
        else:
            found[at] = joined
    _drop_unread(found, local)
    return [s.sums[0] if isinstance(s, RowSums) and _is_plain(s) else s for s in found]


def _latest(steps: Sequence[Step], step: Step) -> int:
    """The last of the steps that writes what this one reads."""
    read = set(step.reads())
    writers = (i for i, s in enumerate(steps) if not read.isdisjoint(s.writes()))
    return max(writers, default=-1)


def _joined(step: Step, total: Step, free: Set[Buffer]) -> RowSums | None:
    """The step with a sum of what it computes; None where that cannot be."""
    if not isinstance(total, Reduction) or not isinstance(step, Loop | RowSums):
        return None
    shape = step.space if isinstance(step, RowSums) else step.shape
    along = step.along if isinstance(step, RowSums) else step.stores
    sums = step.sums if isinstance(step, RowSums) else []
    alike = total.space == shape and total.axes == (len(shape) - 1,) and shape[-1] >= _SHORTEST
    dtypes = {r.operand.dtype for r in (*sums, total)}
    if not alike or len(dtypes) > 1 or total.operand.dtype.kind != "f":
        return None
    if step.overwrites or total.overwrites or any(s.buffer not in free for s in total.stores):
        return None
    known = {(s.buffer, s.view): s.expr for s in along}
    written = set(step.writes())
    read = [x for x in loads(total.roots()) if x.buffer in written]
    inside = {x for x in walk([total.operand]) if isinstance(x, Load)}
    if any(x not in inside or (x.buffer, x.view) not in known for x in read):
        return None
    memo: dict[Expr, Expr] = {}
    for x in walk([total.operand]):
        memo[x] = _with(x, memo, known)
    moved = Reduction(
        total.nodes, total.stores, total.space, total.axes, total.kind, memo[total.operand],
        total.seed,
    )  # fmt: skip
    stores = [s for r in (*sums, moved) for s in r.stores]
    return RowSums([*step.nodes, *total.nodes], stores, shape, list(along), [*sums, moved])


def _with(x: Expr, memo: Mapping[Expr, Expr], known: Mapping[tuple[Buffer, Strided], Expr]) -> Expr:
    """An expression that computes what it would have read."""
    args = tuple(memo[a] for a in x.args)
    if isinstance(x, Load):
        return known.get((x.buffer, x.view), x)
    if isinstance(x, Gather):
        return Gather(x.buffer, x.view, args, x.extents, x.strides)
    return x.on(args) if isinstance(x, Apply) else x


def _drop_unread(steps: Sequence[Step], local: Set[Buffer]) -> None:
    """Takes out what was stored for sums alone."""
    read = {b for step in steps for b in step.reads()}
    for step in steps:
        if isinstance(step, RowSums):
            step.along = [s for s in step.along if s.buffer in read or s.buffer not in local]


def _is_plain(step: RowSums) -> bool:
    return len(step.sums) == 1 and not step.along


# -- machine code ----------------------------------------------------------------------------


def emit_row_sums(
    f: Function, step: RowSums, pointers: dict[Buffer, Value], status: Value | None
) -> None:
    """The loops over rows, in each of which one loop makes all sums."""
    _Sums(f, step, pointers, status).emit()


class _Sums:
    def __init__(
        self, f: Function, step: RowSums, pointers: dict[Buffer, Value], status: Value | None
    ) -> None:
        self.f, self.step, self.k = f, step, LLVMAlgebra(f, status)
        inner = loads([*(s.expr for s in step.along), *(r.operand for r in step.sums)])
        outer = [a for a in loads([s.expr for s in step.stores]) if a not in inner]
        strides = [a.view.strides for a in (*inner, *step.along, *step.ahead)]
        strides += [(*a.view.strides, 0) for a in (*outer, *step.stores)]
        classes = [0] * (len(step.space) - 1) + [1]
        self.dims, strides, _ = collapse(step.space, strides, classes)
        self.length, self.dtype = self.dims[-1], step.sums[0].operand.dtype
        self.lanes = vector_lanes(f, [r.operand for r in step.sums], self.length)
        accesses: list[Any] = [*inner, *step.along, *step.ahead, *outer, *step.stores]
        self.nest = Nest(
            f, self.k, self.dims, step.roots(), dict(zip(accesses, strides)), pointers,
            vector=len(self.dims) - 1, lanes=self.lanes,
        )  # fmt: skip

    def emit(self) -> None:
        """The loops over what is kept."""
        self.nest.open(range(len(self.dims) - 1), lambda _: self._row())

    def _row(self) -> None:
        f, lanes, sums = self.f, self.lanes, self.step.sums
        whole = self.length // lanes
        count = min(CHAINS, -(-self.length // lanes))
        start = [self._identity(r, lanes) for r in sums for _ in range(count)]
        costly = any(isinstance(x, Apply) and is_costly(x.op) for x in walk(self.step.roots()))
        chains = self._one_by_one(start, whole) if costly else self._side_by_side(start, whole)
        if self.length % lanes:
            mask = f.tail_mask(lanes, self.length - whole * lanes)
            values = self._values(f.index(whole * lanes), mask)
            self._combine(chains, values, whole % count, count)
        for s, r in enumerate(sums):
            parts = chains[s * count : (s + 1) * count]
            while len(parts) > 1:
                pairs = zip(parts[::2], parts[1::2])
                parts = [self._both(r, x, y) for x, y in pairs] + parts[len(parts) // 2 * 2 :]
            total = f.fold(parts[0], lambda x, y, r=r: self._both(r, x, y))
            self.nest.scalars[r.seed] = self.k.wrap(total, r.seed.dtype)
        for store in self.step.stores:
            self.nest.store(store, self.nest.scalar(store.expr), None, None)

    def _side_by_side(self, start: list[Value], vectors: int) -> list[Value]:
        """As many vectors a turn as there are chains."""
        f, lanes, count = self.f, self.lanes, len(start) // len(self.step.sums)

        def turn(i: Value, *inner: Value) -> list[Value]:
            chains = list(inner)
            for j in range(count):
                self._combine(chains, self._values(i + j * lanes, None), j, count)
            return chains

        whole = vectors // count * count
        chains = f.loop(0, whole * lanes, count * lanes, turn, start)
        for j in range(whole, vectors):
            self._combine(chains, self._values(f.index(j * lanes), None), j % count, count)
        return chains

    def _one_by_one(self, start: list[Value], vectors: int) -> list[Value]:
        """One vector a turn, which is then long enough; the chains take turns."""
        f, lanes, count = self.f, self.lanes, len(start) // len(self.step.sums)

        def turned(chains: Sequence[Value], by: int) -> list[Value]:
            rows = [chains[s : s + count] for s in range(0, len(chains), count)]
            return [c for row in rows for c in (*row[by:], *row[:by])]

        def turn(i: Value, *inner: Value) -> list[Value]:
            chains = list(inner)
            self._combine(chains, self._values(i, None), 0, count)
            return turned(chains, 1 % count)

        chains = f.loop(0, vectors * lanes, lanes, turn, start)
        return turned(chains, -vectors % count)

    def _values(self, i: Value, mask: Value | None) -> list[Value]:
        """Stores what is stored at a vector; gives what is summed there."""
        nest, step = self.nest, self.step
        memo: dict[Expr, Lanes] = {}
        for store in step.along:
            nest.store(store, nest.value(store.expr, i, mask, memo), i, mask)
        nest.fetch(step.ahead, i)
        found: list[Value] = []
        for r in step.sums:
            x = nest.value(r.operand, i, mask, memo).value
            rest = self._identity(r, self.lanes)
            found.append(x if mask is None else self.f.select(mask, x, rest))
        return found

    def _combine(
        self, chains: list[Value], values: Sequence[Value], chain: int, count: int
    ) -> None:
        for s, (r, x) in enumerate(zip(self.step.sums, values)):
            at = s * count + chain
            chains[at] = self._both(r, chains[at], x)

    def _both(self, r: Reduction, x: Value, y: Value) -> Value:
        wrap = self.k.wrap
        combine = getattr(self.k, KINDS[r.kind].combine)
        return combine(wrap(x, self.dtype), wrap(y, self.dtype)).value

    def _identity(self, r: Reduction, lanes: int) -> Value:
        number = KINDS[r.kind].identity(self.dtype)
        return self.f.const(of_dtype(self.dtype).vector(lanes), number)


__all__ = ["RowSums", "emit_row_sums", "with_sums"]
