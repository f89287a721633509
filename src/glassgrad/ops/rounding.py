"""Rounding: functions of steps, whose derivative is 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glassgrad.graph.family import Elementwise
from glassgrad.ops.odd import odd


def _steps(name: str, body: Callable[..., Any], result: str = "same") -> Elementwise:
    return Elementwise(
        name, result=result, form=name + "({0})", math=body, scalar=body,
        partials=lambda k, y, x: (None,), samples=((-2.9, 2.9),),
        kinks="the derivative is 0 everywhere, at the jumps too",
        verb="passes no gradient: it is steps",
    )  # fmt: skip


def _rint(k: Any, x: Any) -> Any:
    """To the nearest integer, from the middle to the even one."""
    a = k.abs(x)
    low = k.floor(a)
    over = k.where(k.equal(a, low), 0, a - low)  # of infinities too
    uneven = k.not_equal(low, 2 * k.floor(0.5 * low))
    up = k.where(k.equal(over, 0.5), uneven, k.less(0.5, over))
    return odd(k, x, k.where(up, low + 1, low))


ceil = _steps("ceil", lambda k, x: -k.floor(-x))
trunc = _steps("trunc", lambda k, x: k.where(k.less(x, 0), -k.floor(-x), k.floor(x)))
rint = _steps("rint", _rint, result="float")
