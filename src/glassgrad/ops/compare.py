"""Questions about values: their answers are booleans and carry no derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glassgrad.graph.family import Elementwise


def _question(
    name: str, arity: int, form: str, binds: int, math: Callable[..., Any]
) -> Elementwise:
    return Elementwise(
        name, arity=arity, result="bool", form=form, binds=binds, math=math,
        partials=lambda k, y, *x: (None,) * arity,
        verb="passes no gradient: its answer is yes or no",
    )  # fmt: skip


less = _question("less", 2, "{0} < {1}", 5, lambda k, x, y: k.less(x, y))
less_equal = _question("less_equal", 2, "{0} <= {1}", 5, lambda k, x, y: k.less_equal(x, y))
equal = _question("equal", 2, "{0} == {1}", 5, lambda k, x, y: k.equal(x, y))
not_equal = _question("not_equal", 2, "{0} != {1}", 5, lambda k, x, y: k.not_equal(x, y))
isfinite = _question("isfinite", 1, "isfinite({0})", 100, lambda k, x: k.isfinite(x))
logical_and = _question("logical_and", 2, "{0} & {1}", 4, lambda k, x, y: k.logical_and(x, y))
logical_or = _question("logical_or", 2, "{0} | {1}", 3, lambda k, x, y: k.logical_or(x, y))
logical_not = _question("logical_not", 1, "~{0}", 40, lambda k, x: k.logical_not(x))
