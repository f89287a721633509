"""Contenders in turn, each in a process of its own, on the same machine at the same time.

The rounds of all contenders are interleaved, so that a machine that slows down for a while slows
all of them. Each round begins when the threads of the one before sleep, with steps that are not
timed, for the same length of time for all. Before the race all must agree on the numbers of the
first steps.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from glassgrad.bench.digest import differ
from glassgrad.bench.process import Failed, Worker
from glassgrad.bench.workload import OWN, Contenders, Options, Report, Row, against_best

ROUND = 0.001  # seconds; short, so that most rounds are not interrupted
BUDGET, QUICK_BUDGET = 20.0, 0.3  # seconds for the rounds of a workload
MOST, FEWEST = 1000, 3  # rounds of a contender


@dataclass(frozen=True)
class Race:
    """A workload whose step is made again and again; `bar`: best peer / glassgrad.

    First steps agree within `relative`, or within `absolute` where the numbers are rounding errors.
    """

    name: str
    title: str
    contenders: Contenders
    bar: float
    relative: float = 1e-3
    absolute: float = 0.0

    def measure(self, options: Options) -> Report:
        """The times of one step."""
        with ExitStack() as stack:
            workers, left_out = self.ready(options, stack)
            steps = {w: calibrated(w, ROUND) for w in workers}
            budget = QUICK_BUDGET if options.quick else BUDGET
            rounds = max(FEWEST, min(MOST, int(budget / lap(steps))))
            times: dict[str, list[float]] = {w.name: [] for w in workers}
            order = random.Random(0)
            for _ in range(rounds):
                order.shuffle(workers)  # nobody always follows the same one
                for worker in workers:
                    times[worker.name].append(worker.seconds(steps[worker]) / steps[worker])
        rows = tuple(Row(n, statistics.median(t), min(t)) for n, t in times.items())
        return Report(self.name, self.title, "s", rows, against_best(rows, self.bar), left_out)

    def ready(self, options: Options, stack: ExitStack) -> tuple[list[Worker], dict[str, str]]:
        """The workers that have made their first steps, and why other contenders are left out."""
        contenders, left_out = options.taking_part(self.contenders)
        started = [stack.enter_context(Worker(self.name, name)) for name in contenders]
        found: dict[str, list[list[float]]] = {}
        for worker in started:
            try:
                found[worker.name] = worker.first_steps()
            except Failed as error:
                if worker.name.startswith(OWN):
                    raise
                left_out[worker.name] = str(error)
        self.agree(found)
        return [w for w in started if w.name in found], left_out

    def agree(self, found: Mapping[str, Sequence[Sequence[float]]]) -> None:
        """Refuses a race between contenders that compute different things."""
        (first, steps), *others = found.items()
        for name, theirs in others:
            for i, (a, b) in enumerate(zip(steps, theirs, strict=True)):
                if differ(a, b, self.relative, self.absolute):
                    raise Failed(f"{self.name}, step {i}: {name} computes {b}, but {first} {a}")


def lap(steps: Mapping[Worker, int]) -> float:
    """How long one round of everybody takes, with all that is not timed."""
    start = time.perf_counter()
    for worker, count in steps.items():
        worker.seconds(count)
    return time.perf_counter() - start


def calibrated(worker: Worker, length: float) -> int:
    """How many steps make a round of that length."""
    steps = 1
    while (taken := worker.seconds(steps)) < length / 4:
        steps *= 2
    return max(1, round(steps * length / taken))
