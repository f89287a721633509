"""Machine code of loops whose body is a program of its own."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from glassgrad.engines.native.emit import I8, I32, PTR, Function, Value
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.layout import tables_bytes
from glassgrad.engines.native.step import Repeat


def emit_repeat(
    f: Function, step: Repeat, pointers: dict[Buffer, Value], status: Value, body: Function
) -> None:
    """Calls `body` for each turn, with tables of where its inputs and outputs lie this time.

    A carry is read where the turn before wrote it and written to the other of two places; the first
    place is chosen such that the last turn writes the result.
    """
    c, r = step.carries, step.rows
    block = pointers[step.block]
    inputs, outputs = block, f.at(block, PTR, len(step.operands))
    arena = f.at(block, I8, tables_bytes(step))
    operands = [pointers[b] for b in step.operands]
    results = [pointers[b] for b in step.results]
    for j, pointer in enumerate(operands[c + r :], c + r):
        f.store(pointer, f.at(inputs, PTR, j))

    def turn(i: Value, *carried: Value) -> Sequence[Value]:
        now, here, there = carried[:c], carried[c : 2 * c], carried[2 * c :]
        rows = [_row(f, b, p, i) for b, p in zip(step.operands[c : c + r], operands[c:])]
        parts = [_row(f, b, p, i) for b, p in zip(step.results[c:], results[c:])]
        for table, given in ((inputs, (*now, *rows)), (outputs, (*here, *parts))):
            for j, pointer in enumerate(given):
                f.store(pointer, f.at(table, PTR, j))
        found = f.call(body, I32, arena, inputs, outputs)
        if step.checked:
            f.store(f.load(I32, status) | found, status)
        return [*here, *there, *here]

    places = [results[:c], [pointers[b] for b in step.spare]]
    first, second = places if step.length % 2 else places[::-1]
    f.loop(0, step.length, 1, turn, [*operands[:c], *first, *second])


def _row(f: Function, buffer: Buffer, pointer: Value, i: Value) -> Value:
    """Where row `i` of a buffer starts."""
    return f.at(pointer, I8, i * (prod(buffer.shape[1:]) * buffer.dtype.itemsize))
