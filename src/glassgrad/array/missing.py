"""NumPy's reductions that leave out NaN, on handles; what is left out gets no gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array.handle import Array
from glassgrad.array.protocol import implements
from glassgrad.array.together import handle


def _filled(a: Any, value: float) -> Any:
    """The array with a number in the place of each NaN."""
    x = handle(a)
    return np.where(np.isnan(x), value, x) if x.dtype.kind == "f" else x


def _present(a: Array) -> Any:
    return ~np.isnan(a)


@implements(np.nansum)
def nansum(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """np.nansum."""
    return np.sum(_filled(a, 0.0), axis=axis, dtype=dtype, keepdims=keepdims)


@implements(np.nanprod)
def nanprod(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """np.nanprod."""
    return np.prod(_filled(a, 1.0), axis=axis, dtype=dtype, keepdims=keepdims)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """np.nancumsum."""
    return np.cumsum(_filled(a, 0.0), axis=axis, dtype=dtype)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """np.nancumprod."""
    return np.cumprod(_filled(a, 1.0), axis=axis, dtype=dtype)


def _extreme(function: Any, worst: float) -> Any:
    def run(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = handle(a)
        found = function(_filled(x, worst), axis=axis, keepdims=keepdims)
        if x.dtype.kind != "f":
            return found
        some = np.any(_present(x), axis=axis, keepdims=keepdims)
        return np.where(some, found, np.nan)

    return run


nanmax = implements(np.nanmax)(_extreme(np.max, -np.inf))
nanmin = implements(np.nanmin)(_extreme(np.min, np.inf))


def _place(function: Any, worst: float) -> Any:
    def run(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
        return function(_filled(a, worst), axis=axis, keepdims=keepdims)

    return run


nanargmax = implements(np.nanargmax)(_place(np.argmax, -np.inf))
nanargmin = implements(np.nanargmin)(_place(np.argmin, np.inf))


@implements(np.nanmean)
def nanmean(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """np.nanmean; NaN where nothing is left."""
    x = handle(a)
    if x.dtype.kind != "f":
        return np.mean(x, axis=axis, dtype=dtype, keepdims=keepdims)
    count = np.sum(_present(x), axis=axis, keepdims=keepdims).astype(dtype or x.dtype)
    return np.sum(_filled(x, 0.0), axis=axis, dtype=dtype, keepdims=keepdims) / count


@implements(np.nanvar)
def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, ddof: float = 0, keepdims: bool = False
) -> Any:
    """np.nanvar."""
    x = handle(a)
    if x.dtype.kind != "f":
        return np.var(x, axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims)
    x = x if dtype is None else x.astype(dtype)
    apart = _filled((x - nanmean(x, axis, keepdims=True)) ** 2, 0.0)
    count = np.sum(_present(x), axis=axis, keepdims=keepdims).astype(x.dtype) - ddof
    found = np.sum(apart, axis=axis, keepdims=keepdims) / count
    return np.where(count > 0, found, np.nan)


@implements(np.nanstd)
def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, ddof: float = 0, keepdims: bool = False
) -> Any:
    """np.nanstd."""
    return np.sqrt(nanvar(a, axis, dtype, ddof, keepdims))
