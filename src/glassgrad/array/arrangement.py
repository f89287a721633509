"""NumPy's functions that repeat, mirror, shift, cut and frame arrays, on handles."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array.handle import Array, as_node
from glassgrad.array.joins import concatenate_
from glassgrad.array.protocol import FUNCTIONS, METHODS, implements
from glassgrad.array.shapes import moveaxis, ravel, reshape
from glassgrad.array.together import Axis, handle
from glassgrad.graph.errors import NoRuleError, ShapeError
from glassgrad.graph.family import broadcast_to, cast
from glassgrad.graph.family import reshape as reshaped
from glassgrad.graph.node import constant, make
from glassgrad.graph.op import REGISTRY
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.gather import take
from glassgrad.ops.reduce import normal_axes, one_axis, sum_
from glassgrad.ops.view import Place, Update


def _along(axis: int, part: Any) -> tuple[Any, ...]:
    """The index that takes `part` along one axis and the whole of those before."""
    return (slice(None),) * axis + (part,)


# -- cutting ----------------------------------------------------------------------------------


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """np.array_split: views of parts, by their number or by where they begin."""
    a = handle(ary)
    (along,) = normal_axes(axis, a.ndim, "array_split")
    n = a.shape[along]
    if isinstance(indices_or_sections, int | np.integer):
        count = int(indices_or_sections)
        if count <= 0:
            raise ShapeError(f"array_split: the number of parts must be positive{at_caller()}")
        sizes = [n // count + (i < n % count) for i in range(count)]
        cuts = np.cumsum(sizes)[:-1].tolist()
    else:
        cuts = [int(i) for i in indices_or_sections]
    bounds = zip([None, *cuts], [*cuts, None])
    return [a[_along(along, slice(low, high))] for low, high in bounds]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """np.split: as array_split, of equal parts if their number is given."""
    a = handle(ary)
    (along,) = normal_axes(axis, a.ndim, "split")
    if isinstance(indices_or_sections, int | np.integer) and a.shape[along] % indices_or_sections:
        raise ShapeError(
            f"split: an axis of length {a.shape[along]} has no {indices_or_sections} equal parts: "
            f"use np.array_split{at_caller()}"
        )
    return array_split(a, indices_or_sections, along)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """np.hsplit."""
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """np.vsplit."""
    return split(ary, indices_or_sections, 0)


# -- repeating, mirroring, shifting -----------------------------------------------------------


@implements(np.tile)
def tile(A: Any, reps: Any) -> Array:
    """np.tile: the whole array again and again along its axes."""
    times = [int(n) for n in (reps if isinstance(reps, list | tuple) else (reps,))]
    x = as_node(A)
    ndim = max(x.ndim, len(times))
    shape = (1,) * (ndim - x.ndim) + x.shape
    times = [1] * (ndim - len(times)) + times
    between = reshaped(x, tuple(m for n in shape for m in (1, n)))
    wide = broadcast_to(between, tuple(m for t, n in zip(times, shape) for m in (t, n)))
    return Array(reshaped(wide, tuple(t * n for t, n in zip(times, shape))))


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Array:
    """np.repeat: each element again and again."""
    x = ravel(handle(a)) if axis is None else handle(a)
    along = 0 if axis is None else one_axis(axis, x.ndim, "repeat")
    places = np.repeat(np.arange(x.shape[along]), repeats)
    return x[_along(along, places)]


@implements(np.flip)
def flip(m: Any, axis: Axis = None) -> Array:
    """np.flip, as a view."""
    axes = normal_axes(axis, m.ndim, "flip")
    return m[tuple(slice(None, None, -1 if i in axes else 1) for i in range(m.ndim))]


@implements(np.flipud)
def flipud(m: Any) -> Array:
    """np.flipud, as a view."""
    return flip(m, 0)


@implements(np.fliplr)
def fliplr(m: Any) -> Array:
    """np.fliplr, as a view."""
    return flip(m, 1)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Array:
    """np.roll: what falls off at one end comes in at the other."""
    if axis is None:
        return reshape(roll(ravel(a), shift, 0), a.shape)
    shifts = shift if isinstance(shift, list | tuple) else (shift,)
    axes = axis if isinstance(axis, list | tuple) else (axis,)
    if len(shifts) == 1:
        shifts = tuple(shifts) * len(axes)
    for by, along in zip(shifts, (one_axis(i, a.ndim, "roll") for i in axes)):
        n = a.shape[along]
        if n and by % n:
            cut = n - by % n
            parts = [a[_along(along, slice(cut, None))], a[_along(along, slice(cut))]]
            a = concatenate_(parts, along)
    return Array(a.node)


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1) -> Array:
    """np.diff: each element less the one before."""
    (along,) = normal_axes(axis, a.ndim, "diff")
    name = "not_equal" if a.dtype == np.bool_ else "subtract"
    for _ in range(n):
        after, before = a[_along(along, slice(1, None))], a[_along(along, slice(None, -1))]
        a = Array(REGISTRY[name].apply(after.node, before.node))
    return a


# -- frames -----------------------------------------------------------------------------------

_BY_PLACES = ("edge", "reflect", "symmetric", "wrap")


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", constant_values: Any = 0) -> Array:
    """np.pad with one constant, or in the modes edge, reflect, symmetric and wrap."""
    x = as_node(array)
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    if mode in _BY_PLACES:
        for along, width in enumerate(widths):
            places = np.pad(np.arange(x.shape[along]), width, mode=mode)
            x = take(x, [constant(x.trace, places)], along)
        return Array(x)
    if mode != "constant" or np.ndim(constant_values) > 0:
        raise NoRuleError(
            f"np.pad: only one constant value and the modes {', '.join(_BY_PLACES)} have a rule"
            f"{at_caller()}"
        )
    starts = tuple(low for low, _ in widths)
    shape = tuple(low + n + high for n, (low, high) in zip(x.shape, widths))
    if isinstance(constant_values, int | float) and constant_values == 0:
        return Array(make(Place(shape, starts, (1,) * x.ndim), x))
    frame = broadcast_to(cast(as_node(constant_values, x.trace), x.dtype), shape)
    return Array(make(Update(starts, (1,) * x.ndim), frame, x))


# -- diagonals --------------------------------------------------------------------------------


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """np.diagonal, as a copy."""
    first, second = (one_axis(i, a.ndim, "diagonal") for i in (axis1, axis2))
    rest = [i for i in range(a.ndim) if i not in (first, second)]
    x = a.transpose((first, second, *rest)).node
    rows = np.arange(max(0, -offset), max(0, -offset, min(x.shape[0], x.shape[1] - offset)))
    places = [constant(x.trace, rows), constant(x.trace, rows + offset)]
    return moveaxis(Array(take(x, places)), 0, -1)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Array:
    """np.diag: the diagonal of a matrix, or the matrix of a diagonal."""
    x = as_node(v)
    if x.ndim == 2:
        return diagonal(handle(v), k)
    if x.ndim != 1:
        raise ShapeError(f"diag takes a vector or a matrix, not shape {x.shape}{at_caller()}")
    n = x.size + abs(k)
    start = (k if k >= 0 else -k * n,)
    return Array(reshaped(make(Place((n * n,), start, (n + 1,)), x), (n, n)))


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Array:
    """np.trace: the sum of the diagonal."""
    x = diagonal(a, offset, axis1, axis2).node
    return Array(sum_(x, (x.ndim - 1,), dtype=None if dtype is None else np.dtype(dtype)))


def _triangle(a: Any, k: int, lower: bool) -> Array:
    x = as_node(a)
    mask = np.tri(*x.shape[-2:], k=k if lower else k - 1, dtype=bool)
    kept = broadcast_to(constant(x.trace, mask if lower else ~mask), x.shape)
    if x.dtype == np.bool_:
        return Array(REGISTRY["logical_and"].apply(kept, x))
    return Array(REGISTRY["where"].apply(kept, x, 0))


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Array:
    """np.tril: zeros above a diagonal."""
    return _triangle(m, k, lower=True)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Array:
    """np.triu: zeros below a diagonal."""
    return _triangle(m, k, lower=False)


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Array:
    """np.diagflat: the matrix whose diagonal holds all elements."""
    return diag(ravel(handle(v)), k)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """np.rot90, as a view."""
    first, second = (one_axis(i, m.ndim, "rot90") for i in axes)
    if k % 4 == 2:
        return flip(m, (first, second))
    if k % 2 == 0:
        return Array(m.node)
    return m.swapaxes(first, second)[_along(first if k % 4 == 1 else second, slice(None, None, -1))]


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Array:
    """np.resize: the elements again and again until the shape is full."""
    shape = (new_shape,) if isinstance(new_shape, int) else tuple(new_shape)
    flat = ravel(handle(a))
    places = np.arange(int(np.prod(shape, dtype=np.int64))) % max(flat.size, 1)
    return reshape(flat[places], shape)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """np.dsplit."""
    return split(ary, indices_or_sections, 2)


FUNCTIONS.update(
    {
        np.linalg.diagonal: lambda x, *, offset=0: diagonal(x, offset, -2, -1),
        np.linalg.trace: lambda x, *, offset=0, dtype=None: trace(x, offset, -2, -1, dtype),
    }
)
METHODS.update({"repeat": repeat, "diagonal": diagonal, "trace": trace})
