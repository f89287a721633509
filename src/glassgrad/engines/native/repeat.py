"""Machine code of loops and branches whose bodies are programs of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from glassgrad.engines.native import cost
from glassgrad.engines.native.course import Branch, Until
from glassgrad.engines.native.emit import I8, I32, PTR, Function, Type, Value
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.extents import FixedSizeError, hand_on
from glassgrad.engines.native.faults import sound
from glassgrad.engines.native.interrupt import STOPPED, stop_if, stop_with, turn_goes_on
from glassgrad.engines.native.layout import tables_bytes
from glassgrad.engines.native.step import Repeat, Step

Pointers = dict[Buffer, Value]


class _Calls:
    """Calls of the programs inside a step, by tables of where their inputs and outputs lie."""

    def __init__(
        self, f: Function, step: Repeat | Until | Branch, pointers: Pointers, status: Value
    ) -> None:
        self.f, self.status = f, status
        block = pointers[step.block]
        self.inputs, self.outputs = block, f.at(block, PTR, len(step.operands))
        self.arena = f.at(block, I8, tables_bytes(step))
        hand_on(f, status, self.arena)

    def give(self, pointers: Sequence[Value], start: int = 0) -> None:
        """Enters inputs, from number `start` on."""
        for i, pointer in enumerate(pointers, start):
            self.f.store(pointer, self.f.at(self.inputs, PTR, i))

    def run(self, program: Function, results: Sequence[Value], checked: bool) -> None:
        """Runs a program that writes its outputs there; its status joins the step's."""
        f = self.f
        for i, pointer in enumerate(results):
            f.store(pointer, f.at(self.outputs, PTR, i))
        found = f.call(program, I32, self.arena, self.inputs, self.outputs)
        if checked or f.module.interruptible:
            f.store(f.load(I32, self.status) | found, self.status)


def emit_repeat(
    f: Function, step: Repeat, pointers: Pointers, status: Value, body: Function
) -> None:
    """Calls `body` for each turn, with tables of where its inputs and outputs lie this time.

    A carry is read where the turn before wrote it and written to the other of two places; the first
    place is chosen such that the last turn writes the result. One that stays is in the result's
    memory from the start.
    """
    c, r = step.carries, step.rows
    calls = _Calls(f, step, pointers, status)
    operands = [pointers[b] for b in step.operands]
    results = [pointers[b] for b in step.results]
    calls.give(operands[c + r :], c + r)

    second = _second(step, pointers)

    def turn(i: Value, *carried: Value) -> Sequence[Value]:
        now, here, there = carried[:c], carried[c : 2 * c], carried[2 * c :]
        rows = [_row(f, b, p, i) for b, p in zip(step.operands[c : c + r], operands[c:])]
        parts = [_row(f, b, p, i) for b, p in zip(step.results[c:], results[c:])]
        calls.give((*now, *rows))
        calls.run(body, (*here, *parts), step.checked)
        stop_with(f, status)
        stop_if(f, ~turn_goes_on(f, status, each), status)
        return [*here, *there, *here]

    if f.varying(step.length) is not None:
        raise FixedSizeError("a loop of any length")
    each = cost.of_steps(step.body)
    places = [results[:c], second]
    first, then = places if step.length % 2 else places[::-1]
    f.loop(0, step.length, 1, turn, [*operands[:c], *first, *then])


def _second(step: Repeat | Until, pointers: Pointers) -> list[Value]:
    """The other place of each carry; that of the result for one that stays."""
    spare = iter(step.spare)
    places = (step.results[k] if k in step.still else next(spare) for k in range(step.carries))
    return [pointers[b] for b in places]


def _row(f: Function, buffer: Buffer, pointer: Value, i: Value) -> Value:
    """Where row `i` of a buffer starts."""
    return f.at(pointer, I8, i * (prod(buffer.shape[1:]) * buffer.dtype.itemsize))


def emit_until(
    f: Function, step: Until, pointers: Pointers, status: Value, test: Function, body: Function
) -> None:
    """Calls `test`, then `body`, until the test fails or a step does; see `emit_repeat`."""
    c = step.carries
    calls = _Calls(f, step, pointers, status)
    operands = [pointers[b] for b in step.operands]
    results = [pointers[b] for b in step.results]
    asked = pointers[step.asked]
    calls.give(operands[c:], c)

    def more(*places: Value) -> Value:
        calls.give(places[:c])
        calls.run(test, [asked], any(s.checked for s in step.test))
        each = cost.of_steps([*step.test, *step.body])
        return goes_on(f, f.compare("ne", f.load(I8, asked), 0), status, each)

    def turn(*places: Value) -> Sequence[Value]:
        here, there = places[c : 2 * c], places[2 * c :]
        calls.run(body, here, any(s.checked for s in step.body))
        return [*here, *there, *here]

    last = f.turns(more, turn, [*operands[:c], *results, *_second(step, pointers)])
    for buffer, source, target in zip(step.results, last, results):
        elsewhere = f.compare("ne", source, target)
        f.branch(elsewhere, lambda b=buffer, p=source, q=target: _copy(f, p, q, b.nbytes))


def goes_on(f: Function, asked: Value, status: Value, nanoseconds: float) -> Value:
    """Whether a loop of unknown length takes one more turn: asked for, and nothing has failed.

    Every such loop passes here once a turn, which takes so long.
    """
    stop_here = ~turn_goes_on(f, status, nanoseconds)
    f.branch(stop_here, lambda: f.store(f.load(I32, status) | STOPPED, status))
    return asked & sound(f, f.load(I32, status))


def _copy(f: Function, source: Value, target: Value, nbytes: int) -> None:
    wide, varying = f.target.vector_bytes, f.varying(nbytes)
    whole = nbytes // wide * wide if varying is None else f.binary("and", varying, -wide)
    for start, stop, lanes in ((0, whole, wide), (whole, nbytes, 0)):
        type_ = I8.vector(lanes)

        def piece(i: Value, type_: Type = type_) -> None:
            f.store(f.load(type_, f.at(source, I8, i)), f.at(target, I8, i))

        f.loop(start, stop, max(lanes, 1), piece)


def emit_branch(
    f: Function, step: Branch, pointers: Pointers, status: Value, yes: Function, no: Function
) -> None:
    """Calls one of two programs."""
    calls = _Calls(f, step, pointers, status)
    chosen = f.compare("ne", f.load(I8, pointers[step.operands[0]]), 0)
    calls.give([pointers[b] for b in step.operands[1:]])
    results = [pointers[b] for b in step.results]
    sides = (
        lambda p=program, s=steps: calls.run(p, results, any(x.checked for x in s))
        for program, steps in ((yes, step.yes), (no, step.no))
    )
    f.branch(chosen, *sides)


PROGRAMS: dict[type[Step], Callable[..., None]] = {
    Repeat: emit_repeat,
    Until: emit_until,
    Branch: emit_branch,
}
"""How the steps are emitted that hold programs: (f, step, pointers, status, *programs)."""
