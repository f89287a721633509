"""Errors in units in the last place, the measure in which functions state their accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def ulp_error(got: Array, exact: Array, rest: Array | float = 0.0) -> Array:
    """How far `got` (float32 or float64) is from the exact result, in ulps of the latter.

    `exact` is float64; `rest` is what it leaves out, in multiples of ``np.spacing(exact)``, which
    is needed to judge float64 results. The unit is the spacing of `got`'s dtype at the exact
    result (of its subnormals below the normal numbers).
    Infinity counts as the power of two where the dtype ends. NaN meets NaN at distance 0; NaN
    against a number is infinitely far.

    >>> ulp_error(np.float32([1, np.inf, np.nan]), np.array([1 + 2**-24, 1e39, np.nan]))
    array([0.5, 0. , 0. ])
    """
    info = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        scale = np.where(np.abs(exact) > 1, 0.5, 1.0)  # so that the power where it ends is finite
        end = 2.0 ** (info.maxexp - 1)
        reference = np.clip(exact * scale, -end, end)
        value = np.clip(got.astype(np.float64) * scale, -end, end)
        size = np.maximum(np.abs(reference), float(info.smallest_normal) * scale)
        power = (size.view(np.int64) & 0x7FF0000000000000).view(np.float64)
        unit = power * float(info.eps)
        share = np.abs(np.spacing(reference)) / unit  # of what `rest` counts in
        rest = np.where(np.abs(reference) < end, rest * share, 0.0)
        error = np.abs((value - reference) / unit - rest)
    error[np.isnan(got) & np.isnan(exact)] = 0
    error[np.isnan(error)] = np.inf
    return error
