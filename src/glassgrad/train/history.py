"""What a training run did, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Epoch:
    """The figures of one pass over the data; nan where there was nothing to measure."""

    number: int
    loss: float
    validation: float
    metric: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Fit:
    """The result of a run: the best model, the state of the optimiser, and the history.

    `stopped` says why the run ended: all epochs done, no better validation loss within the
    patience, Ctrl-C, or a loss that was no longer finite. `best` is the epoch of the model,
    0 when none was completed.
    """

    model: Any
    state: Any
    history: tuple[Epoch, ...]
    best: int
    stopped: Literal["epochs", "early", "interrupted", "diverged"]


class Watcher(Protocol):
    """Something that looks on while training runs, such as a progress bar."""

    def begin(self, epochs: int, batches: int, metric: str) -> None:
        """Training starts."""
        ...

    def batch(self, epoch: int, batch: int, loss: float) -> None:
        """A batch was done; `loss` is the mean of the epoch so far."""
        ...

    def epoch(self, record: Epoch) -> None:
        """An epoch was done."""
        ...

    def close(self) -> None:
        """Training ended, however it did."""
        ...


class Silent:
    """A watcher that says nothing."""

    def begin(self, epochs: int, batches: int, metric: str) -> None:
        """Say nothing."""

    def batch(self, epoch: int, batch: int, loss: float) -> None:
        """Say nothing."""

    def epoch(self, record: Epoch) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""
