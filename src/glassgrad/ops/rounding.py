"""Rounding: functions of steps, whose derivative is 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glassgrad.graph.family import Elementwise


def _steps(name: str, body: Callable[..., Any], result: str = "same") -> Elementwise:
    return Elementwise(
        name, result=result, form=name + "({0})", math=body, scalar=body,
        partials=lambda k, y, x: (None,), samples=((-2.9, 2.9),),
        kinks="the derivative is 0 everywhere, at the jumps too",
        verb="passes no gradient: it is steps",
    )  # fmt: skip


def _rint(k: Any, x: Any) -> Any:
    """To the nearest integer, from the middle to the even one."""
    low = k.floor(x)
    over = k.where(k.equal(x, low), 0, x - low)  # of infinities too
    odd = k.not_equal(low, 2 * k.floor(0.5 * low))
    up = k.where(k.equal(over, 0.5), odd, k.less(0.5, over))
    return k.where(up, low + 1, low)


ceil = _steps("ceil", lambda k, x: -k.floor(-x))
trunc = _steps("trunc", lambda k, x: k.where(k.less(x, 0), -k.floor(-x), k.floor(x)))
rint = _steps("rint", _rint, result="float")
