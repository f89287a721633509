"""Indices as NumPy means them: integers, slices, None and … give views, integer arrays copies."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from glassgrad.graph.errors import IndexRangeError, NoRuleError
from glassgrad.graph.family import Reshape
from glassgrad.graph.op import Op, Shape
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.view import Slice, Transpose


class Index(NamedTuple):
    """An index taken apart.

    path:   the basic part as view ops; `key` is set where it is leading integers alone.
    arrays: integer arrays to take with after the basic part, on consecutive axes from `axis`.
    """

    path: tuple[Op, ...]
    key: tuple[int, ...] | None
    arrays: tuple[Any, ...] = ()
    axis: int = 0


def parse(
    index: Any, shape: Shape, is_array: Callable[[Any], bool], nonzero: Callable[..., Any]
) -> Index:
    """An index of an array of that shape; `nonzero` turns a boolean mask into integer arrays."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(p, bool | np.bool_) for p in parts):
        raise NoRuleError(
            "True and False have no rule as an index: x[None] adds an axis, np.where chooses"
            f"{at_caller()}"
        )
    parts = [np.asarray(p) if isinstance(p, list) and p else p for p in parts]
    parts = _without_masks(parts, is_array, nonzero)
    parts = _without_ellipsis(parts, len(shape))
    if any(is_array(p) for p in parts):
        parts = [p if is_array(p) or not _is_integer(p) else np.asarray(p) for p in parts]
    return _walk(parts, shape, is_array)


def _is_integer(part: Any) -> bool:
    return part is not None and not isinstance(part, slice) and part is not Ellipsis


def _without_masks(
    parts: Sequence[Any], is_array: Callable[[Any], bool], nonzero: Callable[..., Any]
) -> list[Any]:
    found: list[Any] = []
    for part in parts:
        if is_array(part) and part.dtype == np.bool_:
            found.extend(nonzero(part))
        else:
            found.append(part)
    return found


def _without_ellipsis(parts: list[Any], ndim: int) -> list[Any]:
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if used > ndim:
        raise IndexRangeError(f"{used} indices for an array of {ndim} axes{at_caller()}")
    whole = [slice(None)] * (ndim - used)
    dots = [i for i, p in enumerate(parts) if p is Ellipsis]
    if len(dots) > 1:
        raise IndexRangeError(f"an index can have one ellipsis{at_caller()}")
    if not dots:
        return [*parts, *whole]
    return [*parts[: dots[0]], *whole, *parts[dots[0] + 1 :]]


def _walk(parts: Sequence[Any], shape: Shape, is_array: Callable[[Any], bool]) -> Index:
    starts, steps, lengths = list[int](), list[int](), list[int]()
    kept: list[int] = []
    arrays, places = list[Any](), list[int]()
    for part in parts:
        if part is None:
            kept.append(1)
            continue
        n = shape[len(starts)]
        if is_array(part):
            arrays.append(part)
            places.append(len(kept))
            start, step, length = 0, 1, n
        elif isinstance(part, slice):
            start, step, length = _range(part, n)
        else:
            start, step, length = _position(part, n, len(starts)), 1, 1
        starts.append(start)
        steps.append(step)
        lengths.append(length)
        if is_array(part) or isinstance(part, slice):
            kept.append(length)
    path: list[Op] = []
    op = Slice(tuple(starts), tuple(steps), tuple(lengths))
    if op.lengths != shape or any(s != 1 for s in steps):
        path.append(op)
    if tuple(kept) != op.lengths:
        path.append(Reshape(tuple(kept)))
    if places and places[-1] - places[0] >= len(places):  # not side by side: NumPy puts them first
        path.append(Transpose((*places, *(i for i in range(len(kept)) if i not in places))))
        places = [0]
    return Index(tuple(path), _leading(parts, starts), tuple(arrays), places[0] if places else 0)


def seen_shape(shape: Shape, path: Sequence[Op]) -> Shape:
    """The shape of what a view path shows of an array."""
    for op in path:
        if isinstance(op, Transpose):
            shape = tuple(shape[i] for i in op.perm)
        else:
            assert isinstance(op, Slice | Reshape)
            shape = op.lengths if isinstance(op, Slice) else op.shape
    return shape


def _leading(parts: Sequence[Any], starts: Sequence[int]) -> tuple[int, ...] | None:
    """The leading integers of an index that is nothing but these and whole axes."""
    r = 0
    while r < len(parts) and parts[r] is not None and not isinstance(parts[r], slice):
        if np.ndim(parts[r]):
            return None
        r += 1
    return tuple(starts[:r]) if r and all(map(_is_whole, parts[r:])) else None


def _is_whole(part: Any) -> bool:
    """Whether a part is a slice without bounds; those of another may be traced."""
    if not isinstance(part, slice):
        return False
    return part.start is None and part.stop is None and part.step is None


def _range(part: slice, n: int) -> tuple[int, int, int]:
    bounds = (None if b is None else operator.index(b) for b in (part.start, part.stop, part.step))
    start, stop, step = slice(*bounds).indices(n)
    length = len(range(start, stop, step))
    return (start, step, length) if length else (0, 1, 0)


def _position(part: Any, n: int, axis: int) -> int:
    try:
        i = operator.index(part)
    except TypeError:
        raise IndexRangeError(
            f"an index must be an integer, a slice, None, ... or an array of integers, not "
            f"{type(part).__name__}{at_caller()}"
        ) from None
    if not -n <= i < n:
        raise IndexRangeError(
            f"index {i} is out of range for axis {axis} of length {n}{at_caller()}"
        )
    return i % n
