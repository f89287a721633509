"""Rows of tables computed anew where they lie, each of the rows that are named once.

Sparse Adam writes the named rows of three tables, each computed from the same row of all three. As
scatters into arguments' memory that would be three passes that read, three that keep what was
computed, and three that write it. Where the rows have been numbered, one loop over the numbers
does: a row is read, computed and written, and nobody else touches it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from glassgrad.engines.native.across import across
from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
from glassgrad.engines.native.convert import to_memory
from glassgrad.engines.native.emit import I8, I64, Function, Value, of_dtype
from glassgrad.engines.native.expression import (
    Apply,
    Buffer,
    Expr,
    Gather,
    Load,
    loads,
    walk,
)
from glassgrad.engines.native.nest import Nest, Part, vector_lanes
from glassgrad.engines.native.pieces import fetch
from glassgrad.engines.native.renewal_step import Renewal
from glassgrad.engines.native.step import Number, Scatter, Step
from glassgrad.engines.native.strided import Strided, collapse

AHEAD = 8  # rows that are asked for before they are needed
LINE, _MOST = 64, 1024  # bytes


# -- finding them ----------------------------------------------------------------------------


def renewed(steps: Sequence[Step], pairs: Mapping[Buffer, Buffer]) -> list[Step]:
    """The steps, with scatters to the same rows joined.

    `pairs` are results in the memory of arguments, where what they do not change lies already.
    """
    numbers: list[Number] = []  # those that are known by then
    found: list[Step] = []
    for step in steps:
        if isinstance(step, Number):
            numbers.append(step)
        made = _renewal(step, numbers, pairs)
        found.append(step if made is None else _together(found, made))
    return found


def _together(steps: list[Step], made: Renewal) -> Renewal:
    """A renewal with the one before it of the same rows, which is taken out of its place."""
    for i, other in enumerate(steps):
        if isinstance(other, Renewal) and _may_wait(other, made, steps[i + 1 :]):
            del steps[i]
            return Renewal(
                [*other.nodes, *made.nodes], [], [*other.targets, *made.targets],
                [*other.values, *made.values], made.space, made.number,
            )  # fmt: skip
    return made


def _may_wait(step: Renewal, made: Renewal, between: Sequence[Step]) -> bool:
    """Whether rows may be renewed later, together with those of other tables."""
    if (step.space, step.number) != (made.space, made.number):
        return False
    written = {*step.writes()}
    return all(written.isdisjoint(s.reads()) for s in (*between, made))


def _renewal(
    step: Step, numbers: Sequence[Number], pairs: Mapping[Buffer, Buffer]
) -> Renewal | None:
    """What a scatter is, if it computes rows of an argument anew, each by itself."""
    if not isinstance(step, Scatter) or step.adds or step.target.buffer not in pairs:
        return None
    target, space = step.target, step.space
    if len(space) < 2 or space[0] < 2 or target.view.strides[0]:
        return None
    for number in numbers:
        if number.shape == space[:1] and _names(target, number.indices):
            own = _OwnRows(number, space, {*pairs.values()})
            value = own.moved(step.values)
            if value is not None:
                return Renewal(step.nodes, [], [own.at_row(target)], [value], space, number)
    return None


def _names(x: Gather, index: Expr) -> bool:
    """Whether a gather goes by this index of rows alone, element by element."""
    if len(x.args) != 1 or x.view.strides[0]:
        return False
    found = x.args[0]
    if not isinstance(found, Load) or not isinstance(index, Load):
        return False
    (step,) = index.view.strides
    same = (found.buffer, found.view.offset) == (index.buffer, index.view.offset)
    return same and found.view.strides == (step, *[0] * (len(found.view.strides) - 1))


class _OwnRows:
    """What an expression of a row with an index is in terms of the row's number."""

    def __init__(self, number: Number, space: tuple[int, ...], tables: Set[Buffer]) -> None:
        self.number, self.space, self.tables = number, space, tables
        self.row = Load(number.rows, Strided(space, (1, *[0] * (len(space) - 1))))
        self.given = Load(number.numbers.buffer, Strided(space[:1], (1,)))
        self.memo: dict[Expr, Expr | None] = {}

    def at_row(self, x: Gather) -> Gather:
        """The gather by the rows that have numbers."""
        return Gather(x.buffer, x.view, (self.row,), x.extents, x.strides)

    def moved(self, x: Expr) -> Expr | None:
        """The expression; None where it needs more than the row, its number, and what all need."""
        if x not in self.memo:
            self.memo[x] = self._moved(x)
        return self.memo[x]

    def _moved(self, x: Expr) -> Expr | None:
        if isinstance(x, Gather):
            if _names(x, self.number.indices):
                return self.at_row(x)
            if not _names(x, self.given) or x.buffer in self.tables:
                return None
            return Load(
                x.buffer, Strided(x.view.shape, (*x.strides, *x.view.strides[1:]), x.view.offset)
            )
        if isinstance(x, Load):
            return None if x.view.strides[0] or x.buffer in self.tables else x
        if not isinstance(x, Apply):
            return x
        args = [self.moved(a) for a in x.args]
        known = tuple(a for a in args if a is not None)
        return x.on(known) if len(known) == len(args) else None


# -- machine code ----------------------------------------------------------------------------


def emit_renewal(
    f: Function, step: Renewal, pointers: dict[Buffer, Value], status: Value, part: Part | None
) -> None:
    """The loop over the numbers that were given; rows that follow soon are asked for."""
    roots = step.roots()
    accesses = [*loads(roots), *step.targets]
    classes = [1] + [0] * (len(step.space) - 1)
    dims, strides, _ = collapse(step.space, [a.view.strides for a in accesses], classes)
    lanes = vector_lanes(f, list(walk(step.values)), dims[-1]) if len(dims) > 1 else 0
    k, vector = LLVMAlgebra(f, status), len(dims) - 1 if lanes else None
    nest = Nest(
        f, k, dims, roots, dict(zip(accesses, strides)), pointers, vector=vector, lanes=lanes,
        part=part,
    )  # fmt: skip
    count = f.load(I64, pointers[step.number.count])
    low, high = f.index(0), count
    if part is not None:
        part.cut([0], dims, vector, lanes)
        low = part.low
        high = f.select(f.compare("slt", part.high, count), part.high, count)

    def point(i: Value | None, mask: Value | None, bases: Sequence[Value]) -> None:
        memo: dict[Expr, Lanes] = {}
        found = [nest.value(x, i, mask, memo) for x in step.values]
        for target, base, x in zip(step.targets, bases, found):
            where = base if i is None else f.at(base, of_dtype(target.dtype), i)
            f.store(to_memory(k, x), where, mask=mask)

    def row(number: Value) -> None:
        _fetch_row(f, step, pointers, number, count)
        order = range(1, len(dims) - 1 if lanes else len(dims))
        nest.open(order, lambda _: _inner())

    def _inner() -> None:
        bases = [f.at(nest.pointer[t], of_dtype(t.dtype), nest.place(t)) for t in step.targets]
        across(f, nest, dims, lanes, lambda i, mask: point(i, mask, bases))

    nest.hoist()
    f.loop(low, high, 1, lambda n: nest.inside(0, n, lambda: row(n)))


def _fetch_row(
    f: Function, step: Renewal, pointers: Mapping[Buffer, Value], number: Value, count: Value
) -> None:
    """Asks for the lines of the row some numbers ahead, of each table."""
    later = number + AHEAD
    later = f.select(f.compare("slt", later, count), later, number)
    row = f.load(I64, f.at(pointers[step.number.rows], I64, later))
    for target in step.targets:
        element = of_dtype(target.dtype)
        start = f.at(pointers[target.buffer], element, row * target.strides[0])
        for byte in range(0, min(_MOST, target.strides[0] * element.itemsize), LINE):
            fetch(f, f.at(start, I8, byte))


__all__ = ["Renewal", "emit_renewal", "renewed"]
