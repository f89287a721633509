"""Progress for people: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import sys
import time
from typing import Any, TextIO

from glassgrad.train.history import Epoch

LINES = 12
"""About how many lines are written where there is no terminal."""

SHARES = ("accuracy", "precision", "recall")
"""Scores that are shares of one, as are all kinds of F1."""


def figure(value: float) -> str:
    """A number as people read it.

    >>> figure(52345.678), figure(0.98765), figure(0.000123)
    ('52,346', '0.9877', '0.000123')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def score(name: str, value: float) -> str:
    """A score with its name; shares are written in per cent.

    >>> score("accuracy", 0.98333), score("RMSE", 50123.4)
    ('accuracy 98.33%', 'RMSE 50,123')
    """
    share = name in SHARES or name.startswith("F1")
    return f"{name} {value:.2%}" if share else f"{name} {figure(value)}"


def describe_epoch(record: Epoch, metric: str) -> str:
    """The figures of an epoch in words."""
    parts = [f"loss {figure(record.loss)}"]
    if not math.isnan(record.validation):
        parts.append(f"validation {figure(record.validation)}")
    if not math.isnan(record.metric):
        parts.append(score(metric, record.metric))
    if not math.isnan(record.rate):
        parts.append(f"rate {figure(record.rate)}")
    return "  ".join(parts)


class PlainProgress:
    """Writes about a dozen lines, evenly spread over the epochs."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.epochs, self.metric = 0, ""
        self.last: Epoch | None = None
        self.written = 0

    def begin(self, epochs: int, batches: int, metric: str) -> None:
        """Remember how long it may take."""
        self.epochs, self.metric = epochs, metric

    def batch(self, epoch: int, batch: int, loss: float) -> None:
        """Nothing: a line a batch would be too many."""

    def epoch(self, record: Epoch) -> None:
        """Write the first epoch, and then every so many."""
        self.last = record
        if record.number == 1 or record.number % max(1, self.epochs // LINES) == 0:
            self._write(record)

    def close(self) -> None:
        """Write the last epoch, if it was not yet."""
        if self.last and self.last.number != self.written:
            self._write(self.last)

    def _write(self, record: Epoch) -> None:
        self.written = record.number
        text = describe_epoch(record, self.metric)
        print(f"epoch {record.number}/{self.epochs}  {text}", file=self.stream, flush=True)


class LiveProgress:
    """A bar over all epochs, drawn by rich, with the loss as it falls."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.bar: Any = None
        self.task: Any = None
        self.batches, self.metric, self.text, self.drawn = 1, "", "", 0.0

    def begin(self, epochs: int, batches: int, metric: str) -> None:
        """Draw the empty bar."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.batches, self.metric = batches, metric
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=Console(file=self.stream),
        )
        self.task = self.bar.add_task(
            "", total=epochs * batches, epoch=1, epochs=epochs, figures=""
        )
        self.bar.start()

    def batch(self, epoch: int, batch: int, loss: float) -> None:
        """Move the bar, at most twenty times a second."""
        now = time.perf_counter()
        if now - self.drawn > 0.05:
            self.drawn = now
            done = (epoch - 1) * self.batches + batch
            figures = self.text or f"loss {figure(loss)}"
            self.bar.update(self.task, completed=done, epoch=epoch, figures=figures)

    def epoch(self, record: Epoch) -> None:
        """Show the figures of the epoch."""
        self.text = describe_epoch(record, self.metric)
        done = record.number * self.batches
        self.bar.update(self.task, completed=done, epoch=record.number, figures=self.text)

    def close(self) -> None:
        """Leave the bar as it is."""
        self.bar.stop()


def progress(stream: TextIO | None = None) -> PlainProgress | LiveProgress:
    """A live bar when `stream` (standard error) is a terminal, plain lines otherwise."""
    chosen: TextIO = sys.stderr if stream is None else stream
    return LiveProgress(chosen) if chosen.isatty() else PlainProgress(chosen)
