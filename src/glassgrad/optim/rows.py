"""Rows of a table that a gradient touched: the others stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

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
