"""Activations that pass a number through a soft gate: x times a sigmoid of it."""

from __future__ import annotations

from typing import Any

from glassgrad.graph.family import Elementwise


def _silu(k: Any, x: Any) -> Any:
    """x·e^x/(1 + e^x) below 0, by e^{x/2} twice: e^x alone would lose its last bits too early."""
    half = k.exp(-0.5 * k.abs(x))
    low = k.maximum(x, -2000.0)  # -2000*0, never -inf*0
    return k.where(k.less(x, 0), low * half * half, x) / (1 + half * half)


silu = Elementwise(
    "silu", form="silu({0})",
    math=lambda k, x: x / (1 + k.exp(-x)),
    scalar=_silu,
    partials=lambda k, y, x: (k.sigmoid(x) + x * k.sigmoid_slope(x),),
    verb="gates softly: passes the gradient where x > 0, little of it where x < 0",
    samples=((-0.5, 3.0),),  # the derivative crosses 0 at -1.278
)  # fmt: skip

log_sigmoid = Elementwise(
    "log_sigmoid", form="log_sigmoid({0})",
    math=lambda k, x: -k.log(1 + k.exp(-x)),
    scalar=lambda k, x: k.minimum(x, 0) - k.log1p(k.exp(-k.abs(x))),
    partials=lambda k, y, x: (k.sigmoid(-x),),
    verb="passes the gradient where x < 0, little of it where x > 0",
)  # fmt: skip
