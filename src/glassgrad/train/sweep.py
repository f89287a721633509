"""One pass over shuffled rows: the loop over batches is part of the compiled program.

Each call runs as many batches as take about a twentieth of a second, then comes back, so that a
progress bar moves and Ctrl-C is heard; how the batches are dealt out to calls changes no bit.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from glassgrad.data.batches import batch_order, count_rows
from glassgrad.transform.branch import while_loop
from glassgrad.transform.jit import jit

AWAY = 0.05
"""Seconds that a call may take before it comes back."""

Leaves = tuple[Any, ...]
Step = Callable[..., tuple[Leaves, Any, Any]]


class Reached(NamedTuple):
    """How far a pass has come: leaves, batches done, mean loss so far, latest learning rate."""

    leaves: Leaves
    done: int
    loss: float
    rate: float


class Sweep:
    """A compiled pass of `step` over batches of `size` rows of `data`.

    `step(leaves, *batch)` gives the new leaves, the loss and the learning rate. It becomes the body
    of a loop that takes the rows of each batch by their numbers, so no batch is ever built in
    Python. Where the last batch is short, the one program is for batches of every size. Leaves that
    are truth values are structure: they stay what they are.
    """

    def __init__(self, step: Step, data: Sequence[np.ndarray], size: int, engine: str) -> None:
        self.rows = count_rows(data)
        self.size = min(size, self.rows)
        self.batches = -(-self.rows // self.size)
        self.data = tuple(np.ascontiguousarray(a) for a in data)
        self._step = step
        batch = "order" if self.rows % self.size else ()
        self._several = jit(self._loop, engine=engine, donate="moving", batch=batch)
        self._at_once = 1

    def run(self, leaves: Leaves, generator: np.random.Generator) -> Iterator[Reached]:
        """Passes over the rows in a new order, and tells now and then how far it has come.

        The leaves that are passed in are never changed; those that come out
        are, by going on.
        """
        fixed, moving = _parted(leaves)
        moving = tuple(np.array(leaf) for leaf in moving)
        rate, done, seen, summed = np.float64(0), 0, 0, 0.0  # rows, and the sum of their losses
        for order, count in _blocks(*batch_order(self.rows, self.size, generator)):
            total, begun = np.float64(0), 0
            while begun < count:
                stop = min(begun + self._at_once, count)
                started = time.perf_counter()
                with interrupts_held():
                    moving, total, rate = self._several(
                        fixed, moving, total, rate, np.int64(begun), np.int64(stop), order,
                        *self.data,
                    )  # fmt: skip
                self._pace(stop - begun, time.perf_counter() - started)
                begun = stop
                loss = (summed + float(total) * len(order)) / (seen + begun * len(order))
                yield Reached(_joined(fixed, moving), done + begun, loss, float(rate))
            done, seen = done + count, seen + count * len(order)
            summed += float(total) * len(order)

    def _pace(self, count: int, seconds: float) -> None:
        """Chooses how many batches the next call takes; a first call is mostly compilation."""
        wanted = int(AWAY * count / max(seconds, 1e-9))
        self._at_once = max(1, min(wanted, 4 * self._at_once))

    def _loop(
        self, fixed: Leaves, moving: Leaves, total: Any, rate: Any, start: Any, stop: Any,
        order: Any, *data: Any,
    ) -> tuple[Leaves, Any, Any]:  # fmt: skip
        """The batches from `start` up to `stop` as one function of arrays."""

        def one(carry: Any) -> Any:
            i, moving, total, _ = carry
            rows = order[:, i]
            batch = (np.take(a, rows, axis=0) for a in data)
            new, loss, rate = self._step(_joined(fixed, moving), *batch)
            return i + 1, _parted(new)[1], total + loss, rate

        _, *found = while_loop(lambda carry: carry[0] < stop, one, (start, moving, total, rate))
        return tuple(found)  # pyright: ignore


def _blocks(full: np.ndarray, last: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Orders and how many of their columns are batches; those of the last are copies of one."""
    batches = full.shape[1]
    yield np.ascontiguousarray(full), batches
    if last.size:
        yield np.repeat(last[:, None], batches, axis=1), 1


def _parted(leaves: Leaves) -> tuple[Leaves, Leaves]:
    """The truth values, None elsewhere, and the leaves that a step changes."""
    fixed = tuple(leaf if isinstance(leaf, bool) else None for leaf in leaves)
    return fixed, tuple(leaf for leaf in leaves if not isinstance(leaf, bool))


def _joined(fixed: Leaves, moving: Leaves) -> Leaves:
    left = iter(moving)
    return tuple(next(left) if leaf is None else leaf for leaf in fixed)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C is raised when the block ends, so that what it computes is whole; a second at once."""
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []

    def hear(number: int, frame: Any) -> None:
        heard.append(number)
        if len(heard) > 1:
            signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if heard:
        raise KeyboardInterrupt
