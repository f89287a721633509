"""Sums, products and powers of scalars."""

from __future__ import annotations

from glassgrad.graph.family import Elementwise, literal

add = Elementwise(
    "add", arity=2, result="same", form="{0} + {1}", binds=10,
    math=lambda k, x, y: x + y,
    scalar=lambda k, x, y: x + y,
    partials=lambda k, z, x, y: (1, 1),
    verb="distributes the gradient to both operands",
)  # fmt: skip

subtract = Elementwise(
    "subtract", arity=2, result="same", form="{0} - {1}", binds=10,
    math=lambda k, x, y: x - y,
    scalar=lambda k, x, y: x - y,
    partials=lambda k, z, x, y: (1, -1),
    verb="distributes the gradient, with its sign turned for the second operand",
)  # fmt: skip

multiply = Elementwise(
    "multiply", arity=2, result="same", form="{0}*{1}", binds=20,
    math=lambda k, x, y: x * y,
    scalar=lambda k, x, y: x * y,
    partials=lambda k, z, x, y: (y, x),
    verb="switches: each operand's gradient is scaled by the other operand",
)  # fmt: skip

divide = Elementwise(
    "divide", arity=2, form="{0}/{1}", binds=20,
    math=lambda k, x, y: x / y,
    scalar=lambda k, x, y: x / y,
    partials=lambda k, z, x, y: (1 / y, -(x / y) / y),
    domain="y != 0",
    samples=((-3.0, 3.0), (0.3, 3.0)),
)  # fmt: skip

negative = Elementwise(
    "negative", result="same", form="-{0}", binds=15,
    math=lambda k, x: -x,
    scalar=lambda k, x: -x,
    partials=lambda k, y, x: (-1,),
    verb="turns the sign of the gradient",
)  # fmt: skip

square = Elementwise(
    "square", result="same", form="{0}**2", binds=30,
    math=lambda k, x: x * x,
    scalar=lambda k, x: x * x,
    partials=lambda k, y, x: (2 * x,),
)  # fmt: skip


def _power_partials(k, z, x, y):  # pyright: ignore
    """y·x^(y−1) and x^y·ln x; at x = 0 the first is 0 where y is, the second its limit, 0."""
    c = literal(y)
    if c is not None:
        return 0 if c == 0 else 1 if c == 1 else c * x if c == 2 else c * k.power(x, c - 1), None
    at_origin = k.logical_and(k.equal(x, 0), k.equal(y, 0))  # y = 0 alone would lose d/dy of this
    by_base = k.where(at_origin, 0, y * k.power(x, y - 1))
    return by_base, z * k.log(k.where(k.equal(x, 0), 1, x))


power = Elementwise(
    "power", arity=2, result="same", form="{0}**{1}", binds=30,
    math=lambda k, x, y: k.power(x, y),
    partials=_power_partials,
    domain="x > 0, or x of any sign with an integer y",
    samples=((0.3, 3.0), (-2.0, 3.0)),
)  # fmt: skip
