"""Angles and lengths: the tangent, inverse functions of angles, and distances in the plane."""

from __future__ import annotations

import math
from typing import Any

from glassgrad.graph.family import Elementwise
from glassgrad.ops.normal import polynomial
from glassgrad.ops.odd import odd

tan = Elementwise(
    "tan", form="tan({0})",
    math=lambda k, x: k.sin(x) / k.cos(x),
    scalar=lambda k, x: k.sin(x) / k.cos(x),
    partials=lambda k, y, x: (1 + y * y,),
    domain="x is no odd multiple of pi/2", samples=((-1.5, 1.5),),
)  # fmt: skip

# (arctan(t)/t − 1)/t², in t², for |t| <= tan(π/8): Chebyshev interpolation in 60-digit arithmetic
_ARCTAN = (
    -0.3333333333333333, 0.19999999999999804, -0.14285714285659779, 0.11111111105150588,
    -0.09090908753259112, 0.07692296368042296, -0.0666642476020052, 0.05878927554473807,
    -0.05230443640686948, 0.045515447340221615, -0.03456931506332609, 0.016284375050043393,
)  # fmt: skip
_LOW_HALF = 6.123233995736766e-17  # π/2 less its float64


def _arctan(k: Any, x: Any) -> Any:
    """By arctan(a) = π/4 + arctan((a−1)/(a+1)) = π/2 − arctan(1/a), where |t| is small enough."""
    a = k.abs(x)
    big, middle = k.less(2.414213562373095, a), k.less(0.41421356237309503, a)
    above = k.where(big, -1.0, k.where(middle, a - 1, a))
    t = above / k.where(big, a, k.where(middle, a + 1, 1.0))
    zero = k.minimum(a, 0)
    whole = k.where(big, math.pi / 2, k.where(middle, math.pi / 4, zero))
    rest = k.where(big, _LOW_HALF, k.where(middle, _LOW_HALF / 2, zero))
    s = t * t
    y = whole + (t + (t * (s * polynomial(s, _ARCTAN)) + rest))
    return odd(k, x, y)


def _arctan2(k: Any, y: Any, x: Any) -> Any:
    """From the smaller side over the larger: 0 at the origin, 1 of two infinities."""
    a, b = k.abs(x), k.abs(y)
    steep = k.less(a, b)
    small, large = k.where(steep, a, b), k.where(steep, b, a)
    even = k.equal(small, large)
    flat = k.arctan(k.where(even, k.sign(large), small / k.where(even, 1, large)))
    upright = k.where(steep, math.pi / 2 - flat, flat)
    angle = k.where(_is_negative(k, x), math.pi - upright, upright)
    return k.where(_is_negative(k, y), -angle, angle)


def _is_negative(k: Any, x: Any) -> Any:
    """Whether the sign is minus, that of zero too."""
    return k.less(k.where(k.equal(x, 0), 1 / x, x), 0)


arcsin = Elementwise(
    "arcsin", form="arcsin({0})",
    math=lambda k, x: k.arcsin(x),
    scalar=lambda k, x: k.arctan(x / k.sqrt((1 - x) * (1 + x))),
    partials=lambda k, y, x: (k.arcsin_slope(x),),
    domain="-1 <= x <= 1", kinks="infinite slope at -1 and 1", samples=((-0.99, 0.99),),
)  # fmt: skip

arcsin_slope = Elementwise(
    "arcsin_slope", form="1/sqrt(1 - {0}**2)",
    math=lambda k, x: 1 / k.sqrt(1 - x * x),
    scalar=lambda k, x: 1 / k.sqrt((1 - x) * (1 + x)),
    partials=lambda k, y, x: (x * (y * y * y),),  # the quotient rule would cancel near 0
    domain="-1 < x < 1", samples=((-0.99, 0.99),),
)  # fmt: skip

arccos = Elementwise(
    "arccos", form="arccos({0})",
    math=lambda k, x: k.arccos(x),
    scalar=lambda k, x: 2 * k.arctan(k.sqrt((1 - x) / (1 + x))),
    partials=lambda k, y, x: (-k.arcsin_slope(x),),
    domain="-1 <= x <= 1", kinks="infinite slope at -1 and 1", samples=((-0.99, 0.99),),
)  # fmt: skip

arctan = Elementwise(
    "arctan", form="arctan({0})",
    math=lambda k, x: k.arctan(x),
    scalar=_arctan,
    partials=lambda k, y, x: (1 / (1 + x * x),),
    verb="squashes: scales by a slope of at most 1",
)  # fmt: skip


def _hypot(k: Any, x: Any, y: Any) -> Any:
    """Scaled by the larger side, so that no square overflows."""
    a, b = k.abs(x), k.abs(y)
    large = k.maximum(a, b)
    ratio = k.minimum(a, b) / k.where(k.equal(large, 0), 1, large)
    infinite = k.logical_or(k.equal(a, math.inf), k.equal(b, math.inf))
    return k.where(infinite, math.inf, large * k.sqrt(1 + ratio * ratio))


def _cosine(k: Any, x: Any, y: Any) -> Any:
    a, b = k.abs(x), k.abs(y)
    large = k.maximum(a, b)
    large = k.where(k.equal(large, 0), 1, large)
    ratio = k.minimum(a, b) / large
    return x / large / k.sqrt(1 + ratio * ratio)


def _cosine_partials(k: Any, c: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """s²/r and −cs/r with s = y/r: no difference that cancels."""
    r, s = k.hypot(x, y), k.hypot_slope(y, x)
    r = k.where(k.equal(r, 0), 1, r)
    return s * s / r, -(c * s) / r


hypot = Elementwise(
    "hypot", arity=2, form="hypot({0}, {1})",
    math=lambda k, x, y: k.where(
        k.logical_or(k.equal(k.abs(x), math.inf), k.equal(k.abs(y), math.inf)),
        math.inf,
        k.sqrt(x * x + y * y),
    ),
    scalar=_hypot,
    partials=lambda k, z, x, y: (k.hypot_slope(x, y), k.hypot_slope(y, x)),
    kinks="x = y = 0: the derivative is 0", verb="turns the gradient into the direction of (x, y)",
)  # fmt: skip

hypot_slope = Elementwise(
    "hypot_slope", arity=2, form="{0}/hypot({0}, {1})",
    math=lambda k, x, y: x / k.where(k.equal(x * x + y * y, 0), 1, k.sqrt(x * x + y * y)),
    scalar=_cosine,
    partials=_cosine_partials,
    kinks="x = y = 0: the derivative is 0",
)  # fmt: skip


def _arctan2_partials(k: Any, z: Any, y: Any, x: Any) -> tuple[Any, Any]:
    r = k.hypot(x, y)
    r = k.where(k.equal(r, 0), 1, r)
    return k.hypot_slope(x, y) / r, -k.hypot_slope(y, x) / r


arctan2 = Elementwise(
    "arctan2", arity=2, form="arctan2({0}, {1})",
    math=lambda k, y, x: k.arctan2(y, x),
    scalar=_arctan2,
    partials=_arctan2_partials,
    kinks="y = 0, x <= 0: the derivative is that of the continuous side; 0 at the origin",
)  # fmt: skip
