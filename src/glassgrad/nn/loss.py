"""Losses of numbers: a prediction and the truth, of the same shape, make one number.

Every loss takes `reduction`: "mean" over all entries, "sum", or "none" for each entry by itself.
They are never exchanged silently: the gradients differ by the number of examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.graph.errors import CalculusError, ShapeError
from glassgrad.transform.tree import flatten


def same_shape(name: str, prediction: Any, target: Any) -> None:
    """Refuse shapes that NumPy would broadcast, such as (N,) against (N, 1)."""
    if np.shape(prediction) != np.shape(target):
        raise ShapeError(
            f"{name}: the prediction has shape {tuple(np.shape(prediction))} and the "
            f"target {tuple(np.shape(target))}. NumPy would pair every one with every other; "
            "reshape one of them, for instance target[:, None]."
        )


def reduced(name: str, losses: Any, reduction: str, weight: Any = None) -> Any:
    """Losses as asked for; a mean is divided by `weight` instead of their number, if given."""
    if reduction == "none":
        return losses
    if reduction == "sum":
        return np.sum(losses)
    if reduction == "mean":
        return np.mean(losses) if weight is None else np.sum(losses) / weight
    raise CalculusError(f"{name}: reduction is 'mean', 'sum' or 'none', not {reduction!r}")


def squared_error(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """(prediction - target)²; both must have the same shape.

    >>> float(squared_error(np.array([1.0, 3.0]), np.array([1.0, 1.0])))
    2.0
    """
    same_shape("squared_error", prediction, target)
    return reduced("squared_error", np.subtract(prediction, target) ** 2, reduction)


def absolute_error(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """|prediction - target|; its derivative where they are equal is 0.

    >>> float(absolute_error(np.array([1.0, 3.0]), np.array([1.0, 1.0])))
    1.0
    """
    same_shape("absolute_error", prediction, target)
    return reduced("absolute_error", np.abs(np.subtract(prediction, target)), reduction)


def huber(prediction: Any, target: Any, *, delta: float = 1.0, reduction: str = "mean") -> Any:
    """d²/2 for differences d up to `delta`, delta·(|d| - delta/2) beyond: squared, then straight.

    >>> huber(np.array([0.5, 3.0]), np.zeros(2), reduction="none").tolist()
    [0.125, 2.5]
    """
    same_shape("huber", prediction, target)
    if delta <= 0:
        raise CalculusError(f"huber: delta is positive, not {delta}")
    size = np.abs(np.subtract(prediction, target))
    near = np.minimum(size, delta)  # d²/2 near 0, and delta·|d| - delta²/2 beyond
    return reduced("huber", near * (size - near / 2), reduction)


def l2(params: Any, *, vectors: bool = False) -> Any:
    """The sum of the squares of all weights: weight decay as a term of the loss that one sees.

    Arrays with at least two axes count; offsets and scales, which have one, count with `vectors`.
    The gradient of λ·l2 is 2λ times the weights.

    >>> float(l2({"W": np.array([[1.0, 2.0]]), "b": np.array([5.0])}))
    5.0
    """
    leaves = [p for p in flatten(params)[0] if vectors or np.ndim(p) > 1]
    parts = [np.sum(p**2) for p in leaves]
    return sum(parts[1:], parts[0]) if parts else np.float64(0)
