"""A plan that keeps to a budget: what would wait for long is computed again when it is needed.

When a program needs most memory (the turn), many values wait for a step far ahead: those of a
forward pass for the backward pass. A step whose results wait may run again, right before the first
step after the turn that reads them, on what it read then. It is the same step on the same numbers,
so no bit changes.

The plans are a fixed row, from the one that computes nothing again; the first that fits is taken.
So a smaller budget never leads to a plan that needs more.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from glassgrad.engines.native import cost
from glassgrad.engines.native.arena import padded
from glassgrad.engines.native.expression import Apply, Buffer, Expr, Gather, Load, Store, walk
from glassgrad.engines.native.layout import Layout
from glassgrad.engines.native.row_blocks import Pairs, in_row_blocks
from glassgrad.engines.native.step import Loop, Multiply, Reduction, Scatter, Step
from glassgrad.engines.native.strided import Strided
from glassgrad.engines.native.target import Target

_AGAIN = (Loop, Reduction, Multiply)  # steps that can run again
_READERS = (*_AGAIN, Scatter)  # steps that can be told to read another buffer
_PARTS = 4  # plans for each round of choosing
Course = list[tuple[int, bool]]  # numbers of steps in the order they run; whether it is again


def within(
    steps: Sequence[Step], pairs: Pairs, last: Sequence[Step], target: Target, most: int
) -> tuple[list[Step], Layout]:
    """The first plan whose arena has at most so many bytes; else the one that needs least.

    The `last` steps stay what they are, at the end.
    """
    found: tuple[list[Step], Layout] | None = None
    for plan in _Plans(steps, pairs, last):
        joined = in_row_blocks(plan, pairs, last)
        layout = Layout(joined, target)
        if found is None or layout.size < found[1].size:
            found = joined, layout
        if layout.size <= most:
            break
    assert found is not None
    return found


class _Plans:
    """Plans in which ever more is computed again, as long as that helps."""

    def __init__(self, steps: Sequence[Step], pairs: Pairs, last: Sequence[Step]) -> None:
        self.steps, self.pairs = steps, pairs
        self.fixed = {i for i, s in enumerate(steps) if type(s) not in _READERS or s in last}
        self.reads = [list(dict.fromkeys(s.reads())) for s in steps]
        self.writes = [list(dict.fromkeys(s.writes())) for s in steps]
        live = _live([[*r, *w] for r, w in zip(self.reads, self.writes)])
        self.turn = max(range(len(live)), key=live.__getitem__, default=0)
        self.waiting = self._waiting()
        self.maker = {b: i for i, found in self.waiting.items() for b in found}

    def __iter__(self) -> Iterator[list[Step]]:
        """The steps as they are, then plan after plan."""
        yield list(self.steps)
        again: set[Buffer] = set()
        least = self._peak(self._course(again), again)
        while chosen := self._round(again):
            size = -(-len(chosen) // _PARTS)
            for start in range(0, len(chosen), size):
                again.update(chosen[start : start + size])
                yield self._made(self._course(again), again)
            peak = self._peak(self._course(again), again)
            if peak >= least:
                return
            least = peak

    # -- what may be computed again -------------------------------------------

    def _waiting(self) -> dict[int, list[Buffer]]:
        """For each step before the turn what it writes for steps after it, if it can run again."""
        writers: dict[Buffer, int] = {}
        late: dict[Buffer, list[int]] = {}
        changed: dict[Buffer, int] = {}  # before the turn, for the last time
        for i, (read, written) in enumerate(zip(self.reads, self.writes)):
            for b in written:
                writers[b] = writers.get(b, 0) + 1
            if i > self.turn:
                for b in read:
                    late.setdefault(b, []).append(i)
            else:
                changed.update((b, i) for b in self._memory(written))
        found: dict[int, list[Buffer]] = {}
        for i, step in enumerate(self.steps[: self.turn + 1]):
            same = all(changed.get(b, -1) < i for b in self.reads[i])
            if type(step) not in _AGAIN or not same:
                continue
            found[i] = [
                b for b in self.writes[i]
                if b.kind == "arena" and b in late and writers[b] == 1
                and self.fixed.isdisjoint(late[b])
                and (not isinstance(step, Multiply) or _holds_sums(step, b))
            ]  # fmt: skip
        return found

    def _round(self, again: set[Buffer]) -> list[Buffer]:
        """What to compute again besides: nothing that another of them is computed from.

        What saves most bytes for its time comes first.
        """
        left = [b for b in self.maker if b not in again]
        value = {b: b.nbytes / cost.of_step(self.steps[self.maker[b]]) for b in left}
        chosen: list[Buffer] = []
        taken: set[Buffer] = set()
        needed: set[Buffer] = set()
        for b in sorted(left, key=lambda b: -value[b]):
            sources = self._sources(b, again)
            if b not in needed and taken.isdisjoint(sources):
                chosen.append(b)
                taken.add(b)
                needed |= sources
        return chosen

    def _sources(self, buffer: Buffer, again: set[Buffer]) -> set[Buffer]:
        """What must be there for a buffer to be computed again."""
        found: set[Buffer] = set()
        seen, stack = {buffer}, [buffer]
        while stack:
            for b in self.reads[self.maker[stack.pop()]]:
                if b in self.maker and b not in seen:
                    seen.add(b)
                    if b in again:
                        stack.append(b)
                    else:
                        found.add(b)
        return found

    def _memory(self, written: Sequence[Buffer]) -> list[Buffer]:
        """The buffers, and those in whose memory they lie."""
        return [*written, *(self.pairs[b] for b in written if b in self.pairs)]

    # -- a plan ---------------------------------------------------------------

    def _course(self, again: set[Buffer]) -> Course:
        """The steps in the order they run; what cannot run again then is taken out of `again`."""
        while True:
            course: Course = []
            done: set[int] = set()
            changed: set[Buffer] = set()  # after the turn
            for i in range(len(self.steps)):
                if i > self.turn:
                    for j in self._needed(i, again, done):
                        course.append((j, True))
                        if not changed.isdisjoint(self.reads[j]):
                            self._keep(j)
                    changed.update(self._memory(self.writes[i]))
                course.append((i, False))
            if again <= self.maker.keys():
                return course
            again &= self.maker.keys()

    def _keep(self, i: int) -> None:
        """What a step writes is kept in every plan."""
        for b in self.waiting.pop(i, ()):
            del self.maker[b]

    def _needed(self, i: int, again: set[Buffer], done: set[int]) -> list[int]:
        """The steps that must run again before step i, each after those it needs itself."""
        found: list[int] = []
        stack = [i]
        while stack:
            top = stack[-1]
            makers = [self.maker[b] for b in self.reads[top] if b in again and b in self.maker]
            missing = [j for j in makers if j not in done]
            if missing:
                stack += missing
                continue
            stack.pop()
            if top != i and top not in done:
                done.add(top)
                found.append(top)
        return found

    def _peak(self, course: Course, again: set[Buffer]) -> int:
        """The most bytes that are live at once."""
        touched: list[list[object]] = []
        for i, second in course:
            written = [b for b in self.waiting[i] if b in again] if second else self.writes[i]
            late = second or i > self.turn
            touched.append([(b,) if late and b in again else b for b in (*self.reads[i], *written)])
        return max(_live(touched), default=0)

    def _made(self, course: Course, again: set[Buffer]) -> list[Step]:
        """The steps of a course, those that run again with places of their own."""
        found: list[Step] = []
        late: dict[Buffer, Buffer] = {}
        for i, second in course:
            step = self.steps[i]
            if second:
                own = [b for b in self.waiting[i] if b in again]
                fresh = {b: Buffer("arena", b.dtype, b.shape) for b in own}
                step = _copied(step, late, fresh)
                late |= fresh
            elif i > self.turn and not late.keys().isdisjoint(self.reads[i]):
                step = _copied(step, late)
            found.append(step)
        return found


def _live(touched: Sequence[Sequence[object]]) -> list[int]:
    """The bytes of the arena that are in use while each step runs; a buffer, or a second of it."""
    first: dict[object, int] = {}
    last: dict[object, int] = {}
    for i, used in enumerate(touched):
        for b in used:
            first.setdefault(b, i)
            last[b] = i
    change = [0] * (len(touched) + 1)
    for b, i in first.items():
        buffer = b[0] if isinstance(b, tuple) else b
        assert isinstance(buffer, Buffer)
        if buffer.kind == "arena":
            change[i] += padded(buffer.nbytes)
            change[last[b] + 1] -= padded(buffer.nbytes)
    return list(accumulate(change))[:-1]


def _holds_sums(step: Multiply, only: Buffer) -> bool:
    """Whether a product that writes this alone still has a place for its partial sums."""
    whole = Strided.contiguous(step.shape)
    stores = [s for s in step.stores if s.buffer is only]
    return any(s.view == whole and s.buffer.dtype == step.seed.dtype for s in stores)


def _copied(
    step: Step, reads: Mapping[Buffer, Buffer], writes: Mapping[Buffer, Buffer] | None = None
) -> Step:
    """A step that reads other buffers in some buffers' place; of its stores those in `writes`."""
    memo: dict[Expr, Expr] = {}
    for x in walk(step.roots()):
        memo[x] = _expression(x, reads, memo)
    made = copy.copy(step)
    made.memo, made._found = {}, None
    stores = [s for s in step.stores if writes is None or s.buffer in writes]
    made.stores = [
        Store(memo[s.expr], s.buffer if writes is None else writes[s.buffer], s.view)
        for s in stores
    ]
    if writes is not None:
        made.overwrites = []
        made.again = True
    if isinstance(made, Reduction):
        made.operand = memo[made.operand]
    if isinstance(made, Scatter):
        made.values = memo[made.values]
        made.target = _gather(made.target, reads, memo)
    if isinstance(made, Multiply):
        made.left, made.right = (
            replace(m, buffer=reads.get(m.buffer, m.buffer)) for m in (made.left, made.right)
        )
    return made


def _expression(x: Expr, reads: Mapping[Buffer, Buffer], memo: Mapping[Expr, Expr]) -> Expr:
    if isinstance(x, Load):
        return Load(reads[x.buffer], x.view) if x.buffer in reads else x
    if isinstance(x, Gather):
        return _gather(x, reads, memo)
    return x.on(tuple(memo[a] for a in x.args)) if isinstance(x, Apply) else x


def _gather(x: Gather, reads: Mapping[Buffer, Buffer], memo: Mapping[Expr, Expr]) -> Gather:
    args = tuple(memo[a] for a in x.args)
    return Gather(reads.get(x.buffer, x.buffer), x.view, args, x.extents, x.strides)


__all__ = ["within"]
