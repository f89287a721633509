"""NumPy's functions that join arrays and take them apart, on handles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassgrad.array.handle import Array
from glassgrad.array.protocol import implements, present
from glassgrad.array.shapes import expand_dims, moveaxis, ravel, reshape
from glassgrad.array.together import together
from glassgrad.graph.errors import IndexRangeError, NoRuleError, ShapeError
from glassgrad.graph.family import broadcast_to, cast
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.reduce import one_axis
from glassgrad.ops.view import concatenate


@implements(np.concatenate)
def concatenate_(arrays: Sequence[Any], axis: int | None = 0) -> Array:
    """np.concatenate."""
    nodes = together(arrays)
    if axis is None:
        nodes = [ravel(Array(n)).node for n in nodes]
        axis = 0
    if any(n.ndim == 0 for n in nodes):
        raise ShapeError(f"concatenate: 0-d arrays cannot be joined: use np.stack{at_caller()}")
    return Array(concatenate(nodes, axis % nodes[0].ndim))


@implements(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0) -> Array:
    """np.stack."""
    nodes = together(arrays)
    if any(n.shape != nodes[0].shape for n in nodes):
        shapes = ", ".join(str(n.shape) for n in nodes)
        raise ShapeError(f"stack: all arrays must have one shape, not {shapes}{at_caller()}")
    return concatenate_([expand_dims(Array(n), axis) for n in nodes], axis)


@implements(np.hstack)
def hstack(tup: Sequence[Any]) -> Array:
    """np.hstack."""
    arrays = [Array(n) if n.ndim else reshape(Array(n), (1,)) for n in together(tup)]
    return concatenate_(arrays, 0 if arrays[0].ndim == 1 else 1)


@implements(np.vstack)
def vstack(tup: Sequence[Any]) -> Array:
    """np.vstack."""
    arrays = [Array(n) for n in together(tup)]
    return concatenate_([a if a.ndim > 1 else reshape(a, (1, -1)) for a in arrays], 0)


@implements(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Array:
    """np.column_stack: vectors as columns."""
    arrays = [Array(n) for n in together(tup)]
    return concatenate_([a if a.ndim > 1 else reshape(a, (-1, 1)) for a in arrays], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Array:
    """np.append."""
    return concatenate_((arr, values), axis)


@implements(np.dstack)
def dstack(tup: Sequence[Any]) -> Array:
    """np.dstack: along the third axis."""
    arrays = [Array(n) for n in together(tup)]
    grown = [reshape(a, (1, a.size, 1)) if a.ndim < 2 else a for a in arrays]
    return concatenate_([a if a.ndim > 2 else expand_dims(a, -1) for a in grown], 2)


@implements(np.block)
def block(arrays: Any) -> Array:
    """np.block: nested lists of blocks, the innermost joined along the last axis."""

    def depth_of(x: Any) -> int:
        return 1 + max(map(depth_of, x)) if isinstance(x, list) else 0

    def joined(x: Any, depth: int) -> Array:
        if not isinstance(x, list):
            return x if isinstance(x, Array) else Array(together([x])[0])
        parts = [joined(part, depth - 1) for part in x]
        ndim = max(depth, *(p.ndim for p in parts))
        parts = [p if p.ndim == ndim else reshape(p, (1,) * (ndim - p.ndim) + p.shape)
                 for p in parts]  # fmt: skip
        return concatenate_(parts, -depth)

    return joined(arrays, depth_of(arrays))


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    """np.insert of one block before a known place."""
    if not isinstance(obj, int | np.integer):
        raise NoRuleError(f"np.insert: one integer as the place has a rule{at_caller()}")
    x, new = (Array(n) for n in together((arr, values)))
    if axis is None:
        x, axis = ravel(x), 0
    along = one_axis(axis, x.ndim, "insert")
    n = x.shape[along]
    if not -n <= obj <= n:
        raise IndexRangeError(
            f"insert: place {obj} is out of range for axis {along} of length {n}{at_caller()}"
        )
    place = int(obj) + n if obj < 0 else int(obj)
    new = reshape(new, (1,) * (x.ndim - new.ndim) + new.shape) if new.ndim < x.ndim else new
    new = moveaxis(new, 0, along)
    shape = [new.shape[i] if i == along else x.shape[i] for i in range(x.ndim)]
    new = Array(cast(broadcast_to(new.node, tuple(shape)), x.dtype))
    head = (slice(None),) * along
    return concatenate_([x[(*head, slice(place))], new, x[(*head, slice(place, None))]], along)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Array:
    """np.delete of known places; traced ones are remembered as a guard."""
    obj = obj._guarded() if isinstance(obj, Array) else obj
    x = arr if axis is not None else ravel(arr)
    along = 0 if axis is None else one_axis(axis, x.ndim, "delete")
    kept = np.delete(np.arange(x.shape[along]), obj)
    return x[(*(slice(None),) * along, kept)]


@implements(*present("unstack"))
def unstack(x: Any, *, axis: int = 0) -> tuple[Array, ...]:
    """np.unstack: the slices along an axis, as views."""
    return tuple(moveaxis(x, axis, 0)[i] for i in range(x.shape[axis]))
