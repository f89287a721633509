"""A text is a bag of n-grams; each casts a vote for each class, and the votes are added."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.graph.errors import ShapeError
from glassgrad.nn import Module
from glassgrad.text.vocabulary import PADDING

TEMPER = 0.3
"""The part of each ratio that training starts with: the n-grams of a text are not independent."""


class BagClassifier(Module):
    """Votes of shape (n-grams, classes) and a bias: the logits are sums of rows of `votes`.

    Row 0 belongs to the empty places beside short texts and never counts.

    >>> bag = BagClassifier(np.array([[9.0, 9.0], [0.0, 0.0], [1.0, -1.0]]), np.zeros(2))
    >>> bag(np.array([[2, 2, 0], [2, 0, 0]])).tolist()
    [[2.0, -2.0], [1.0, -1.0]]
    """

    votes: np.ndarray
    bias: np.ndarray

    @staticmethod
    def init(bags: np.ndarray, labels: np.ndarray, size: int, classes: int) -> BagClassifier:
        """Votes that are log-count ratios, as naive Bayes counts them (Wang and Manning 2012).

        The vote of an n-gram for a class is the logarithm of how much more often it occurs in
        texts of the class than in others, each count smoothed by one.
        """
        counts = np.zeros((size, classes))
        np.add.at(counts, (bags.ravel(), np.repeat(labels, bags.shape[1])), 1.0)
        counts[PADDING] = 0
        inside = (counts + 1) / (counts + 1).sum(axis=0)
        rest = counts.sum(axis=1, keepdims=True) - counts + 1
        ratio = np.log(inside) - np.log(rest / rest.sum(axis=0))
        ratio[PADDING] = 0
        shares = np.bincount(labels, minlength=classes) / len(labels)
        # Two classes share one ratio with both signs: half of it each makes the sum right.
        weight = TEMPER * (0.5 if classes == 2 else 1.0)
        votes = (weight * ratio).astype(np.float32)
        return BagClassifier(votes, np.log(shares).astype(np.float32))

    def __call__(self, bags: Any) -> Any:
        """The logits (texts, classes) of rows of n-gram numbers (texts, width)."""
        votes = np.where((bags != PADDING)[:, :, None], self.votes[bags], 0)
        return np.sum(votes, axis=1) + self.bias

    def validate(self) -> None:
        """Refuse arrays that make no classifier."""
        votes, bias = self.votes, self.bias
        if votes.ndim != 2 or votes.dtype.kind != "f" or bias.shape != votes.shape[1:]:
            raise ShapeError(
                f"votes {votes.dtype}{list(votes.shape)} and bias {list(bias.shape)} make no "
                "classifier: (n-grams, classes) and (classes,) are needed"
            )
