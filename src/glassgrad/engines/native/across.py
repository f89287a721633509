"""Vectors along an axis: whole ones in a loop, then what is left under a mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from glassgrad.engines.native.emit import Function, Value
from glassgrad.engines.native.nest import Nest


def across(
    f: Function, nest: Nest, dims: Sequence[int], lanes: int,
    point: Callable[[Value | None, Value | None], None], start: Value | None = None,
) -> None:  # fmt: skip
    """Calls `point(i, mask)` for whole vectors in a loop, then for the tail; from `start` on."""
    if not lanes:
        point(None, None)
        return
    n = dims[nest.vector or 0]
    low, high = nest.extent(nest.vector or 0)
    low = low if start is None else start
    if f.varying(n) is not None or (nest.part is not None and isinstance(nest.part.wanted, Value)):
        _across_varying(f, nest, (low, high), f.index(n), lanes, point)
        return
    whole = n // lanes * lanes
    if isinstance(high, int):
        f.loop(low, whole, lanes, lambda i: point(i, None))
    else:
        stop = f.select(f.compare("slt", high, whole), high, whole)
        f.loop(low, stop, lanes, lambda i: point(i, None))
    if n > whole:
        rest = f.tail_mask(lanes, n - whole)
        if isinstance(high, int):
            point(f.index(whole), rest)
        else:
            f.branch(f.compare("sgt", high, whole), lambda: point(f.index(whole), rest))


def _across_varying(
    f: Function, nest: Nest, bounds: tuple[Value | int, Value | int], n: Value, lanes: int,
    point: Callable[[Value | None, Value | None], None],
) -> None:  # fmt: skip
    """Whole vectors between two bounds of an axis whose length is known at run time; its tail."""
    low, high = (f.index(x) if isinstance(x, int) else x for x in bounds)
    whole = f.binary("and", n, -lanes)
    f.loop(
        low, f.select(f.compare("slt", high, whole), high, whole), lanes, lambda i: point(i, None)
    )
    is_mine = f.compare("slt", whole, high) & f.compare("sle", low, whole)
    mask = f.tail_mask(lanes, n - whole)
    f.branch(is_mine, lambda: nest.aside(lambda: point(whole, mask)))
