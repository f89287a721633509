"""Figures that say how good predictions are."""

from __future__ import annotations

import numpy as np

from glassgrad.nn import log_softmax


def number_scores(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """RMSE and MAE in the target's units, and R², the share of the variance explained.

    >>> number_scores(np.array([1.0, 3.0]), np.array([1.0, 1.0]))["RMSE"]
    1.4142135623730951
    """
    error = predicted - truth
    variance = float(((truth - truth.mean()) ** 2).mean())
    squared = float((error**2).mean())
    return {
        "RMSE": squared**0.5,
        "MAE": float(np.abs(error).mean()),
        "R2": 1 - squared / variance if variance > 0 else float(squared == 0),
    }


def class_scores(logits: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """The share of right answers, and the mean surprise -log p(truth) in nats.

    >>> class_scores(np.array([[2.0, 0.0], [2.0, 0.0]]), np.array([0, 1]))["accuracy"]
    0.5
    """
    chance = log_softmax(logits.astype(float))[np.arange(len(truth)), truth]
    return {
        "accuracy": float((logits.argmax(axis=1) == truth).mean()),
        "log loss": float(-chance.mean()),
    }
