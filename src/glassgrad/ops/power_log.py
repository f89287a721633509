"""Powers and logarithms in other bases, roots, and hyperbolic functions with their inverses."""

from __future__ import annotations

import math
from typing import Any

from glassgrad.graph.family import Elementwise
from glassgrad.ops.odd import odd

exp2 = Elementwise(
    "exp2", form="2**{0}", binds=30,
    math=lambda k, x: k.power(2, x),
    scalar=lambda k, x: k.power(2, x),
    partials=lambda k, y, x: (math.log(2) * y,),
)  # fmt: skip

log2 = Elementwise(
    "log2", form="log2({0})",
    math=lambda k, x: k.log2(x),
    scalar=lambda k, x: k.log(x) * (1 / math.log(2)),
    partials=lambda k, y, x: (1 / math.log(2) / x,),
    domain="x > 0", samples=((0.2, 4.0),),
)  # fmt: skip

log10 = Elementwise(
    "log10", form="log10({0})",
    math=lambda k, x: k.log10(x),
    scalar=lambda k, x: k.log(x) * (1 / math.log(10)),
    partials=lambda k, y, x: (1 / math.log(10) / x,),
    domain="x > 0", samples=((0.2, 4.0),),
)  # fmt: skip


def _logaddexp(k: Any, x: Any, y: Any) -> Any:
    """The larger, and what the smaller adds: exp only ever sees a non-positive number."""
    even = k.equal(x, y)  # of equal infinities too
    gap = k.where(even, 0, x - y)
    return k.maximum(x, y) + k.log1p(k.exp(-k.abs(gap)))


logaddexp = Elementwise(
    "logaddexp", arity=2, form="logaddexp({0}, {1})",
    math=lambda k, x, y: k.log(k.exp(x) + k.exp(y)),
    scalar=_logaddexp,
    partials=lambda k, z, x, y: (k.sigmoid(x - y), k.sigmoid(y - x)),
    verb="shares the gradient between the operands by their softmax",
    samples=((-1.0, 3.0), (0.5, 3.0)),
)  # fmt: skip


def _cbrt(k: Any, x: Any) -> Any:
    """A power, and one step of Newton's for the rounding of its exponent 1/3."""
    a = k.abs(x)
    inside = k.logical_and(k.less(0, a), k.less(a, math.inf))
    a = k.where(inside, a, 1)
    y = k.power(a, 1 / 3)
    y = y - (y - a / (y * y)) * (1 / 3)
    return k.where(inside, k.where(k.less(x, 0), -y, y), x)


cbrt = Elementwise(
    "cbrt", form="cbrt({0})",
    math=lambda k, x: k.cbrt(x),
    scalar=_cbrt,
    partials=lambda k, y, x: (1 / (3 * (y * y)),),
    kinks="infinite slope at 0", samples=((0.1, 3.0),),
)  # fmt: skip


def _sinh(k: Any, x: Any) -> Any:
    """By expm1, whose operand is halved where it is large: e^x overflows before sinh does."""
    a = k.abs(x)
    t = k.expm1(k.minimum(a, 20.0))
    half = k.exp(0.5 * a)
    y = k.where(k.less(a, 20.0), 0.5 * (t + t / (t + 1)), (0.5 * half) * half)
    return odd(k, x, y)


def _cosh(k: Any, x: Any) -> Any:
    half = k.exp(0.5 * k.abs(x))
    return (0.5 * half) * half + 0.5 / half / half


sinh = Elementwise(
    "sinh", form="sinh({0})",
    math=lambda k, x: (k.exp(x) - k.exp(-x)) / 2,
    scalar=_sinh,
    partials=lambda k, y, x: (k.cosh(x),),
)  # fmt: skip

cosh = Elementwise(
    "cosh", form="cosh({0})",
    math=lambda k, x: (k.exp(x) + k.exp(-x)) / 2,
    scalar=_cosh,
    partials=lambda k, y, x: (k.sinh(x),),
)  # fmt: skip


def _arcsinh(k: Any, x: Any) -> Any:
    """log1p(a + a²/(1 + sqrt(1 + a²))), and log(2a) where a² would overflow."""
    a = k.abs(x)
    b = k.minimum(a, 1e8)
    y = k.log1p(b + b * b / (1 + k.sqrt(1 + b * b)))
    y = k.where(k.less(a, 1e8), y, k.log(k.maximum(a, 1)) + math.log(2))
    return odd(k, x, y)


def _arccosh(k: Any, x: Any) -> Any:
    t = k.minimum(x, 1e8) - 1
    return k.where(k.less(x, 1e8), k.log1p(t + k.sqrt(t) * k.sqrt(t + 2)), k.log(x) + math.log(2))


def _arctanh(k: Any, x: Any) -> Any:
    a = k.abs(x)
    y = 0.5 * k.log1p(2 * a / (1 - a))
    return odd(k, x, y)


arcsinh = Elementwise(
    "arcsinh", form="arcsinh({0})",
    math=lambda k, x: k.sign(x) * k.log(k.abs(x) + k.sqrt(x * x + 1)),
    scalar=_arcsinh,
    partials=lambda k, y, x: (1 / k.cosh(y),),  # 1 + x*x would overflow
)  # fmt: skip

arccosh = Elementwise(
    "arccosh", form="arccosh({0})",
    math=lambda k, x: k.log(x + k.sqrt(x * x - 1)),
    scalar=_arccosh,
    partials=lambda k, y, x: (1 / (k.sqrt(x - 1) * k.sqrt(x + 1)),),
    domain="x >= 1", kinks="infinite slope at 1", samples=((1.1, 4.0),),
)  # fmt: skip

arctanh = Elementwise(
    "arctanh", form="arctanh({0})",
    math=lambda k, x: k.log((1 + x) / (1 - x)) / 2,
    scalar=_arctanh,
    partials=lambda k, y, x: (k.square(k.arcsin_slope(x)),),
    domain="-1 < x < 1", samples=((-0.95, 0.95),),
)  # fmt: skip
