"""A bar for work that takes long, such as reading a large file; nothing for what is quick."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import Any, TextIO

from glassgrad.data.stage import told_to

DELAY = 0.5
"""Seconds that a stage may take without a bar."""


class WaitingBar:
    """Shows the stage at work, once it has taken a while; a timer looks, the work goes on."""

    def __init__(self, stream: TextIO, delay: float = DELAY) -> None:
        self.stream, self.delay = stream, delay
        self.lock = Lock()
        self.timer: Timer | None = None
        self.bar: Any = None
        self.task: Any = None
        self.what, self.total, self.done, self.drawn = "", None, 0, 0.0
        self.depth = 0

    def begin(self, what: str, total: int | None) -> None:
        """Remember the stage, and look at it later; stages inside a stage are not shown."""
        self.depth += 1
        if self.depth == 1:
            self.what, self.total, self.done = what, total, 0
            self.timer = Timer(self.delay, self._show)
            self.timer.daemon = True
            self.timer.start()

    def advance(self, done: int) -> None:
        """Move the bar, at most twenty times a second."""
        if self.depth == 1:
            self.done = done
            if self.bar is not None and (now := time.perf_counter()) - self.drawn > 0.05:
                self.drawn = now
                self.bar.update(self.task, completed=done)

    def end(self) -> None:
        """The stage is over."""
        self.depth -= 1
        if self.depth == 0:
            self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self.timer is not None:
            self.timer.cancel()
        with self.lock:
            self.timer = None
            if self.bar is not None:
                self.bar.stop()
            self.bar = None

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        with self.lock:
            if self.timer is None or self.bar is not None:  # the stage ended meanwhile
                return
            bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TimeElapsedColumn(),
                console=Console(file=self.stream),
                transient=True,
            )
            self.task = bar.add_task(self.what, total=self.total, completed=self.done)
            bar.start()
            self.bar = bar


@contextmanager
def waiting_bars(stream: TextIO, delay: float = DELAY) -> Iterator[None]:
    """Show a bar for every long stage of the work inside, if `stream` is a terminal."""
    if not stream.isatty():
        yield
        return
    bar = WaitingBar(stream, delay)
    try:
        with told_to(bar):
            yield
    finally:
        bar.close()
