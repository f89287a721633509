"""Results in the memory of arguments: where that is right, and in which order the steps then run.

A result may take an argument's memory if everything that reads the argument runs before the step
that writes the result, or is that step and reads each element just before it writes it. Steps are
put in such an order. Where there is none, or where a step reads other elements than it writes, the
result is computed apart and copied at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glassgrad.engines.native.course import Until
from glassgrad.engines.native.expression import Buffer, Gather, Load, Store, loads
from glassgrad.engines.native.products import keeps_partial_sums, result_store
from glassgrad.engines.native.renewal import renewed
from glassgrad.engines.native.schedule import Schedule, dependences
from glassgrad.engines.native.step import Loop, Multiply, Reduction, Repeat, Scatter, Step
from glassgrad.engines.native.strided import Strided
from glassgrad.engines.native.target import Target

_LARGE = 4096  # bytes: it does not matter where a smaller carry lies


class Donation:
    """Puts results into arguments' memory; `donated` maps the one's number to the other's.

    Where results have memory `apart` in any case, one that cannot be there needs no copy.
    """

    def __init__(
        self, steps: Sequence[Step], donated: Mapping[int, int], target: Target,
        apart: bool = False,
    ) -> None:  # fmt: skip
        self.target, self.apart = target, apart
        self.steps = list(steps)
        outputs = {b.index: b for s in steps for b in s.writes() if b.kind == "output"}
        inputs = {b.index: b for s in steps for b in s.reads() if b.kind == "input"}
        pairs = ((o, i) for o, i in donated.items() if o in outputs and i in inputs)
        self.pairs = {outputs[o]: inputs[i] for o, i in pairs}  # an empty result is not written
        self.idle: dict[Buffer, list[tuple[Step, Store]]] = {}  # stores of what is there already
        self.copies: list[Step] = []

    def settled(self) -> list[Step]:
        """The steps in their new order; those that write over what they read know it."""
        self._keep_carries()
        for result in self.pairs:
            self._drop_idle(result)
        for step in self.steps:
            for result in [b for b in dict.fromkeys(step.writes()) if b in self.pairs]:
                if self._clashes(step, result):
                    self._retreat(result)
        self.steps = renewed(self.steps, {b: a for b, a in self.pairs.items() if b in self.idle})
        for result in self.pairs:
            self._read_first(result)
        while (order := self._order()) is None:
            self._retreat(min(self._in_cycles, key=lambda b: (b.nbytes, b.index)))
        steps = [s for s in order if s.stores or s.whole]
        for step in steps:
            self._mark(step)
        return [*steps, *self.copies]

    # -- one result -----------------------------------------------------------

    def _clashes(self, step: Step, result: Buffer) -> bool:
        """Whether a step reads an element of the argument after it may have written it."""
        argument = self.pairs[result]
        if argument not in step.reads():
            return False
        if isinstance(step, Scatter):
            return any(x.buffer is argument for x in loads(step.target.args))
        if not isinstance(step, Loop | Reduction | Multiply):
            return True
        if isinstance(step, Multiply) and argument in (step.left.buffer, step.right.buffer):
            return True
        if isinstance(step, Reduction) and any(x.buffer is argument for x in loads([step.operand])):
            return True
        written = [normal(s.view) for s in step.stores if s.buffer is result]
        read = [x for x in loads(step.roots()) if x.buffer is argument]
        return len(written) > 1 or any(
            isinstance(x, Gather) or normal(x.view) not in written for x in read
        )

    def _retreat(self, result: Buffer) -> None:
        """Computes a result in the arena after all, and copies it when everything else is done."""
        for step, store in self.idle.pop(result, ()):
            step.stores.append(store)
        del self.pairs[result]
        if self.apart:
            return
        final = Buffer("output", result.dtype, result.shape, result.index)
        result.kind, result.index = "arena", -1
        whole = Strided.contiguous(result.shape)
        nodes = next(s.nodes for s in self.steps if result in s.writes())
        self.copies.append(Loop(nodes[:1], [Store(Load(result, whole), final, whole)]))

    def _drop_idle(self, result: Buffer) -> None:
        """Takes out the stores of elements where they lie already: the first that would be made."""
        argument = self.pairs[result]
        for step in self.steps:
            if result not in step.writes():
                continue
            for store in [s for s in step.stores if s.buffer is result]:
                if not isinstance(step, Loop) or not _is_read(store, argument):
                    return
                step.stores.remove(store)
                self.idle.setdefault(result, []).append((step, store))

    def _read_first(self, result: Buffer) -> None:
        """What a scatter reads from the argument is read, and kept, before it begins."""
        argument = self.pairs[result]
        found: list[Step] = []
        for step in self.steps:
            if isinstance(step, Scatter) and step.target.buffer is result:
                found += _kept_apart(step, argument)
            found.append(step)
        self.steps = found

    # -- loops ----------------------------------------------------------------

    def _keep_carries(self) -> None:
        """Large carries of loops stay in one place, that of the result, where the body allows it.

        They are brought there before the loop, for nothing if they lie there already.
        """
        found: list[Step] = []
        for step in self.steps:
            if isinstance(step, Until) or (isinstance(step, Repeat) and step.length > 1):
                found += self._kept_carries(step)
            found.append(step)
        self.steps = found

    def _kept_carries(self, step: Repeat | Until) -> list[Step]:
        carried = range(step.carries)
        large = {k: k for k in carried if step.results[k].nbytes >= _LARGE}
        body = Donation(step.body, large, self.target, apart=True)
        step.body = body.settled()
        step.still = {result.index for result in body.pairs}
        step.spare = [b for k, b in enumerate(step.spare) if k not in step.still]
        moved: list[Step] = []
        for k in sorted(step.still):
            result, whole = step.results[k], Strided.contiguous(step.results[k].shape)
            moved.append(Loop(step.nodes, [Store(Load(step.operands[k], whole), result, whole)]))
            step.operands[k] = result
        return moved

    # -- all of them ----------------------------------------------------------

    def _order(self) -> list[Step] | None:
        """The steps in an order that is right, as near as may be to theirs; None if there is none.

        `_in_cycles` are then the results that cannot all have their memory.
        """
        schedule = Schedule(self.steps, self._dependences())
        if len(schedule.order) == len(self.steps):
            return schedule.order
        rest = schedule.left
        self._in_cycles = [
            result
            for result, argument in self.pairs.items()
            if any(result in s.writes() for s in rest) and any(argument in s.reads() for s in rest)
        ]
        return None

    def _dependences(self) -> list[list[int]]:
        """For each step those after it: readers of an argument come before what writes over it."""
        after = dependences(self.steps)
        first: dict[Buffer, int] = {}
        for i, step in enumerate(self.steps):
            for b in step.writes():
                first.setdefault(b, i)
        writers = {self.pairs[b]: i for b, i in first.items() if b in self.pairs}
        for i, step in enumerate(self.steps):
            for b in dict.fromkeys(step.reads()):
                if b in writers and writers[b] != i:
                    after[i].append(writers[b])
        return after

    def _mark(self, step: Step) -> None:
        """Tells a step what it writes over, and finds a product another place for partial sums."""
        read = set(step.reads())
        for result in dict.fromkeys(step.writes()):
            argument = self.pairs.get(result)
            if argument is not None and argument in read:
                step.overwrites.append(argument)
                if isinstance(step, Multiply) and keeps_partial_sums(step, self.target):
                    _keep_sums_apart(step, result)


def _kept_apart(step: Scatter, argument: Buffer) -> list[Step]:
    """The loop that computes a scatter's values beforehand, where they are read of an argument."""
    if not any(x.buffer is argument for x in loads([step.values])):
        return []
    kept = Buffer("arena", step.values.dtype, step.space)
    whole = Strided.contiguous(step.space)
    loop = Loop(step.nodes, [Store(step.values, kept, whole)])
    step.values = Load(kept, whole)
    return [loop]


def _is_read(store: Store, argument: Buffer) -> bool:
    """Whether a store puts an argument's elements where they are."""
    x = store.expr
    return isinstance(x, Load) and x.buffer is argument and normal(x.view) == normal(store.view)


def _keep_sums_apart(step: Multiply, result: Buffer) -> None:
    """Partial sums must not lie where the epilogue still reads."""
    if result_store(step).buffer is result:
        sums = Buffer("arena", step.seed.dtype, step.shape)
        step.stores.append(Store(step.seed, sums, Strided.contiguous(step.shape)))


def normal(view: Strided) -> Strided:
    """A view without what its axes of length one say."""
    strides = tuple(0 if n == 1 else s for n, s in zip(view.shape, view.strides))
    return Strided(view.shape, strides, view.offset)


__all__ = ["Donation", "normal"]
