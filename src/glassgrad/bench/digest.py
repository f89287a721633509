"""Numbers that stand for a result, so that contenders in different processes can be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

WHOLE = 16  # arrays of up to so many elements are compared element by element


def digest(result: Any) -> list[float]:
    """A result's numbers: small arrays whole, of large ones the norm and two random projections.

    Any nest of tuples, lists and dicts of what NumPy can read.

    >>> digest((2.0, [np.array([1.0, 3.0])]))
    [2.0, 1.0, 3.0]
    """
    if isinstance(result, Mapping):
        return digest(list(result.values()))
    if isinstance(result, tuple | list):
        return [x for part in result for x in digest(part)]
    values = np.asarray(result, np.float64).ravel()
    if values.size <= WHOLE:
        return values.tolist()
    weights = np.random.default_rng(0).standard_normal((2, values.size))
    return [float(np.linalg.norm(values)), *(weights @ values).tolist()]


def differ(a: Sequence[float], b: Sequence[float], relative: float, absolute: float) -> bool:
    """Whether two digests are further apart than the rounding of float32 explains."""
    return len(a) != len(b) or not all(
        math.isclose(x, y, rel_tol=relative, abs_tol=absolute) for x, y in zip(a, b)
    )
