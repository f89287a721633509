"""What a job comes to: a predictor, how its training went, its scores, and what a guess scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.split import Split, split_rows
from glassgrad.train.history import Fit


@dataclass(frozen=True)
class TrainingReport:
    """How a predictor came to be: seed, epochs, rows of each part, and its test score."""

    seed: int
    engine: str
    epochs: int
    best_epoch: int
    rows_train: int
    rows_validation: int
    rows_test: int
    metric: str
    test_score: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trained predictor with its scores on what was held out.

    `guess` says what needs no learning, such as "always answering the mean", and `baseline` is
    its score.
    """

    predictor: Any
    fit: Fit
    scores: dict[str, float]
    baseline: float
    guess: str

    @property
    def report(self) -> TrainingReport:
        """How the predictor came to be."""
        return self.predictor.report


def draft_report(
    fit: Fit, parts: Split, tested: int, *, seed: int, engine: str, metric: str
) -> TrainingReport:
    """The report of a run whose test has not been made yet."""
    rows = len(parts.train), len(parts.validation), tested
    return TrainingReport(seed, engine, len(fit.history), fit.best, *rows, metric, 0.0)


def split_examples(
    rows: int, *, seed: int, tested: bool, labels: np.ndarray | None = None
) -> Split:
    """A tenth to validate and, unless the test data stand elsewhere, a tenth to test.

    >>> s = split_examples(100, seed=0, tested=False)
    >>> len(s.train), len(s.validation), len(s.test)
    (81, 9, 10)
    """
    parts = split_rows(rows, seed=seed, test=0.1, validation=0.1, labels=labels)
    if not tested:
        return parts
    train = np.sort(np.concatenate([parts.train, parts.validation]))
    return Split(train, parts.test, np.array([], dtype=np.int64))


def share_of_commonest(train: np.ndarray, test: np.ndarray) -> float:
    """The accuracy of always answering the commonest class of the training data."""
    if not len(test):
        raise BadInput("there is nothing to test on.")
    return float((test == np.bincount(train).argmax()).mean())
