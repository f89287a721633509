"""NumPy's reductions on handles: sums, means, extremes, norms; and what is summed step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array.handle import Array, as_node
from glassgrad.array.protocol import METHODS, implements
from glassgrad.array.together import Axis
from glassgrad.graph.dtype import as_dtype
from glassgrad.graph.family import cast
from glassgrad.ops.product import product
from glassgrad.ops.reduce import mean, normal_axes, reduce, sum_


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
