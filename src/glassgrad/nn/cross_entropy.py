"""Cross-entropies from logits, for classes and for yes or no, and of two distributions.

Classes stand on the last axis. A target is a class number, or a probability for each class. Terms
of probability 0 are 0, whatever the logits are: there is no 0·log 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array.special import softplus
from glassgrad.graph.errors import CalculusError, IndexRangeError, ShapeError
from glassgrad.nn.loss import reduced, same_shape
from glassgrad.transform.stop import stop_gradient


def cross_entropy(
    logits: Any,
    target: Any,
    *,
    weights: Any = None,
    smoothing: float = 0.0,
    reduction: str = "mean",
) -> Any:
    """-Σ p·log softmax(logits) over the classes, with p the target.

    Logits (..., classes). The target: whole numbers (...), the classes; or floats (..., classes),
    their probabilities. `smoothing` mixes that part of the uniform distribution into the target.
    `weights` (classes,) multiply each class's term; the mean over class numbers is then divided by
    the sum of the weights of these classes, as PyTorch's is. A class number that there is not is
    an error, and in compiled code, where numbers are not looked at, a loss of nan.

    >>> float(cross_entropy(np.array([[1000.0, 0.0, 0.0]]), np.array([1])))
    1000.0
    >>> logits = np.log([[0.4, 0.4, 0.2]])
    >>> round(float(cross_entropy(logits, np.array([[0.5, 0.25, 0.25]]))), 12)
    1.089577527014
    """
    logits = logits if hasattr(logits, "dtype") else np.asarray(logits, float)
    target = target if hasattr(target, "dtype") else np.asarray(target)
    if _is_soft(logits, target):
        wanted, chosen = target, None
    else:
        _check_labels(logits, target)
        wanted = chosen = np.arange(logits.shape[-1]) == target[..., None]
    top = stop_gradient(np.max(logits, axis=-1, keepdims=True))  # the loss is the same for any
    shifted = logits - top
    normaliser = np.log(np.sum(np.exp(shifted), axis=-1))
    if chosen is not None and weights is None and not smoothing:
        losses = normaliser - np.sum(np.where(chosen, shifted, 0), axis=-1)
        return reduced("cross_entropy", _known(losses, chosen, target), reduction)
    surprise = normaliser[..., None] - shifted
    p = _smoothed(np.where(chosen, 1, 0) if chosen is not None else wanted, surprise, smoothing)
    terms = np.where(p == 0, 0, p * surprise)
    total = None
    if weights is not None:
        _check_weights(logits, weights)
        terms = terms * np.asarray(weights, terms.dtype)
        if chosen is not None:
            total = np.sum(np.where(chosen, np.asarray(weights, terms.dtype), 0))
    losses = _known(np.sum(terms, axis=-1), chosen, target)
    return reduced("cross_entropy", losses, reduction, total)


def _is_soft(logits: Any, target: Any) -> bool:
    return np.shape(target) == np.shape(logits) and target.dtype.kind == "f"


def _smoothed(p: Any, like: Any, part: float) -> Any:
    """The probabilities in the dtype of the logits, mixed with the uniform distribution."""
    p = p.astype(like.dtype)
    return p * (1 - part) + part / like.shape[-1] if part else p


def _check_labels(logits: Any, labels: Any) -> None:
    if np.ndim(logits) < 1 or np.shape(labels) != np.shape(logits)[:-1]:
        raise ShapeError(
            f"cross_entropy: logits of shape {tuple(np.shape(logits))} need one label an example, "
            f"shape {tuple(np.shape(logits)[:-1])}, or one probability a class, but the labels "
            f"have shape {tuple(np.shape(labels))}."
        )
    if labels.dtype.kind not in "iu":
        raise ShapeError(
            f"cross_entropy: class numbers are whole numbers, not {labels.dtype}; probabilities "
            f"have the shape of the logits, {tuple(np.shape(logits))}."
        )
    if isinstance(labels, np.ndarray) and labels.size:
        classes = logits.shape[-1]
        if labels.min() < 0 or labels.max() >= classes:
            worst = labels.min() if labels.min() < 0 else labels.max()
            raise IndexRangeError(
                f"cross_entropy: label {worst} is no class; there are {classes}, from 0 to "
                f"{classes - 1}."
            )


def _known(losses: Any, chosen: Any, labels: Any) -> Any:
    """The losses, nan for a traced label that is no class: it shall not train in silence."""
    if chosen is None or isinstance(labels, np.ndarray):
        return losses
    known = (labels >= 0) & (labels < chosen.shape[-1])
    return losses + np.where(known, 0.0, np.nan).astype(losses.dtype)


def _check_weights(logits: Any, weights: Any) -> None:
    if np.shape(weights) != np.shape(logits)[-1:]:
        raise ShapeError(
            f"cross_entropy: weights of shape {tuple(np.shape(weights))}; "
            f"{np.shape(logits)[-1]} classes need one each."
        )


def binary_cross_entropy(
    logits: Any,
    target: Any,
    *,
    positive_weight: Any = 1.0,
    smoothing: float = 0.0,
    reduction: str = "mean",
) -> Any:
    """-y·log σ(z) - (1 - y)·log(1 - σ(z)) for logits z and probabilities y of the same shape.

    `positive_weight`, a number or an array that fits, multiplies the first term; `smoothing` moves
    y towards 1/2 by that part.

    >>> float(binary_cross_entropy(np.array([1000.0]), np.array([0.0])))
    1000.0
    """
    same_shape("binary_cross_entropy", logits, target)
    logits = logits if hasattr(logits, "dtype") else np.asarray(logits, float)
    y = target if hasattr(target, "astype") else np.asarray(target)
    y = y.astype(logits.dtype)
    if np.ndim(positive_weight):
        positive_weight = np.asarray(positive_weight, logits.dtype)
    if smoothing:
        y = y * (1 - smoothing) + smoothing / 2
    yes = np.where(y == 0, 0, y * softplus(-logits))
    no = np.where(y == 1, 0, (1 - y) * softplus(logits))
    return reduced("binary_cross_entropy", positive_weight * yes + no, reduction)


def cross_entropy_between(p: Any, q: Any, *, reduction: str = "mean") -> Any:
    """-Σ p·log q of two distributions over the last axis; what p never does costs nothing.

    >>> p, q = np.array([0.5, 0.25, 0.25]), np.array([0.4, 0.4, 0.2])
    >>> round(float(cross_entropy_between(p, q)), 12)
    1.089577527014
    >>> float(cross_entropy_between(np.array([1.0, 0.0]), np.array([1.0, 0.0])))
    0.0
    """
    if np.shape(p) != np.shape(q):
        raise CalculusError(
            f"cross_entropy_between: p has shape {tuple(np.shape(p))}, q {tuple(np.shape(q))}"
        )
    surprise = -np.log(np.where(p == 0, 1, q))
    return reduced("cross_entropy_between", np.sum(p * surprise, axis=-1), reduction)
