"""NumPy's functions that choose and order elements, on handles."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array.handle import Array, as_node
from glassgrad.array.protocol import METHODS, implements
from glassgrad.array.shapes import ravel
from glassgrad.array.together import together
from glassgrad.array.ufuncs import operands
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.gather import take_along
from glassgrad.ops.select import bounded_above, bounded_below
from glassgrad.ops.sort import sort


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """np.where with three arguments; with one, the positions, which depend on the data."""
    if x is None or y is None:
        return np.nonzero(condition._guarded())
    return Array(REGISTRY["where"].apply(*operands((condition, x, y))))


@implements(np.clip)
def clip(
    a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Array:
    """np.clip; either bound may be None."""
    low, high = a_min if min is None else min, a_max if max is None else max
    x = as_node(a)
    if low is not None:
        x = bounded_below(*operands((Array(x), low)))
    return Array(x if high is None else bounded_above(*operands((Array(x), high))))


@implements(np.sort)
def sort_(a: Any, axis: int | None = -1, kind: Any = None, stable: Any = None) -> Array:
    """np.sort."""
    x = ravel(a).node if axis is None else as_node(a)
    return Array(sort(x, (axis or 0) % x.ndim)[0])


@implements(np.argsort)
def argsort(a: Any, axis: int | None = -1, kind: Any = None, stable: Any = None) -> Array:
    """np.argsort, always stable."""
    x = ravel(a).node if axis is None else as_node(a)
    return Array(sort(x, (axis or 0) % x.ndim)[1])


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None) -> Array:
    """np.take."""
    a, axis = (ravel(a), 0) if axis is None else (a, axis % a.ndim)
    array = indices if isinstance(indices, Array) else np.asarray(indices)
    return a[(slice(None),) * int(axis or 0) + (array,)]


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int = -1) -> Array:
    """np.take_along_axis for indices that match the array off the axis."""
    x, i = together((arr, indices))
    return Array(take_along(x, i, axis % x.ndim))


METHODS.update({"clip": clip, "take": take, "argsort": argsort})
