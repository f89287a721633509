"""NumPy's ufuncs that look at signs, or give two results, as compositions of ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.array.protocol import UFUNCS, present
from glassgrad.graph.dtype import promote, to_float
from glassgrad.graph.family import cast, full_like, reshape
from glassgrad.graph.node import Node
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.contract import matmul

Value = Node | float


def _op(name: str) -> Callable[..., Node]:
    return REGISTRY[name].apply


def _real(x: Value) -> Any:
    return cast(x, to_float(x.dtype)) if isinstance(x, Node) else float(x)


def _pair(x: Value, y: Value) -> tuple[Any, Any]:
    """Both as reals of one dtype."""
    dtype = to_float(promote(*(v if isinstance(v, float | int) else v.dtype for v in (x, y))))
    return tuple(cast(v, dtype) if isinstance(v, Node) else float(v) for v in (x, y))  # pyright: ignore[reportReturnType]


def _signbit(x: Value) -> Node:
    """Whether x is below 0, or the negative zero."""
    assert isinstance(x, Node)
    below = _op("less")(x, 0)
    if x.dtype.kind != "f":
        return below
    negative_zero = _op("less")(_op("divide")(1, x), 0)
    return _op("logical_or")(below, _op("logical_and")(_op("equal")(x, 0), negative_zero))


def _copysign(x: Value, y: Value) -> Node:
    """|x| with the sign of y; no gradient flows to y."""
    number, sign = _pair(x, y)
    size = _op("abs")(number) if isinstance(number, Node) else abs(number)
    if not isinstance(sign, Node):
        return -size if np.signbit(sign) else size
    size = size if isinstance(size, Node) else full_like(sign, size)
    return _op("where")(_signbit(sign), -size, size)


def _heaviside(x: Value, h: Value) -> Node:
    """0 below 0, 1 above, h at 0: a step, whose derivative by x is 0; NaN stays."""
    at, value = _pair(x, h)
    if not isinstance(at, Node):
        return value if at == 0 else full_like(value, float(np.heaviside(at, 0.0)))
    step = cast(cast(_op("less")(0, at), np.dtype(np.int8)), at.dtype)
    chosen = _op("where")(_op("equal")(at, 0), value, step)
    return _op("where")(_op("isnan")(at), np.nan, chosen)


def _divmod(x: Value, y: Value) -> tuple[Node, Node]:
    return UFUNCS[np.floor_divide](x, y), UFUNCS[np.remainder](x, y)


def _modf(x: Value) -> tuple[Node, Node]:
    """The part behind the point and the one before it, both with the sign of x."""
    x = _real(x)
    whole = _op("trunc")(x)
    rest = _op("where")(_op("isinf")(x), 0.0, x - whole)
    return _copysign(rest, x), whole


def _row(x: Node) -> Node:
    return reshape(x, (*x.shape[:-1], 1, *x.shape[-1:]))


def _column(x: Node) -> Node:
    return reshape(x, (*x.shape, 1))


def _without(x: Node, *axes: int) -> Node:
    """The array without axes of length 1, counted from the end."""
    gone = {x.ndim + i for i in axes}
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in gone))


UFUNCS.update(
    {
        np.signbit: _signbit,
        np.copysign: _copysign,
        np.heaviside: _heaviside,
        np.divmod: _divmod,
        np.modf: _modf,
        np.conjugate: lambda x: cast(x, np.dtype(np.int8)) if x.dtype == np.bool_ else x,
        np.vecdot: lambda x, y: _without(matmul(_row(x), _column(y)), -1, -2),
    }
)
_NEWER = {
    "matvec": lambda x, y: _without(matmul(x, _column(y)), -1),
    "vecmat": lambda x, y: _without(matmul(_row(x), y), -2),
}
UFUNCS.update({ufunc: rule for name, rule in _NEWER.items() for ufunc in present(name)})
