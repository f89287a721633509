"""What a training run did, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Epoch:
    """The figures of one pass over the data; nan where there was nothing to measure.

    `metric` is the first of the metrics, `figures` holds them all by name; `rate` is the learning
    rate of the last step.
    """

    number: int
    loss: float
    validation: float = math.nan
    metric: float = math.nan
    seconds: float = math.nan
    figures: tuple[tuple[str, float], ...] = ()
    rate: float = math.nan


class History(tuple[Epoch, ...]):
    """The epochs of a run in order; it draws itself in a notebook."""

    __slots__ = ()

    def svg(self) -> str:
        """The curves of the losses, and of the metrics, as a picture."""
        from glassgrad.train.curves import draw_history

        return draw_history(self)

    def _repr_html_(self) -> str:
        return self.svg()


@dataclass(frozen=True, eq=False)
class Fit:
    """The result of a run: the best model, the state of the optimiser, and the history.

    `stopped` says why the run ended: all epochs done, no better model within the patience, Ctrl-C,
    or a loss that was no longer finite. `best` is the epoch of the model, 0 when none was
    completed. `statistics` are the running ones that belong to the model.
    """

    model: Any
    state: Any
    history: History
    best: int
    stopped: Literal["epochs", "early", "interrupted", "diverged"]
    statistics: Any = None


class Watcher(Protocol):
    """Something that looks on while training runs, such as a progress bar."""

    def begin(self, epochs: int, batches: int, metric: str) -> None:
        """Training starts."""
        ...

    def batch(self, epoch: int, batch: int, loss: float) -> None:
        """So many batches of the epoch are done, `loss` is their mean; told every 50 ms or so."""
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


class Several:
    """Several watchers as one; each is told everything, in order."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self.watchers = tuple(watchers)

    def begin(self, epochs: int, batches: int, metric: str) -> None:
        """Tell them that training starts."""
        for watcher in self.watchers:
            watcher.begin(epochs, batches, metric)

    def batch(self, epoch: int, batch: int, loss: float) -> None:
        """Tell them of a batch."""
        for watcher in self.watchers:
            watcher.batch(epoch, batch, loss)

    def epoch(self, record: Epoch) -> None:
        """Tell them of an epoch."""
        for watcher in self.watchers:
            watcher.epoch(record)

    def close(self) -> None:
        """Tell them that training ended."""
        for watcher in self.watchers:
            watcher.close()
