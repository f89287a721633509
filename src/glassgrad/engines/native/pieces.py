"""How a run is gone through in pieces: whole ones, then what is left."""

from __future__ import annotations

from collections.abc import Callable

from glassgrad.engines.native.emit import I32, I64, PTR, VOID, Function, Value

_FEWER = 4  # rows of a tile where the rows that are left are known at run time


def areas_across(f: Function, n: int, columns: int) -> Value:
    """The number of areas beside each other."""
    if f.varying(n) is None:
        return f.index(-(-n // columns))
    return f.binary("udiv", f.index(n) + f.const(I64, columns - 1), columns)


def least(f: Function, rest: Value, most: int, extent: int) -> Value:
    """The smaller of what remains and a part; a constant where all parts are equal."""
    if extent % most == 0 or isinstance(rest.number, int):
        return f.index(min(most, rest.number) if isinstance(rest.number, int) else most)
    return f.select(f.compare("slt", rest, most), rest, f.index(most))


def pieces(
    f: Function, length: Value, unit: int, extent: int, each: Callable[[Value, int], None]
) -> None:
    """Calls `each(place, unit)` for whole pieces of a run, and for the extent's odd rest."""
    rest = extent % unit
    if isinstance(length.number, int):
        whole = length.number // unit * unit
        f.loop(0, whole, unit, lambda i: each(i, unit))
        if length.number > whole:
            each(f.index(whole), length.number - whole)
        return
    whole = length - f.binary("urem", length, unit) if rest else length
    f.loop(0, whole, unit, lambda i: each(i, unit))
    if rest:
        f.branch(f.compare("slt", whole, length), lambda: each(whole, rest))


def some_rows(f: Function, length: Value, unit: int, each: Callable[[Value, int], None]) -> None:
    """Calls `each(place, height)` for whole tiles, then for tiles of fewer rows."""
    start, heights = f.index(0), [h for h in (unit, _FEWER, 1) if h <= unit]
    for height in dict.fromkeys(heights):
        stop = start + f.binary("udiv", length - start, height) * height
        f.loop(start, stop, height, lambda i, h=height: each(i, h))
        start = stop


def fetch(f: Function, pointer: Value) -> None:
    """Asks for a line of memory that is soon read or written."""
    near, data, write = (f.const(I32, n) for n in (3, 1, 0))
    f.intrinsic("llvm.prefetch", VOID, pointer, write, near, data, overloads=[PTR])
