"""Machine code that numbers rows as they are first named, at a cost of the rows named.

The table of places is as long as the table of rows, and is never cleared: what it holds for a row
counts only if it is a number given this time, and given to this row (Briggs and Torczon 1993, "An
efficient representation for sparse sets").
"""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.engines.native.algebra import LLVMAlgebra
from glassgrad.engines.native.emit import I32, I64, Function, Value
from glassgrad.engines.native.expression import Buffer, loads
from glassgrad.engines.native.nest import Nest
from glassgrad.engines.native.step import Number


def emit_numbers(
    f: Function, step: Number, pointers: dict[Buffer, Value], status: Value | None
) -> None:
    """The loop over the indices; it carries how many numbers were given."""
    if 0 in step.shape:
        return
    strides = {a: a.view.strides for a in (*loads(step.roots()), step.numbers)}
    nest = Nest(f, LLVMAlgebra(f, status), list(step.shape), step.roots(), strides, pointers)
    places, rows = pointers[step.places], pointers[step.rows]

    def one(carried: Sequence[Value]) -> list[Value]:
        (count,) = carried
        row = nest.within(nest.scalar(step.indices), step.extent, None)
        place = f.at(places, I32, row)
        number = f.cast("zext", f.load(I32, place), I64)
        number = f.select(f.compare("ult", number, count), number, count)
        is_this = f.compare("eq", f.load(I64, f.at(rows, I64, number)), row)
        known = f.compare("ult", number, count) & is_this
        number = f.select(known, number, count)
        f.store(f.cast("trunc", number, I32), place)
        f.store(row, f.at(rows, I64, number))
        f.store(number, nest.pointer[step.numbers])
        return [f.select(known, count, count + 1)]

    (count,) = nest.open([0], one, [f.index(0)])
    f.store(count, pointers[step.count])
