"""Processes that work through pieces; one that dies is named with the seed it was at, and replaced.

A process is given a new one after some pieces, since machine code that was linked stays in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

RENEWED = 20  # pieces
HUNG = 120.0  # seconds for one seed

Piece = tuple[int, int]
Ask = Callable[[int], Any]


class Worker:
    """A process that is busy with one piece; `now` holds the seed it is at."""

    def __init__(self, target: Callable[..., None], options: Any) -> None:
        context = get_context("spawn")
        self.near, far = context.Pipe()
        self.now = context.Value("q", -1)
        self.piece: Piece | None = None
        self.done, self.seen, self.since = 0, -1, time.monotonic()
        self.process = context.Process(target=target, args=(far, self.now, options), daemon=True)
        self.process.start()
        far.close()

    def give(self, piece: Piece, without: Sequence[int]) -> None:
        """The next piece, but for some seeds."""
        self.piece, self.since = piece, time.monotonic()
        self.near.send((piece, list(without)))

    def hangs(self) -> bool:
        """Whether it has been at one seed for too long."""
        if self.now.value != self.seen:
            self.seen, self.since = self.now.value, time.monotonic()
        return self.piece is not None and time.monotonic() - self.since > HUNG

    def end(self) -> None:
        """Ends the process."""
        self.process.terminate()
        self.process.join()
        self.near.close()


def work(
    pieces: Sequence[Piece], processes: int, target: Callable[..., None], options: Any
) -> Iterator[tuple[Piece, Any, list[str]]]:
    """Each piece with what its process said of it, and the deaths on the way."""
    waiting = list(reversed(pieces))
    deaths: dict[Piece, dict[int, str]] = {}
    workers: list[Worker] = []
    try:
        while waiting or any(w.piece for w in workers):
            while waiting and len(workers) < processes:
                workers.append(Worker(target, options))
                _next(workers[-1], waiting, deaths)
            ready = wait([w.near for w in workers], 5.0)
            for worker in list(workers):
                piece = worker.piece
                assert piece is not None
                if worker.near in ready:
                    answer = _received(worker)
                    if answer is not None:
                        yield piece, answer, list(deaths.pop(piece, {}).values())
                        worker.piece, worker.done = None, worker.done + 1
                        if waiting and worker.done < RENEWED:
                            _next(worker, waiting, deaths)
                            continue
                    else:
                        code = worker.process.exitcode
                        _died(worker, deaths, waiting, f"the process ended with {code}")
                elif worker.hangs():
                    _died(worker, deaths, waiting, f"it hung for {HUNG:.0f} s")
                else:
                    continue
                worker.end()
                workers.remove(worker)
    finally:
        for worker in workers:
            worker.end()


def _next(worker: Worker, waiting: list[Piece], deaths: dict[Piece, dict[int, str]]) -> None:
    piece = waiting.pop()
    worker.give(piece, [*deaths.get(piece, {})])


def _received(worker: Worker) -> Any:
    try:
        return worker.near.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        return None


def _died(
    worker: Worker, deaths: dict[Piece, dict[int, str]], waiting: list[Piece], why: str
) -> None:
    assert worker.piece is not None
    seed = worker.now.value
    deaths.setdefault(worker.piece, {})[seed] = f"seed {seed}: died: {why}"
    waiting.append(worker.piece)


def serve(pipe: Connection, now: Any, ask: Callable[[Piece, Sequence[int], Any], Any]) -> None:
    """What a process does: pieces in, answers out, until nobody asks."""
    while True:
        try:
            piece, without = pipe.recv()
        except EOFError:
            return
        pipe.send(ask(piece, without, now))
