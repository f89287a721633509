"""Losses: a prediction and the truth make one number, the mean over the examples."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.graph.errors import ShapeError


def squared_error(prediction: Any, target: Any) -> Any:
    """The mean of (prediction - target)²; both must have the same shape.

    >>> float(squared_error(np.array([1.0, 3.0]), np.array([1.0, 1.0])))
    2.0
    """
    if np.shape(prediction) != np.shape(target):
        raise ShapeError(
            f"squared_error: the prediction has shape {tuple(np.shape(prediction))} and the "
            f"target {tuple(np.shape(target))}. NumPy would pair every one with every other; "
            "reshape one of them, for instance target[:, None]."
        )
    return np.mean((prediction - target) ** 2)


def log_softmax(logits: Any) -> Any:
    """The logarithms of softmax over the last axis, safe for logits of any size.

    >>> log_softmax(np.array([1000.0, 0.0, 0.0])).tolist()
    [0.0, -1000.0, -1000.0]
    """
    shifted = logits - np.max(logits, axis=-1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))


def softmax(logits: Any) -> Any:
    """Probabilities over the last axis.

    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    return np.exp(log_softmax(logits))


def cross_entropy(logits: Any, labels: Any) -> Any:
    """The mean of -log softmax(logits) at the labels.

    Logits (examples, classes), labels whole numbers of shape (examples,).

    >>> float(cross_entropy(np.array([[1000.0, 0.0, 0.0]]), np.array([1])))
    1000.0
    """
    if np.ndim(logits) != 2 or np.shape(labels) != np.shape(logits)[:1]:
        raise ShapeError(
            f"cross_entropy: logits of shape {tuple(np.shape(logits))} need one label an example, "
            f"shape ({np.shape(logits)[0] if np.ndim(logits) else 'n'},), "
            f"but the labels have shape {tuple(np.shape(labels))}."
        )
    chosen = np.arange(logits.shape[1]) == labels[:, None]
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    normaliser = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(normaliser - np.sum(np.where(chosen, shifted, 0), axis=1))
