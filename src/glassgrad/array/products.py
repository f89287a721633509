"""NumPy's products on handles: dot, inner, outer, einsum, tensordot."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array.handle import Array
from glassgrad.array.joins import stack
from glassgrad.array.matrices import inv
from glassgrad.array.protocol import FUNCTIONS, METHODS, implements
from glassgrad.array.shapes import moveaxis, ravel, reshape, transpose
from glassgrad.array.together import together
from glassgrad.graph.errors import NoRuleError, ShapeError
from glassgrad.graph.provenance import at_caller
from glassgrad.ops import contract as ops
from glassgrad.ops.reduce import normal_order


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
        axes = (range(-axes, 0), range(axes))
    left, right = ([axes[i]] if isinstance(axes[i], int) else list(axes[i]) for i in (0, 1))
    lhs = tuple(range(x.ndim))
    rhs = [x.ndim + i for i in range(y.ndim)]
    left, right = (normal_order(*v, "tensordot") for v in ((left, x.ndim), (right, y.ndim)))
    if len(left) != len(right):
        raise ShapeError(
            f"tensordot: {len(left)} axes of the first operand meet {len(right)} of the second"
            f"{at_caller()}"
        )
    for i, j in zip(left, right):
        rhs[j] = i
    out = tuple(i for i in (*lhs, *rhs) if i not in left)
    return Array(ops.contract(x, lhs, y, tuple(rhs), out))


@implements(np.kron)
def kron(a: Any, b: Any) -> Array:
    """np.kron: each element of the first times the whole of the second."""
    x, y = together((a, b))
    ndim = max(x.ndim, y.ndim)
    x, y = (reshape(Array(n), (1,) * (ndim - n.ndim) + n.shape) for n in (x, y))
    wide = reshape(x, tuple(m for n in x.shape for m in (n, 1)))
    other = reshape(y, tuple(m for n in y.shape for m in (1, n)))
    return reshape(wide * other, tuple(n * m for n, m in zip(x.shape, y.shape)))


@implements(np.cross, np.linalg.cross)
def cross(a: Any, b: Any, axis: int = -1) -> Array:
    """np.cross of vectors of three elements along an axis."""
    x, y = (Array(n) for n in together((a, b)))
    if x.shape[axis] != 3 or y.shape[axis] != 3:
        raise ShapeError(
            f"cross takes vectors of three elements, not {x.shape[axis]} and {y.shape[axis]}"
            f"{at_caller()}"
        )
    (x0, x1, x2), (y0, y1, y2) = ([moveaxis(v, axis, 0)[i] for i in range(3)] for v in (x, y))
    parts = [x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0]
    return stack(parts, axis)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any) -> Array:
    """np.linalg.multi_dot, from left to right."""
    first, *rest = (Array(n) for n in together(arrays))
    for x in rest:
        first = dot(first, x)
    return first


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Array:
    """np.linalg.matrix_power by squaring, of the inverse for a negative power."""
    if n < 0:
        return matrix_power(inv(a), -n)
    if n == 0:
        return a * 0 + np.eye(a.shape[-1], dtype=a.dtype)
    half = matrix_power(a, n // 2) if n > 1 else None
    squared = half if half is None else half @ half
    return a if squared is None else squared @ a if n % 2 else squared


FUNCTIONS.update(
    {
        np.linalg.outer: outer,
        np.linalg.tensordot: tensordot,
        np.linalg.matmul: lambda x1, x2: np.matmul(x1, x2),
        np.linalg.vecdot: lambda x1, x2, *, axis=-1: np.vecdot(
            *(moveaxis(Array(n), axis, -1) for n in together((x1, x2)))
        ),
    }
)


METHODS["dot"] = dot
