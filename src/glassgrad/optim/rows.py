"""Rows of a table that a gradient touched: the others stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.array.handle import Array, as_node
from glassgrad.diff.row_sparse import row_sparse
from glassgrad.optim.optimiser import Slots


def touched(g: Any) -> Any:
    """Which rows of a gradient are not all zero, in a shape that broadcasts against it.

    >>> touched(np.array([[0.0, 1.0], [0.0, 0.0]])).tolist()
    [[True], [False]]
    """
    used = g != 0
    axes = tuple(range(1, g.ndim))
    return np.any(used, axis=axes, keepdims=True) if axes else used


def where_touched(g: Any, new: Slots, old: Slots) -> Slots:
    """The new arrays in the rows that the gradient touched, the old ones elsewhere."""
    chosen = touched(g)
    return {name: np.where(chosen, new[name], old[name]) for name in new}


def used_rows(g: Any) -> Array | None:
    """The rows that a row-sparse gradient was read from, some perhaps twice; None for any other.

    A traced gradient says which they are: rows added into zeros, a sum of such, or a multiple.
    """
    found = row_sparse(g.node) if isinstance(g, Array) else None
    return None if found is None else Array(found.places)


def change_rows(rows: Array, before: Slots, change: Callable[[Slots], Slots]) -> Slots:
    """The arrays of `before` with some rows changed; a row that is named twice changes once.

    `change` is given the rows of every array and gives those that are new.
    """
    trace = rows.node.trace
    handles = {name: Array(as_node(x, trace)) for name, x in before.items()}
    new = change({name: x[rows] for name, x in handles.items()})
    for name, part in new.items():
        handles[name][rows] = part
    return {name: handles[name] for name in new}
