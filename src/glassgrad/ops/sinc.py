"""sin(πx)/(πx), smooth at 0 and exactly 0 at all other integers, and its slope."""

from __future__ import annotations

import math
from typing import Any

from glassgrad.graph.family import Elementwise

_TERMS = 10  # of the series of the slope, for |πx| up to π/2


def _reduced(k: Any, x: Any) -> tuple[Any, Any]:
    """The distance from the nearest integer, and (−1) to the power of that integer."""
    whole = k.floor(x + 0.5)
    return x - whole, 1 - 2 * (whole - 2 * k.floor(0.5 * whole))


def _sinc(k: Any, x: Any) -> Any:
    rest, sign = _reduced(k, k.where(k.isfinite(x), x, 0))
    t = math.pi * x
    found = sign * k.sin(math.pi * rest) / k.where(k.equal(x, 0), 1, t)
    return k.where(k.isfinite(x), k.where(k.equal(x, 0), 1, found), 1 / t)


def _slope(k: Any, x: Any) -> Any:
    """(cos πx − sinc x)/x; near 0, where that cancels, its series."""
    rest, sign = _reduced(k, k.where(k.isfinite(x), x, 0))
    cosine = sign * k.sin(math.pi * (0.5 - k.abs(rest)))
    far = (cosine - _sinc(k, x)) / k.where(k.equal(x, 0), 1, x)
    close = k.less(k.abs(x), 0.5)
    near = _series(k.where(close, x, 0), _TERMS) * x
    return k.where(k.isfinite(x), k.where(close, near, far), 1 / x)


def _series(x: Any, terms: int) -> Any:
    """The slope over x, for small x."""
    square = (math.pi * x) * (math.pi * x)
    total: Any = 1.0
    for i in range(terms - 1, -1, -1):
        total = 1 - square * (1 / ((2 * i + 2) * (2 * i + 5))) * total
    return -(math.pi**2) / 3 * total


sinc = Elementwise(
    "sinc", form="sinc({0})",
    math=lambda k, x: k.sinc(x),
    scalar=_sinc,
    partials=lambda k, y, x: (k.sinc_slope(x),),
    samples=((-1.2, 1.2),),  # the slope is 0 at 1.43, where its terms cancel
)  # fmt: skip


def _second(k: Any, y: Any, x: Any) -> Any:
    """The slope's slope, −π²·sinc x − 2y/x; y/x near 0 by its series."""
    close = k.less(k.abs(x), 1e-3)
    near, far = _series(k.where(close, x, 0), 3), y / k.where(close, 1, x)
    return -(math.pi**2) * k.sinc(x) - 2 * k.where(close, near, far)


sinc_slope = Elementwise(
    "sinc_slope", form="sinc'({0})",
    math=lambda k, x: k.sinc_slope(x),
    scalar=_slope,
    partials=lambda k, y, x: (_second(k, y, x),),
    samples=((-0.3, 0.3),),  # and its own at 0.67
)  # fmt: skip
