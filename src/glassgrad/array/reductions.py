"""NumPy's reductions on handles: sums, means, extremes, norms; and what is summed step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array.handle import Array, as_node
from glassgrad.array.matrices import singular_norm
from glassgrad.array.protocol import METHODS, implements
from glassgrad.array.together import Axis, together
from glassgrad.graph.dtype import as_dtype, to_float
from glassgrad.graph.errors import ShapeError
from glassgrad.graph.family import broadcast_to, cast, reshape
from glassgrad.graph.node import Node
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.arithmetic import power, square
from glassgrad.ops.compare import not_equal
from glassgrad.ops.elementary import sqrt
from glassgrad.ops.prefix import cumprod, cumsum
from glassgrad.ops.product import product
from glassgrad.ops.reduce import first_of, mean, normal_axes, one_axis, reduce, sum_
from glassgrad.ops.select import absolute


@implements(np.sum)
def sum(a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """np.sum, with axis, dtype and keepdims."""
    x = as_node(a)
    axes = normal_axes(axis, x.ndim, "sum")
    return Array(sum_(x, axes, keepdims, None if dtype is None else as_dtype(dtype)))


@implements(np.mean)
def mean_(a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """np.mean, with axis, dtype and keepdims."""
    x = as_node(a) if dtype is None else cast(as_node(a), as_dtype(dtype))
    return Array(mean(x, normal_axes(axis, x.ndim, "mean"), keepdims))


def _reduction(kind: str) -> Any:
    def run(a: Any, axis: Axis = None, keepdims: bool = False) -> Array:
        x = as_node(a)
        if kind in ("any", "all"):
            x = cast(x, np.dtype(bool))
        return Array(reduce(x, kind, normal_axes(axis, x.ndim, kind), keepdims))

    run.__name__ = kind
    return run


for _kind, _functions in {
    "max": (np.max, np.amax), "min": (np.min, np.amin), "any": (np.any,),
    "all": (np.all,),
}.items():  # fmt: skip
    METHODS[_kind] = implements(*_functions)(_reduction(_kind))


@implements(np.prod)
def prod(a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """np.prod, with axis, dtype and keepdims."""
    x = as_node(a) if dtype is None else cast(as_node(a), as_dtype(dtype))
    return Array(product(x, normal_axes(axis, x.ndim, "prod"), keepdims))


METHODS.update({"sum": sum, "mean": mean_, "prod": prod})


def _spread(root: bool) -> Any:
    """np.var, or its root np.std: the mean square of what differs from the mean, over n - ddof."""

    def run(
        a: Any,
        axis: Axis = None,
        dtype: Any = None,
        ddof: float = 0,
        keepdims: bool = False,
        correction: Any = None,
    ) -> Array:
        x = as_node(a) if dtype is None else cast(as_node(a), as_dtype(dtype))
        x = cast(x, to_float(x.dtype))
        axes = normal_axes(axis, x.ndim, "std" if root else "var")
        count = float(np.prod([x.shape[i] for i in axes], dtype=np.int64))
        apart = square.apply(x - mean(x, axes, keepdims=True))
        degrees = count - (ddof if correction is None else correction)
        found = sum_(apart, axes, keepdims) / max(degrees, 0.0)
        return Array(sqrt.apply(found) if root else found)

    return run


METHODS["var"] = implements(np.var)(_spread(root=False))
METHODS["std"] = implements(np.std)(_spread(root=True))


def _extreme(kind: str) -> Any:
    """The first index of the largest or smallest element, of NaN where there is one."""

    def run(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
        x = as_node(a)
        axes = normal_axes(axis, x.ndim, f"arg{kind}")
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        flat = x if axis is not None or x.ndim == 1 else reshape(x, (x.size,))
        along = axes[0] if axis is not None else 0
        return Array(reshape(first_of(flat, along, kind), shape if keepdims else _kept(x, axes)))

    run.__name__ = f"arg{kind}"
    return run


def _kept(x: Node, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(x.shape) if i not in axes)


METHODS["argmax"] = implements(np.argmax)(_extreme("max"))
METHODS["argmin"] = implements(np.argmin)(_extreme("min"))


@implements(np.ptp)
def ptp(a: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """np.ptp: the largest less the smallest."""
    x = as_node(a)
    axes = normal_axes(axis, x.ndim, "ptp")
    return Array(reduce(x, "max", axes, keepdims) - reduce(x, "min", axes, keepdims))


@implements(np.average)
def average(a: Any, axis: Axis = None, weights: Any = None, *, keepdims: bool = False) -> Array:
    """np.average; weights have the shape of the array, or of its one axis."""
    if weights is None:
        return mean_(a, axis, keepdims=keepdims)
    x, w = together((a, weights))
    axes = normal_axes(axis, x.ndim, "average")
    if w.ndim == 1 and len(axes) == 1 and x.ndim > 1:
        w = reshape(w, tuple(n if i == axes[0] else 1 for i, n in enumerate(x.shape)))
    w = broadcast_to(w, x.shape)
    return Array(sum_(x * w, axes, keepdims) / sum_(w, axes, keepdims))


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """np.count_nonzero; a count carries no derivative."""
    x = as_node(a)
    some = x if x.dtype == np.bool_ else not_equal.apply(x, 0)
    return Array(sum_(some, normal_axes(axis, x.ndim, "count_nonzero"), keepdims))


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Array:
    """np.linalg.norm of vectors (any order), and of matrices: all of NumPy's.

    Its derivative is 0 where all elements are 0.
    """
    node = as_node(x)
    node = cast(node, to_float(node.dtype))
    axes = normal_axes(axis, node.ndim, "norm")
    if ord is None or (ord == "fro" and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        return Array(sqrt.apply(sum_(square.apply(node), axes, keepdims)))
    if len(axes) == 1 and isinstance(ord, int | float):
        return Array(_vector_norm(node, float(ord), axes, keepdims))
    if len(axes) == 2 and ord in (1, -1, np.inf, -np.inf):
        given = axes if axis is None or isinstance(axis, int) else tuple(axis)
        summed = one_axis(given[0 if abs(ord) == 1 else 1], node.ndim, "norm")
        other = next(i for i in axes if i != summed)
        lines = sum_(absolute.apply(node), (summed,), keepdims=True)
        found = reduce(lines, "max" if ord > 0 else "min", (other,), keepdims=True)
        return Array(found if keepdims else reshape(found, _kept(node, axes)))
    if len(axes) == 2 and ord in (2, -2, "nuc"):
        found = singular_norm(node, ord, axes)
        kept = tuple(1 if i in axes else n for i, n in enumerate(node.shape))
        return Array(reshape(found, kept) if keepdims else found)
    raise ShapeError(f"np.linalg.norm: order {ord!r} over {len(axes)} axes is no norm{at_caller()}")


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """np.linalg.vector_norm: of all elements along the axes, in a row."""
    node = as_node(x)
    node = cast(node, to_float(node.dtype))
    return Array(_vector_norm(node, ord, normal_axes(axis, node.ndim, "vector_norm"), keepdims))


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """np.linalg.matrix_norm of the last two axes."""
    return norm(x, ord, (-2, -1), keepdims)


def _vector_norm(x: Node, order: float, axes: tuple[int, ...], keepdims: bool) -> Node:
    if order == 0:
        return cast(sum_(not_equal.apply(x, 0), axes, keepdims), x.dtype)
    if order == 2:
        return sqrt.apply(sum_(square.apply(x), axes, keepdims))
    return _power_norm(absolute.apply(x), order, axes, keepdims)


def _power_norm(size: Node, order: float, axes: tuple[int, ...], keepdims: bool) -> Node:
    if np.isinf(order):
        return reduce(size, "max" if order > 0 else "min", axes, keepdims)
    if order == 1:
        return sum_(size, axes, keepdims)
    return power.apply(sum_(power.apply(size, order), axes, keepdims), 1 / order)


def _accumulation(run: Any) -> Any:
    def accumulate(a: Any, axis: int | None = None, dtype: Any = None) -> Array:
        x = as_node(a) if dtype is None else cast(as_node(a), as_dtype(dtype))
        if axis is None:
            x, axis = reshape(x, (x.size,)), 0
        (along,) = normal_axes(axis, x.ndim, run.__name__)
        return Array(run(x, along))

    return accumulate


METHODS["cumsum"] = implements(np.cumsum)(_accumulation(cumsum))
METHODS["cumprod"] = implements(np.cumprod)(_accumulation(cumprod))
