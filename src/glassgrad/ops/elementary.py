"""Elementary functions. Derivatives are written on the input wherever the output form cancels."""

from __future__ import annotations

from glassgrad.graph.family import Elementwise

exp = Elementwise("exp", form="exp({0})", math=lambda k, x: k.exp(x), partials=lambda k, y, x: (y,))

expm1 = Elementwise(
    "expm1", form="expm1({0})",
    math=lambda k, x: k.exp(x) - 1,
    partials=lambda k, y, x: (k.exp(x),),  # not y + 1, which is 0 at -40
)  # fmt: skip

log = Elementwise(
    "log", form="log({0})", math=lambda k, x: k.log(x), partials=lambda k, y, x: (1 / x,),
    domain="x > 0", samples=((0.2, 4.0),),
)  # fmt: skip

log1p = Elementwise(
    "log1p", form="log1p({0})",
    math=lambda k, x: k.log(1 + x),
    partials=lambda k, y, x: (1 / (1 + x),),
    domain="x > -1", samples=((-0.8, 3.0),),
)  # fmt: skip

sin = Elementwise(
    "sin", form="sin({0})", math=lambda k, x: k.sin(x), partials=lambda k, y, x: (k.cos(x),)
)

cos = Elementwise(
    "cos", form="cos({0})", math=lambda k, x: k.cos(x), partials=lambda k, y, x: (-k.sin(x),)
)

sqrt = Elementwise(
    "sqrt", form="sqrt({0})", math=lambda k, x: k.sqrt(x), partials=lambda k, y, x: (0.5 / y,),
    domain="x >= 0", kinks="infinite slope at 0", samples=((0.2, 4.0),),
)  # fmt: skip

tanh = Elementwise(
    "tanh", form="tanh({0})",
    math=lambda k, x: (k.exp(x) - k.exp(-x)) / (k.exp(x) + k.exp(-x)),
    partials=lambda k, y, x: (k.tanh_slope(x),),
    verb="squashes: scales by a slope of at most 1",
)  # fmt: skip


def _tanh_slope(k, x):  # pyright: ignore
    """4e^{−2|x|}/(1+e^{−2|x|})²: exp only ever sees a non-positive number, nothing cancels."""
    e = k.exp(-2 * k.abs(x))
    return 4 * e / ((1 + e) * (1 + e))


tanh_slope = Elementwise(
    "tanh_slope", form="tanh'({0})",
    math=lambda k, x: 4 / ((k.exp(x) + k.exp(-x)) * (k.exp(x) + k.exp(-x))),
    scalar=_tanh_slope,
    partials=lambda k, y, x: (-2 * k.tanh(x) * y,),
)  # fmt: skip


def _sigmoid(k, x):  # pyright: ignore
    """1/(1+e^{−x}) for x ≥ 0 and e^x/(1+e^x) below: exp only ever sees a non-positive number."""
    e = k.exp(-k.abs(x))
    return k.where(k.less(x, 0), e, 1) / (1 + e)


sigmoid = Elementwise(
    "sigmoid", form="sigmoid({0})",
    math=lambda k, x: 1 / (1 + k.exp(-x)),
    scalar=_sigmoid,
    partials=lambda k, y, x: (k.sigmoid_slope(x),),
    verb="squashes: scales by a slope of at most 1/4",
)  # fmt: skip


def _sigmoid_slope(k, x):  # pyright: ignore
    """σ(x)·σ(−x) with one exp of a non-positive number; σ(x)·(1−σ(x)) would be 0 at 40."""
    e = k.exp(-k.abs(x))
    return e / ((1 + e) * (1 + e))


sigmoid_slope = Elementwise(
    "sigmoid_slope", form="sigmoid'({0})",
    math=lambda k, x: k.exp(-x) / ((1 + k.exp(-x)) * (1 + k.exp(-x))),
    scalar=_sigmoid_slope,
    partials=lambda k, y, x: (-k.tanh(x / 2) * y,),  # sigma''/sigma' = 1 - 2 sigma = -tanh(x/2)
)  # fmt: skip

softplus = Elementwise(
    "softplus", form="softplus({0})",
    math=lambda k, x: k.log(1 + k.exp(x)),
    scalar=lambda k, x: k.maximum(x, 0) + k.log1p(k.exp(-k.abs(x))),
    partials=lambda k, y, x: (k.sigmoid(x),),
)  # fmt: skip

floor = Elementwise(
    "floor", result="same", form="floor({0})",
    math=lambda k, x: k.floor(x), partials=lambda k, y, x: (None,),
    kinks="the derivative is 0 everywhere, at the jumps too", samples=((-2.9, 2.9),),
)  # fmt: skip
