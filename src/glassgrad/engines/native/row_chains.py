"""Short steps over the same rows, products among them, shared by threads as one.

A step of a small network is a hundred steps of a few microseconds, none of which is worth sharing.
But most of them go through the rows of a batch, or of a layer's weights, one by one: some rows of
all these steps are a part that a thread can take whole, and what it computes stays in its caches.
Each step remains what it was, over fewer rows, so no bit changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from glassgrad.engines.native import cost
from glassgrad.engines.native.expression import Buffer, loads
from glassgrad.engines.native.products import scratch_bytes
from glassgrad.engines.native.row_blocks import Group, Pairs, Windows, rows_of
from glassgrad.engines.native.row_step import Rows, Turns
from glassgrad.engines.native.step import Multiply, Step
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.threads import cores

_LEAST, _PART = cost.SHARED, cost.PART  # nanoseconds of a first chain, and of a part
_FEWEST = 16  # rows of a part: a product packs its right factor for each
_MOST = 2097152  # bytes of all intermediate values: more of them are let go of as soon as can be
_STEPS, _WAITING = 256, 100  # of a chain at most; that may be put off until it has run
_LINE = 64  # bytes


def in_row_chains(
    steps: Sequence[Step], pairs: Pairs, copies: Sequence[Step], target: Target
) -> list[Step]:
    """The steps, with short ones over the same rows joined; `pairs` lie in the same memory.

    The `copies` stay at the end: they write over what any step may read.
    """
    steps = [s for s in steps if s not in copies]
    products = (cost.of_step(s) for s in steps if _is_short_product(s))
    kept = {b for s in steps for b in s.writes() if b.kind == "arena"}
    if sum(products) < _LEAST or sum(b.nbytes for b in kept) > _MOST:
        return [*steps, *copies]
    found: list[Step] = []
    waiting = deque(steps)
    alone = set[Step]()  # what no chain begins with
    any_joined = False
    while waiting:
        first = waiting.popleft()
        chain = _Chain(pairs, _rows(first))
        if first in alone or not chain.takes(first):
            found.append(first)
            continue
        chain.gather(first, waiting)
        joined = chain.shared(target, _LEAST if not any_joined else min(_LEAST, 2 * _PART))
        if joined is None:
            found.append(first)
            alone.update(chain.steps)
            waiting.extendleft(reversed(chain.order))
        else:
            found.append(joined)
            any_joined = True
            waiting.extendleft(reversed(chain.later))
    for step in found:
        step.crewed = any_joined
    return [*found, *copies]


def _is_short_product(step: Step) -> bool:
    return isinstance(step, Multiply) and not step.batch and cost.parts(step) == 1


def _rows(step: Step) -> int:
    """The rows over which a step runs one by one; 0 where it does not, or is long by itself."""
    if isinstance(step, Multiply):
        return step.m if _is_short_product(step) and step.n and step.k else 0
    return rows_of(step) if cost.parts(step) == 1 else 0


@dataclass
class _Chain(Group):
    """Steps that may be shared as one."""

    order: list[Step] = field(default_factory=list)  # all that were looked at after the first
    matrices: set[Buffer] = field(default_factory=set)  # which products read, not row by row
    _late_reads: set[Buffer] = field(default_factory=set)
    _late_writes: set[Buffer] = field(default_factory=set)

    def gather(self, first: Step, waiting: deque[Step]) -> None:
        """Takes in what it can of the steps that follow."""
        self.add(first)
        while waiting and len(self.later) < _WAITING and len(self.steps) < _STEPS:
            step = waiting.popleft()
            self.order.append(step)
            if self.takes(step):
                self.add(step)
            else:
                self.later.append(step)
                self._late_reads.update(step.reads())
                self._late_writes.update(step.writes())

    def add(self, step: Step) -> None:
        """Takes a step in."""
        super().add(step)
        if isinstance(step, Multiply):
            self.matrices |= {step.left.buffer, step.right.buffer}

    def takes(self, step: Step) -> bool:
        """Whether a step has the same rows, and waits for no other."""
        if self.rows < 2 * _FEWEST or _rows(step) != self.rows or self._waits(step):
            return False
        read = loads(step.roots())
        if not all(map(self._reads_own_rows, read)):
            return False
        if not all(self._writes_own_rows(s, read) for s in step.stores):
            return False
        read_whole = self.matrices
        if isinstance(step, Multiply):
            if not self._multiplies_own_rows(step):
                return False
            read_whole = {*read_whole, step.left.buffer, step.right.buffer}
        over = {self.pairs[b] for b in (*self.row, *step.writes()) if b in self.pairs}
        return read_whole.isdisjoint({*over, *step.writes()} - {*self.row})

    def _waits(self, step: Step) -> bool:
        """Whether a step needs, or spoils, what steps that were put off read or write."""
        mine = {*step.writes()} | {self.pairs[b] for b in step.writes() if b in self.pairs}
        seen = mine | {*step.reads()}
        return not (seen.isdisjoint(self._late_writes) and mine.isdisjoint(self._late_reads))

    def _multiplies_own_rows(self, step: Multiply) -> bool:
        """Whether what the chain writes is read as the left factor, each row by itself."""
        left, row = step.left, self.row.get(step.left.buffer)
        if step.right.buffer in self.row:
            return False
        last = left.offset + (step.k - 1) * left.column
        return row is None or (
            left.row == row and left.offset >= 0 and left.column >= 0 and last < row
        )

    def shared(self, target: Target, least: float) -> Rows | None:
        """The chain as one step of a few turns; None where that would not pay."""
        whole = cost.of_steps(self.steps)
        products = [s for s in self.steps if isinstance(s, Multiply)]
        if whole < least or len(self.steps) < 2 or not products:
            return None
        most = min(max(2, cores()), int(whole / _PART), self.rows // _FEWEST)
        parts = next((n for n in range(most, 1, -1) if self.rows % n == 0), 0)
        return _Parts(self, self.rows // parts, target).step() if parts else None


class _Parts(Windows):
    """The steps of a chain over the rows of one part, whose products pack in one place."""

    def __init__(self, chain: _Chain, rows: int, target: Target) -> None:
        super().__init__(chain, [], rows)
        self.target = target

    def steps(self, rows: int) -> list[Step]:
        """The steps over so many rows."""
        steps = [self.moved(s, rows) for s in self.group.steps]
        products = [s for s in steps if isinstance(s, Multiply)]
        need = max(scratch_bytes(s, self.target, lambda n: n) for s in products)
        row = max(1, -(-need // (rows * _LINE))) * _LINE
        work = self.window(Buffer("arena", np.dtype(np.uint8), (self.group.rows * row,)), row)
        for product in products:
            product.work = work
        return steps

    def _fetch_ahead(self, turns: Turns) -> None:
        """The next turn is another thread's."""


__all__ = ["in_row_chains"]
