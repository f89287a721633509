"""How a predictor came to be; saved with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingReport:
    """Seed, epochs, rows of each part, and the score on the test rows."""

    seed: int
    engine: str
    epochs: int
    best_epoch: int
    rows_train: int
    rows_validation: int
    rows_test: int
    metric: str
    test_score: float
