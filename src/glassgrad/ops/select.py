"""Ops that choose: what was not chosen gets no gradient, whatever its value."""

from __future__ import annotations

from glassgrad.graph.family import Elementwise, literal
from glassgrad.graph.node import Node

where = Elementwise(
    "where", arity=3, result="same", form="where({0}, {1}, {2})",
    math=lambda k, c, x, y: k.where(c, x, y),
    route=lambda k, t, c, x, y: (None, k.where(c, t, 0), k.where(c, 0, t)),
    verb="routes the gradient to the branch that was taken",
    samples=((0.0, 1.0), (-3.0, 3.0), (-3.0, 3.0)),
)  # fmt: skip


def _shared(k, t, x, y):  # pyright: ignore
    """t where x wins over y, half of it at a tie."""
    return k.where(k.less(y, x), t, k.where(k.equal(x, y), 0.5 * t, 0))


maximum = Elementwise(
    "maximum", arity=2, result="same", form="max({0}, {1})",
    math=lambda k, x, y: k.maximum(x, y),
    route=lambda k, t, x, y: (_shared(k, t, x, y), _shared(k, t, y, x)),
    kinks="x = y: the gradient is split equally", verb="routes the gradient to the larger operand",
)  # fmt: skip

minimum = Elementwise(
    "minimum", arity=2, result="same", form="min({0}, {1})",
    math=lambda k, x, y: k.minimum(x, y),
    route=lambda k, t, x, y: (_shared(k, t, -x, -y), _shared(k, t, -y, -x)),
    kinks="x = y: the gradient is split equally", verb="routes the gradient to the smaller operand",
)  # fmt: skip

relu = Elementwise(
    "relu", result="same", form="relu({0})",
    math=lambda k, x: k.maximum(x, 0),
    scalar=lambda k, x: k.maximum(x, 0),
    route=lambda k, t, x: (k.where(k.less(0, x), t, 0),),
    kinks="x = 0: the derivative is 0", verb="gates: passes the gradient where x > 0",
)  # fmt: skip

clip = Elementwise(
    "clip", arity=3, result="same", form="clip({0}, {1}, {2})",
    math=lambda k, x, lo, hi: k.minimum(k.maximum(x, lo), hi),
    scalar=lambda k, x, lo, hi: k.minimum(k.maximum(x, lo), hi),
    route=lambda k, t, x, lo, hi: (
        k.where(k.logical_and(k.less(lo, x), k.less(x, hi)), t, 0),
        k.where(k.logical_and(k.less(x, lo), k.less(lo, hi)), t, 0),
        k.where(k.less(hi, k.maximum(x, lo)), t, 0),  # crossed bounds: the value is hi
    ),
    kinks="x at a bound: the derivative is 0", verb="gates: passes the gradient between the bounds",
    samples=((-3.0, 3.0), (-2.0, -1.0), (1.0, 2.0)),
)  # fmt: skip

absolute = Elementwise(
    "abs", result="same", form="abs({0})",
    math=lambda k, x: k.abs(x),
    route=lambda k, t, x: (k.where(k.less(0, x), t, k.where(k.less(x, 0), -t, 0)),),
    kinks="x = 0: the derivative is 0", verb="passes the gradient with the sign of x",
)  # fmt: skip

sign = Elementwise(
    "sign", result="same", form="sign({0})",
    math=lambda k, x: k.sign(x), partials=lambda k, y, x: (None,),
    kinks="the derivative is 0 everywhere, at the jump too",
)  # fmt: skip

stop_gradient = Elementwise(
    "stop_gradient", result="same", form="stop_gradient({0})",
    math=lambda k, x: x, scalar=lambda k, x: x, partials=lambda k, y, x: (None,),
    verb="stops the gradient",
)  # fmt: skip


def _one_sided(two_sided: Elementwise, x: Node | float, y: Node | float) -> Node:
    """The choosing op of two operands; with a float literal on one side, the one-sided op."""
    below = two_sided is maximum
    for operand, bound in ((x, literal(y)), (y, literal(x))):
        if bound is None or not isinstance(operand, Node):
            continue
        operand, _ = two_sided.operands(x, y)[:: 1 if operand is x else -1]
        if bound == 0 and below:
            return relu.apply(operand)
        if operand.dtype.kind == "f":
            infinite = float("inf")
            lo, hi = (bound, infinite) if below else (-infinite, bound)
            return clip.apply(operand, lo, hi)
    return two_sided.apply(x, y)


def bounded_below(x: Node | float, y: Node | float) -> Node:
    """maximum(x, y); a literal bound makes it relu or clip, with their convention at the kink."""
    return _one_sided(maximum, x, y)


def bounded_above(x: Node | float, y: Node | float) -> Node:
    """minimum(x, y); a literal bound makes it clip, with its convention at the kink."""
    return _one_sided(minimum, x, y)
