"""NumPy's functions that join arrays and take them apart, on handles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassgrad.array.handle import Array
from glassgrad.array.protocol import implements
from glassgrad.array.shapes import expand_dims, ravel, reshape
from glassgrad.array.together import together
from glassgrad.graph.errors import ShapeError
from glassgrad.graph.provenance import at_caller
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
