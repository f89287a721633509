"""Questions about values: their answers are booleans and carry no derivative."""

from __future__ import annotations

from typing import Any

from glassgrad.graph.family import Elementwise, Rule


def _question(
    name: str, arity: int, form: str, binds: int, math: Rule, scalar: Rule | None = None
) -> Elementwise:
    return Elementwise(
        name, arity=arity, result="bool", form=form, binds=binds, math=math, scalar=scalar,
        partials=lambda k, y, *x: (None,) * arity,
        verb="passes no gradient: its answer is yes or no",
    )  # fmt: skip


def _isnan(k: Any, x: Any) -> Any:
    return k.not_equal(x, x)


def _isinf(k: Any, x: Any) -> Any:
    return k.logical_not(k.logical_or(k.isfinite(x), k.not_equal(x, x)))


def _xor(k: Any, x: Any, y: Any) -> Any:
    return k.not_equal(x, y)


less = _question("less", 2, "{0} < {1}", 5, lambda k, x, y: k.less(x, y))
less_equal = _question("less_equal", 2, "{0} <= {1}", 5, lambda k, x, y: k.less_equal(x, y))
equal = _question("equal", 2, "{0} == {1}", 5, lambda k, x, y: k.equal(x, y))
not_equal = _question("not_equal", 2, "{0} != {1}", 5, lambda k, x, y: k.not_equal(x, y))
isfinite = _question("isfinite", 1, "isfinite({0})", 100, lambda k, x: k.isfinite(x))
logical_and = _question("logical_and", 2, "{0} & {1}", 4, lambda k, x, y: k.logical_and(x, y))
logical_or = _question("logical_or", 2, "{0} | {1}", 3, lambda k, x, y: k.logical_or(x, y))
logical_not = _question("logical_not", 1, "~{0}", 40, lambda k, x: k.logical_not(x))
logical_xor = _question("logical_xor", 2, "logical_xor({0}, {1})", 100, _xor, _xor)
isnan = _question("isnan", 1, "isnan({0})", 100, _isnan, _isnan)
isinf = _question("isinf", 1, "isinf({0})", 100, _isinf, _isinf)
