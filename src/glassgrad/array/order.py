"""NumPy's functions of order on handles: medians, quantiles, partitions, sorted places."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array.handle import Array
from glassgrad.array.protocol import METHODS, implements
from glassgrad.array.selection import argsort, sort_
from glassgrad.array.shapes import reshape, transpose
from glassgrad.array.together import Axis, handle, handles
from glassgrad.graph.errors import DTypeError, NoRuleError, ShapeError
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.reduce import normal_axes


@implements(np.median)
def median(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """np.median: the mean of the middle one or two; NaN where there is one."""
    x, restore = _ordered(handle(a), axis, "median", keepdims)
    n = x.shape[0]
    middle = x[(n - 1) // 2 : n // 2 + 1] if n else x
    return restore(_nan_if_any(x, np.mean(middle, axis=0)))


@implements(np.quantile)
def quantile(
    a: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """np.quantile with known q, by linear interpolation between the two nearest elements."""
    return _quantile(handle(a), q, 1.0, axis, method, keepdims, "quantile")


@implements(np.percentile)
def percentile(
    a: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """np.percentile with known q, as np.quantile."""
    return _quantile(handle(a), q, 100.0, axis, method, keepdims, "percentile")


def _quantile(
    a: Array, q: Any, whole: float, axis: Axis, method: str, keepdims: bool, name: str
) -> Any:
    if method != "linear" or isinstance(q, Array):
        raise NoRuleError(f"np.{name}: only method='linear' and known q have a rule{at_caller()}")
    if a.dtype == np.bool_:
        raise DTypeError(f"np.{name} of booleans: convert with .astype(float){at_caller()}")
    parts = np.asarray(q) / whole
    if parts.size and (parts.min() < 0 or parts.max() > 1):
        raise ShapeError(f"np.{name}: q must lie between 0 and {whole:g}{at_caller()}")
    x, restore = _ordered(a, axis, name, keepdims)
    found = [restore(_nan_if_any(x, _between(x, float(p)))) for p in parts.ravel()]
    if not np.ndim(q):
        return found[0]
    stacked = np.stack(found).reshape((*parts.shape, *found[0].shape))
    return stacked if np.asarray(q).dtype == a.dtype else stacked.astype(np.float64)


def _between(x: Array, part: float) -> Any:
    """The value at a part of the way through sorted rows."""
    place = part * (x.shape[0] - 1)
    low = int(place)
    below, above = x[low], x[min(low + 1, x.shape[0] - 1)]
    return below + (above - below) * (place - low)


def _ordered(a: Array, axis: Axis, name: str, keepdims: bool) -> tuple[Any, Any]:
    """The elements along the axes sorted as rows, and the way back to a result's shape."""
    axes = normal_axes(axis, a.ndim, name)
    rest = [i for i in range(a.ndim) if i not in axes]
    kept = tuple(a.shape[i] for i in rest)
    lines = reshape(transpose(a, (*axes, *rest)), (a.size // max(int(np.prod(kept)), 1), *kept))
    shape = tuple(1 if i in axes else n for i, n in enumerate(a.shape)) if keepdims else kept
    return sort_(lines, 0), lambda y: reshape(y, shape)


def _nan_if_any(x: Array, found: Array) -> Any:
    """A result, NaN where a NaN is among the sorted rows (these stand at the end)."""
    if x.dtype.kind != "f" or not x.shape[0]:
        return found
    return np.where(np.isnan(x[-1]), np.nan, found)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: Any = None) -> Any:
    """np.partition: wholly sorted, which is a partition at every place."""
    return sort_(a, axis)


@implements(np.argpartition)
def argpartition(a: Any, kth: Any, axis: int | None = -1, kind: Any = None) -> Any:
    """np.argpartition: wholly sorted."""
    return argsort(a, axis)


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """np.searchsorted: how many elements of the sorted `a` stand before each of `v`."""
    if sorter is not None or side not in ("left", "right"):
        raise NoRuleError(f"np.searchsorted: sorter has no rule: sort first{at_caller()}")
    row, values = handles(a, v)
    before = row < values[..., None] if side == "left" else row <= values[..., None]
    return np.sum(before, axis=-1)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """np.digitize for bins that increase."""
    return searchsorted(bins, x, "left" if right else "right")


METHODS.update({"partition": partition, "argpartition": argpartition, "searchsorted": searchsorted})
