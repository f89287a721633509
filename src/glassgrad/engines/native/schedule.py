"""In which order steps run: one that is right, and in which buffers are let go of early.

The order of planning is kept, but for a step that frees at least as many bytes as it takes: it runs
as soon as it can, the one that frees most first. So the gradient of a layer's weights is computed,
and used, before that of the layer below, and what only it needed is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.step import Step


def dependences(steps: Sequence[Step]) -> list[list[int]]:
    """For each step those that must come after it: what it writes is read, or written again."""
    after: list[list[int]] = [[] for _ in steps]
    writer: dict[Buffer, int] = {}
    readers: dict[Buffer, list[int]] = {}  # since it was written
    for i, step in enumerate(steps):
        for b in dict.fromkeys(step.reads()):
            if b in writer:
                after[writer[b]].append(i)
            readers.setdefault(b, []).append(i)
        for b in dict.fromkeys(step.writes()):
            earlier = [j for j in (writer.get(b), *readers.pop(b, ())) if j is not None]
            for j in earlier:
                if j != i:
                    after[j].append(i)
            writer[b] = i
    return after


class Schedule:
    """The order of some steps, given for each those after it; steps in a cycle are left over."""

    def __init__(self, steps: Sequence[Step], after: Sequence[Iterable[int]]) -> None:
        self.steps, self.after = steps, after
        self.waits = [0] * len(steps)
        for following in after:
            for j in following:
                self.waits[j] += 1
        self.touched = [_arena(step) for step in steps]
        self.users: dict[Buffer, int] = {}  # steps to come that touch a buffer
        self.total: dict[Buffer, int] = {}  # the sum of their numbers: when one is left, its own
        for i, buffers in enumerate(self.touched):
            for b in buffers:
                self.users[b] = self.users.get(b, 0) + 1
                self.total[b] = self.total.get(b, 0) + i
        self.taken: set[Buffer] = set()
        self.done = [False] * len(steps)
        self.ready: list[tuple[int, int]] = []
        self.order = self._ordered()

    @property
    def left(self) -> list[Step]:
        """The steps for which there is no place."""
        return [s for s, done in zip(self.steps, self.done) if not done]

    def _ordered(self) -> list[Step]:
        self.ready = [self._entry(i) for i, n in enumerate(self.waits) if n == 0]
        heapify(self.ready)
        order: list[Step] = []
        while self.ready:
            _, i = heappop(self.ready)
            if self.done[i]:
                continue
            self.done[i] = True
            order.append(self.steps[i])
            self._free(i)
            for j in self.after[i]:
                self.waits[j] -= 1
                if not self.waits[j]:
                    heappush(self.ready, self._entry(j))
        return order

    def _entry(self, i: int) -> tuple[int, int]:
        """The place of a step among those that are ready."""
        taken = sum(b.nbytes for b in self.touched[i] if b not in self.taken)
        freed = sum(b.nbytes for b in self.touched[i] if self.users[b] == 1)
        return min(taken - freed, 1), i

    def _free(self, i: int) -> None:
        """Notes what a step has used; whoever is the last to use something may now come first."""
        self.taken.update(self.touched[i])
        for b in self.touched[i]:
            self.users[b] -= 1
            self.total[b] -= i
            last = self.total[b]
            if self.users[b] == 1 and not self.waits[last] and not self.done[last]:
                heappush(self.ready, self._entry(last))


def _arena(step: Step) -> list[Buffer]:
    """The buffers of the arena that a step touches."""
    return [b for b in dict.fromkeys([*step.writes(), *step.reads()]) if b.kind == "arena"]


__all__ = ["Schedule", "dependences"]
