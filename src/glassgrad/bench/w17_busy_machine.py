"""W17: W4 to W9 while other processes keep all cores busy, against the same on a quiet machine."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from glassgrad.bench.process import Worker
from glassgrad.bench.race import Race, calibrated
from glassgrad.bench.workload import (
    OWN,
    Contenders,
    Options,
    Report,
    Row,
    Verdict,
    workload,
)

NAMES = ("W4", "W5", "W6", "W7", "W8", "W9")
ROUND = 0.1  # seconds; several turns of the system's scheduler
SETTLING = 0.2  # seconds until the busy processes are spread over the cores
AT_MOST = 2.5


@contextmanager
def busy() -> Iterator[None]:
    """As many busy processes as there are cores."""
    command = [sys.executable, "-S", "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        time.sleep(SETTLING)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class BusyMachine:
    """Races whose rounds are by turns on a quiet and on a busy machine."""

    name: str
    title: str
    races: tuple[str, ...]
    rounds: int = 9

    @property
    def contenders(self) -> Contenders:
        """Those of the races."""
        return {
            f"{name} {who}": contender
            for name in self.races
            for who, contender in workload(name).contenders.items()
        }

    def measure(self, options: Options) -> Report:
        """How many times longer each takes on the busy machine."""
        races = self.races[:1] if options.quick else self.races
        rows: list[Row] = []
        left_out: dict[str, str] = {}
        for name in races:
            race = workload(name)
            assert isinstance(race, Race)
            with ExitStack() as stack:
                workers, missing = race.ready(options, stack)
                left_out |= {f"{name} {who}": why for who, why in missing.items()}
                rows += slowdowns(name, workers, 1 if options.quick else self.rounds)
        verdicts = tuple(
            Verdict(r.name, r.median, AT_MOST, least=False, minimum=r.minimum)
            for r in rows
            if r.name.endswith(f" {OWN}")
        )
        return Report(self.name, self.title, "x", tuple(rows), verdicts, left_out)


def slowdowns(name: str, workers: list[Worker], rounds: int) -> list[Row]:
    """For each worker its busy time over its quiet time: of medians, and of minima."""
    steps = {w: calibrated(w, ROUND) for w in workers}
    quiet: dict[Worker, list[float]] = {w: [] for w in workers}
    loaded: dict[Worker, list[float]] = {w: [] for w in workers}
    for _ in range(rounds):
        for worker, n in steps.items():
            quiet[worker].append(worker.seconds(n))
        with busy():
            for worker, n in steps.items():
                loaded[worker].append(worker.seconds(n))
    return [
        Row(
            f"{name} {w.name}",
            statistics.median(loaded[w]) / statistics.median(quiet[w]),
            min(loaded[w]) / min(quiet[w]),
        )
        for w in workers
    ]


WORKLOAD = BusyMachine(
    "W17", "W4 to W9 while other processes keep all cores busy: busy / quiet", NAMES
)
