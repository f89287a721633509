"""NumPy's products on handles: dot, inner, outer, einsum, tensordot."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array.handle import Array
from glassgrad.array.protocol import METHODS, implements
from glassgrad.array.shapes import ravel, transpose
from glassgrad.array.together import together
from glassgrad.graph.errors import NoRuleError
from glassgrad.graph.provenance import at_caller
from glassgrad.ops import contract as ops


@implements(np.dot)
def dot(a: Any, b: Any) -> Array:
    """np.dot for scalars, vectors and matrices."""
    x, y = together((a, b))
    if x.ndim == 0 or y.ndim == 0:
        return Array(x * y)
    if y.ndim > 2:
        raise NoRuleError(
            f"np.dot with a second operand of {y.ndim} axes: use np.matmul{at_caller()}"
        )
    return Array(ops.matmul(x, y))


@implements(np.inner)
def inner(a: Any, b: Any) -> Array:
    """np.inner for vectors and matrices."""
    x, y = together((a, b))
    return Array(x * y) if x.ndim == 0 or y.ndim == 0 else dot(Array(x), transpose(Array(y)))


@implements(np.vdot)
def vdot(a: Any, b: Any) -> Array:
    """np.vdot: the dot product of all elements."""
    x, y = together((a, b))
    return dot(ravel(Array(x)), ravel(Array(y)))


@implements(np.outer)
def outer(a: Any, b: Any) -> Array:
    """np.outer."""
    x, y = (ravel(Array(n)).node for n in together((a, b)))
    return Array(ops.contract(x, (0,), y, (1,), (0, 1)))


@implements(np.einsum)
def einsum(subscripts: str, *arrays: Any, optimize: Any = False) -> Array:
    """np.einsum with letters for all axes; operands are contracted from left to right."""
    return Array(ops.einsum(subscripts, *together(arrays)))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    """np.tensordot."""
    x, y = together((a, b))
    if isinstance(axes, int):
        axes = (range(x.ndim - axes, x.ndim), range(axes))
    left, right = ([axes[i]] if isinstance(axes[i], int) else list(axes[i]) for i in (0, 1))
    lhs = tuple(range(x.ndim))
    rhs = [x.ndim + i for i in range(y.ndim)]
    for i, j in zip(left, right):
        rhs[j % y.ndim] = i % x.ndim
    summed = {i % x.ndim for i in left}
    out = tuple(i for i in (*lhs, *rhs) if i not in summed)
    return Array(ops.contract(x, lhs, y, tuple(rhs), out))


METHODS["dot"] = dot
