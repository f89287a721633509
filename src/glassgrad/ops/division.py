"""Division with a remainder, as NumPy does it for integers and reals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from glassgrad.graph.family import Broadcast, Elementwise, Reshape
from glassgrad.graph.node import Const, Node
from glassgrad.ops.loop import functions_of

BY_ZERO, OVERFLOW = "divide by zero", "overflow"
"""What goes wrong in divisions of integers, in NumPy's words."""

_SIDE = "x a multiple of y: the derivative is that of the continuous side"


def _quotient(k: Any, x: Any, y: Any) -> Any:
    """⌊x/y⌋; by an infinite y 0, or −1 where the signs differ."""
    endless, opposed = _by_infinity(k, x, y)
    whole = k.floor(x / k.where(endless, 1, y))
    whole = k.where(k.less(k.abs(x), math.inf), whole, math.nan)
    return k.where(endless, k.where(opposed, -1, 0 * k.sign(x)), whole)


def _remainder(k: Any, x: Any, y: Any) -> Any:
    """x − y·⌊x/y⌋, with the sign of y; by an infinite y it is x, or y where the signs differ."""
    endless, opposed = _by_infinity(k, x, y)
    whole = x - y * k.floor(x / k.where(endless, 1, y))
    return k.where(endless, k.where(opposed, y, x), whole)


def _by_infinity(k: Any, x: Any, y: Any) -> tuple[Any, Any]:
    endless = k.logical_and(k.equal(k.abs(y), math.inf), k.less(k.abs(x), math.inf))
    return endless, k.less(x * k.sign(y), 0)


def _fmod(k: Any, x: Any, y: Any) -> Any:
    """The remainder of |x| by |y|, with the sign of x."""
    return k.sign(x) * _remainder(k, k.abs(x), k.abs(y))


floor_divide = Elementwise(
    "floor_divide", arity=2, result="same", form="{0}//{1}", binds=20,
    math=_quotient,
    partials=lambda k, z, x, y: (None, None),
    domain="y != 0", kinks="the derivative is 0 everywhere, at the jumps too",
    verb="passes no gradient: it is steps", samples=((-3.0, 3.0), (0.3, 3.0)),
)  # fmt: skip

remainder = Elementwise(
    "remainder", arity=2, result="same", form="{0} % {1}", binds=20,
    math=_remainder,
    partials=lambda k, z, x, y: (1, -k.floor(x / y)),
    domain="y != 0", kinks=_SIDE,
    verb="passes the gradient to x, and the number of times that y fits to y",
    samples=((-3.0, 3.0), (0.3, 3.0)),
)  # fmt: skip

fmod = Elementwise(
    "fmod", arity=2, result="same", form="fmod({0}, {1})",
    math=_fmod,
    partials=lambda k, z, x, y: (1, -k.trunc(x / y)),
    domain="y != 0", kinks=_SIDE,
    verb="passes the gradient to x, and the number of times that y fits to y",
    samples=((-3.0, 3.0), (0.3, 3.0)),
)  # fmt: skip


def may_fault(node: Node) -> tuple[str, ...]:
    """What may go wrong at a division of integers: nothing where the divisors are known.

    >>> from glassgrad.graph.node import Trace, new_input
    >>> x = new_input(Trace(), "x", (3,), "i8")
    >>> may_fault(floor_divide.apply(x, x)), may_fault(remainder.apply(x, 2))
    (('divide by zero', 'overflow'), ())
    """
    if node.op.name not in _WHOLE or node.dtype.kind not in "iu":
        return ()
    divisor = _known(node.inputs[1])
    found = [BY_ZERO] * (divisor is None or not np.all(divisor))
    if node.op is floor_divide and node.dtype.kind == "i":
        found += [OVERFLOW] * (divisor is None or bool(np.any(divisor == -1)))
    return tuple(found)


_WHOLE = frozenset(op.name for op in (floor_divide, remainder, fmod))


def _known(node: Node) -> Any:
    while isinstance(node.op, Broadcast | Reshape):
        node = node.inputs[0]
    return node.op.value if isinstance(node.op, Const) else None


def any_may_fault(order: Iterable[Node]) -> bool:
    """Whether something may go wrong at one of the nodes, or in the functions that they hold."""
    return any(
        may_fault(node) or any(any_may_fault(f.order) for f in functions_of(node)) for node in order
    )
