"""What the jobs of all kinds of data share: options, parts, the training, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.split import Split, split_rows
from glassgrad.data.stage import told_to
from glassgrad.train.history import Fit, Watcher
from glassgrad.train.metric import Figure
from glassgrad.train.report import TrainingReport
from glassgrad.train.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """What may be chosen of any training; None lets the size of the data decide."""

    lr: float = 1e-3
    epochs: int | None = None
    batch: int | None = None
    patience: int | None = None
    keep_best: str = "loss"
    seed: int = 0
    engine: str = "native"
    checkpoint: Path | None = None
    resume: bool = False


class Pace(NamedTuple):
    """Rows a step, passes over the rows, and passes without a better model that end the run."""

    batch: int
    epochs: int
    patience: int | None


class Task(Protocol):
    """Data made ready: the parts of the rows, and the arrays of some rows."""

    @property
    def parts(self) -> Split:
        """Which rows train, validate and test."""
        ...

    def arrays(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """What the loss takes besides the model."""
        ...


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


def fit_parts(
    trainer: Trainer,
    task: Task,
    options: JobOptions,
    pace: Pace,
    metric: Figure,
    watch: Watcher | None,
) -> Fit:
    """Train on the training part, judged on the validation part."""
    train, held = task.arrays(task.parts.train), task.arrays(task.parts.validation)
    with told_to(None):  # the watcher tells of the training
        return trainer.fit(
            train,
            pace.epochs,
            batch=pace.batch,
            validation=held,
            patience=pace.patience,
            metric=metric,
            keep_best=options.keep_best,
            seed=options.seed,
            watch=watch,
            checkpoint=options.checkpoint,
            resume=options.resume,
        )


def conclude(
    make: Callable[[TrainingReport], Any],
    fit: Fit,
    task: Task,
    options: JobOptions,
    held: Sized,
    metric: str,
    guess: tuple[str, Callable[[], float]],
) -> Outcome:
    """Make the predictor and test it on what was held out; `guess` needs no learning."""
    rows = len(task.parts.train), len(task.parts.validation), len(held)
    draft = TrainingReport(
        options.seed, options.engine, len(fit.history), fit.best, *rows, metric, 0.0
    )
    predictor = make(draft)
    scores = predictor.evaluate(held)
    predictor = replace(predictor, report=replace(draft, test_score=scores[metric]))
    words, baseline = guess
    return Outcome(predictor, fit, scores, baseline(), words)


def split_examples(
    rows: int, *, seed: int, tested: bool, shown: str, labels: np.ndarray | None = None
) -> Split:
    """A tenth to validate and, unless the test data stand elsewhere, a tenth to test.

    >>> s = split_examples(100, seed=0, tested=False, shown="d.txt")
    >>> len(s.train), len(s.validation), len(s.test)
    (81, 9, 10)
    """
    parts = split_rows(rows, seed=seed, test=0.1, validation=0.1, labels=labels, shown=shown)
    if not tested:
        return parts
    train = np.sort(np.concatenate([parts.train, parts.validation]))
    return Split(train, parts.test, np.array([], dtype=np.int64))


def commonest_class(train: np.ndarray, test: np.ndarray) -> tuple[str, Callable[[], float]]:
    """The guess that every row is of the commonest class of the training rows."""

    def share() -> float:
        if not len(test):
            raise BadInput("there is nothing to test on.")
        return float((test == np.bincount(train).argmax()).mean())

    return "always answering the commonest class", share
