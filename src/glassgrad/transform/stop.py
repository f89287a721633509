"""Where a derivative ends by intention."""

from __future__ import annotations

from typing import Any

from glassgrad.array import Array
from glassgrad.ops.select import stop_gradient as stop_op
from glassgrad.transform.tree import tree_map


def stop_gradient(x: Any) -> Any:
    """The same value, through which no derivative passes; containers are taken leaf by leaf.

    >>> import glassgrad as gg
    >>> gg.grad(lambda x: x * gg.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return tree_map(lambda v: Array(stop_op.apply(v.node)) if isinstance(v, Array) else v, x)
