"""Machine code that calls LAPACK: matrices are copied into its order, by columns, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from glassgrad.engines.native import cost, lapack
from glassgrad.engines.native.emit import (
    F64,
    I8,
    I32,
    I64,
    PTR,
    VOID,
    Function,
    Type,
    Value,
    of_dtype,
)
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.interrupt import stop_if, turn_goes_on
from glassgrad.engines.native.outside import Question, Routine, emit_question, refuse_if
from glassgrad.engines.native.step import Step
from glassgrad.engines.native.strided import row_major

Pointers = dict[Buffer, Value]
Body = Callable[["_Matrix"], None]


class _Matrix:
    """One matrix of each source, result and factor, while a function of LAPACK is called on it."""

    def __init__(
        self, f: Function, step: Routine, pointers: Pointers, status: Value, info: Value,
        numbers: dict[int, Value],
    ) -> None:  # fmt: skip
        self.f, self.step, self.status, self.info, self._numbers = f, step, status, info, numbers
        self.element: Type = of_dtype(step.nodes[0].inputs[0].dtype)
        self.work = [pointers[b] for b in step.work]
        self.sources: list[Value] = []
        self.results: list[Value] = []
        self.known: list[Value] = []

    def call(self, name: str, letters: str, *arguments: int | Value) -> None:
        """Calls a function: letters, then numbers and addresses; its success is left in `info`.

        Fortran takes the lengths of letters after all else.
        """
        f, symbol = self.f, f"lapack_{name}"
        flags = [f.symbol(f.module.data(letter.encode(), 1)) for letter in letters]
        given = [self._number(x) if isinstance(x, int) else x for x in arguments]
        lengths = [f.index(1)] * len(letters)
        f.store(f.index(0), self.info)
        types = [PTR] * (len(flags) + len(given) + 1) + [I64] * len(lengths)
        f.module.declare(symbol, VOID, types)
        f.call(symbol, VOID, *flags, *given, self.info, *lengths)

    def _number(self, x: int) -> Value:
        if x not in self._numbers:
            data = self.f.module.data(x.to_bytes(8, "little", signed=True), 8)
            self._numbers[x] = self.f.symbol(data)
        return self._numbers[x]

    def refuse(self) -> None:
        """Where the last call had no success, the program has none."""
        refuse_if(self.f, self.f.compare("ne", self.f.load(I32, self.info), 0), self.status)

    def size(self, i: int) -> tuple[int, int]:
        """The rows and columns of a source."""
        rows, columns = self.step.sources[i].view.shape[-2:]
        return rows, columns

    def bring(self, i: int, target: Value) -> Value:
        """Copies a source, column by column, in double precision; gives the target back."""
        f, element = self.f, self.element
        rows, columns = self.size(i)
        down, across = self.step.sources[i].view.strides[-2:]

        def line(j: Value) -> None:
            start, kept = (
                f.at(self.sources[i], element, j * across),
                f.at(target, F64, j * rows),
            )

            def one(k: Value) -> None:
                x = f.load(element, f.at(start, element, k * down))
                f.store(f.cast("fpext", x, F64), f.at(kept, F64, k))

            f.loop(0, rows, 1, one)

        f.loop(0, columns, 1, line)
        return target

    def give(
        self, source: Value, height: int, i: int, rows: int, columns: int, part: str = ""
    ) -> None:
        """Copies columns of a height to a result, row by row: all, or "lower", or "upper"."""
        f, element = self.f, self.element

        def line(r: Value) -> None:
            start, kept = f.at(source, F64, r), f.at(self.results[i], element, r * columns)

            def one(c: Value) -> None:
                x = f.load(F64, f.at(start, F64, c * height))
                f.store(f.cast("fptrunc", x, element), f.at(kept, element, c))

            def zero(c: Value) -> None:
                f.store(f.const(element, 0.0), f.at(kept, element, c))

            edge = self._least(r + 1 if part == "lower" else r, columns)
            if part == "upper":
                f.loop(0, edge, 1, zero)
                f.loop(edge, columns, 1, one)
            elif part == "lower":
                f.loop(0, edge, 1, one)
                f.loop(edge, columns, 1, zero)
            else:
                f.loop(0, columns, 1, one)

        f.loop(0, rows, 1, line)

    def _least(self, x: Value, limit: int) -> Value:
        return self.f.select(self.f.compare("slt", x, limit), x, self.f.index(limit))


# -- one function for each kind -------------------------------------------------------------------


def _lu(m: _Matrix) -> None:
    """The factors, the row exchanges, and after these whether there is a zero on the diagonal."""
    n = m.size(0)[0]
    factors, pivots = m.results
    m.call("dgetrf", "", n, n, m.bring(0, factors), max(1, n), pivots)
    found = m.f.cast("sext", m.f.load(I32, m.info), I64)
    m.f.store(found, m.f.at(pivots, I64, n))


def _regular(m: _Matrix, n: int, then: Callable[[], None]) -> None:
    """Goes on where factors have no zero on the diagonal, and refuses others."""
    singular = m.f.compare("ne", m.f.load(I64, m.f.at(m.known[1], I64, n)), 0)
    refuse_if(m.f, singular, m.status)
    m.f.branch(~singular, then)


def _solve(m: _Matrix) -> None:
    n, columns = m.size(0)
    factors, pivots = m.known

    def solved() -> None:
        target = m.bring(0, m.work[0])
        m.call("dgetrs", m.step.setting, n, columns, factors, max(1, n), pivots, target, max(1, n))
        m.give(target, n, 0, n, columns)

    _regular(m, n, solved)


def _inverse(m: _Matrix) -> None:
    n, strict = m.step.setting
    f, (factors, pivots) = m.f, m.known
    infinite = f.const(m.element, float("inf"))

    def inverted() -> None:
        target = m.work[0]
        f.loop(0, n * n, 1, lambda i: f.store(f.const(F64, 0.0), f.at(target, F64, i)))
        one = f.const(F64, 1.0)
        f.loop(0, n, 1, lambda i: f.store(one, f.at(target, F64, i * (n + 1))))
        m.call("dgetrs", "N", n, n, factors, max(1, n), pivots, target, max(1, n))
        m.give(target, n, 0, n, n)

    def fill() -> None:
        place = m.results[0]
        f.loop(0, n * n, 1, lambda i: f.store(infinite, f.at(place, m.element, i)))

    if strict:
        _regular(m, n, inverted)
    else:
        f.branch(f.compare("eq", f.load(I64, f.at(pivots, I64, n)), 0), inverted, fill)


def _sign(m: _Matrix) -> None:
    """The sign of a determinant: of the diagonal, and of the row exchanges; 0 of a singular one."""
    n: int = m.step.setting
    f, element, (factors, pivots) = m.f, m.element, m.known
    width = f.load(I64, f.symbol(lapack.INTEGER))

    def turn(i: Value, odd: Value) -> list[Value]:
        exchanged = f.load(I32, f.at(pivots, I8, i * width))
        moved = f.compare("ne", f.cast("sext", exchanged, I64), i + 1)
        below = f.compare("olt", f.load(F64, f.at(factors, F64, i * (n + 1))), 0.0)
        return [odd ^ f.cast("zext", moved ^ below, I64)]

    (odd,) = f.loop(0, n, 1, turn, [f.index(0)])
    one, zero = f.const(element, 1.0), f.const(element, 0.0)
    sign = f.select(f.compare("ne", odd, 0), f.const(element, -1.0), one)
    singular = f.compare("ne", f.load(I64, f.at(pivots, I64, n)), 0)
    f.store(f.select(singular, zero, sign), m.results[0])


def _triangular(m: _Matrix) -> None:
    n, columns = m.size(1)
    triangle, target = m.bring(0, m.work[0]), m.bring(1, m.work[1])
    side = ("L" if m.step.setting else "U") + "NN"
    m.call("dtrtrs", side, n, columns, triangle, max(1, n), target, max(1, n))
    m.refuse()
    m.give(target, n, 0, n, columns)


def _cholesky(m: _Matrix) -> None:
    n = m.size(0)[0]
    target = m.bring(0, m.work[0])
    m.call("dpotrf", "L", n, target, max(1, n))
    m.refuse()
    m.give(target, n, 0, n, n, "lower")


def _eigh(m: _Matrix) -> None:
    n = m.size(0)[0]
    vectors, numbers, integers = m.step.setting
    target = m.bring(0, m.work[0])
    values, spaces = m.work[1], (m.work[2], numbers, m.work[3], integers)
    m.call("dsyevd", "VL" if vectors else "NL", n, target, max(1, n), values, *spaces)
    m.refuse()
    m.give(values, n, 0, n, 1)
    if vectors:
        m.give(target, n, 1, n, n)


def _svd(m: _Matrix) -> None:
    rows, columns = m.size(0)
    k, high = min(rows, columns), max(1, rows)
    vectors, numbers = m.step.setting
    target, values, left, right, space, integers = m.work
    m.bring(0, target)
    m.call(
        "dgesdd", "S" if vectors else "N", rows, columns, target, high, values, left, high,
        right, max(1, k), space, numbers, integers,
    )  # fmt: skip
    m.refuse()
    m.give(values, k, 1, k, 1)
    if vectors:
        m.give(left, rows, 0, rows, k)
        m.give(right, k, 2, k, columns)


def _qr(m: _Matrix) -> None:
    rows, columns = m.size(0)
    k, high = min(rows, columns), max(1, rows)
    orthogonal, numbers = m.step.setting
    target, scales, space = m.work
    m.bring(0, target)
    m.call("dgeqrf", "", rows, columns, target, high, scales, space, numbers)
    m.refuse()
    m.give(target, rows, 1, k, columns, "upper")
    if orthogonal:
        m.call("dorgqr", "", rows, k, k, target, high, scales, space, numbers)
        m.refuse()
        m.give(target, rows, 0, rows, k)


_KINDS: dict[str, Body] = {
    "lu": _lu, "solve": _solve, "inv": _inverse, "sign": _sign, "solve_triangular": _triangular,
    "cholesky": _cholesky, "eigh": _eigh, "svd": _svd, "qr": _qr,
}  # fmt: skip


# -- all matrices of a stack ----------------------------------------------------------------------


def emit_routine(f: Function, step: Routine, pointers: Pointers, status: Value) -> None:
    """The calls, for one matrix after the other; signals are looked for between them."""
    if 0 in step.batch:
        return
    made = _Matrix(f, step, pointers, status, f.stack(I64), {})
    count, each = prod(step.batch), cost.of_step(step) / max(1, prod(step.batch))
    moving: list[tuple[Value, Sequence[int]]] = []
    for load in step.sources:
        start = f.at(pointers[load.buffer], of_dtype(load.dtype), load.view.offset)
        moving.append((start, [s * load.dtype.itemsize for s in load.view.strides]))
    order = row_major(step.batch)
    for b in (*step.results, *step.known):
        size = b.nbytes // count
        moving.append((pointers[b], [s * size for s in order]))

    def matrix(*places: Value) -> None:
        a, b = len(step.sources), len(step.sources) + len(step.results)
        made.sources, made.results = list(places[:a]), list(places[a:b])
        made.known = list(places[b:])
        _KINDS[step.kind](made)
        if count > 1:
            stop_if(f, ~turn_goes_on(f, status, each), status)

    _walk(f, step.batch, [s for _, s in moving], [p for p, _ in moving], matrix)


def _walk(
    f: Function, batch: Sequence[int], strides: Sequence[Sequence[int]], places: Sequence[Value],
    body: Callable[..., None], axis: int = 0,
) -> None:  # fmt: skip
    """Calls `body` with the places of each matrix; strides are in bytes."""
    if axis == len(batch):
        body(*places)
        return

    def turn(i: Value) -> None:
        moved = [f.at(p, I8, i * s[axis]) for p, s in zip(places, strides)]
        _walk(f, batch, strides, moved, body, axis + 1)

    f.loop(0, batch[axis], 1, turn)


CALLS: dict[type[Step], Callable[..., None]] = {Routine: emit_routine, Question: emit_question}
"""How the steps are emitted that call what is outside: (f, step, pointers, status)."""

__all__ = ["CALLS", "emit_routine"]
