"""Runs contenders in turn, each in a process of its own, on the same machine at the same time.

A contender is a function that sets up and returns a step: a callable without arguments that does
one unit of work and returns the loss before it. The rounds of all contenders are interleaved, so
that a machine that slows down for a while slows all of them. Before the race all contenders must
agree on the losses of the first steps.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Step = Callable[[], Any]
Contender = Callable[[], Step]

CHECKED_STEPS = 5
ROUND_SECONDS = 0.004  # short, so that most rounds are not interrupted


def race(title: str, contenders: Mapping[str, tuple[str, Contender]], bar: float) -> None:
    """The command line of a benchmark; `contenders` are name -> (module needed, set-up)."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=300, help="timed rounds a contender")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if options.worker:
        _work(contenders[options.worker][1]())
        return
    installed = [n for n, (module, _) in contenders.items() if importlib.util.find_spec(module)]
    figures = _measure(installed, options.rounds)
    print(json.dumps(figures) if options.json else _table(title, figures, bar))


def _work(step: Step) -> None:
    """The loop of a worker: told how many steps to make, says how many seconds they took."""
    losses = [float(step()) for _ in range(CHECKED_STEPS)]
    print(json.dumps(losses), flush=True)
    for line in sys.stdin:
        turns = range(int(line))
        start = time.perf_counter()
        for _ in turns:
            step()
        print(time.perf_counter() - start, flush=True)


def _measure(names: list[str], rounds: int) -> dict[str, dict[str, float]]:
    script = str(Path(sys.argv[0]).resolve())
    workers = {
        name: subprocess.Popen(
            [sys.executable, script, "--worker", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in names
    }  # fmt: skip
    try:
        _agree({name: json.loads(_line(worker)) for name, worker in workers.items()})
        turns = {name: _calibrate(worker) for name, worker in workers.items()}
        times: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name, worker in workers.items():
                times[name].append(_ask(worker, turns[name]) / turns[name])
    finally:
        for worker in workers.values():
            worker.terminate()
            worker.wait()
    return {n: {"median": statistics.median(t), "minimum": min(t)} for n, t in times.items()}


def _agree(losses: dict[str, list[float]]) -> None:
    first, *others = losses.items()
    for name, found in others:
        if not all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(first[1], found)):
            raise SystemExit(f"{name} computes {found}, but {first[0]} computes {first[1]}")


def _line(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"the worker {worker.args} ended early")
    return line


def _ask(worker: subprocess.Popen[str], turns: int) -> float:
    assert worker.stdin is not None
    worker.stdin.write(f"{turns}\n")
    worker.stdin.flush()
    return float(_line(worker))


def _calibrate(worker: subprocess.Popen[str]) -> int:
    """How many steps make a round, after a warm-up."""
    turns = 1
    while (taken := _ask(worker, turns)) < ROUND_SECONDS / 4:
        turns *= 2
    return max(1, round(turns * ROUND_SECONDS / taken))


def _table(title: str, figures: dict[str, dict[str, float]], bar: float) -> str:
    lines = [title, f"{'':24}{'median':>12}{'minimum':>12}"]
    for name, found in figures.items():
        microseconds = [f"{1e6 * found[k]:9.3f} µs" for k in ("median", "minimum")]
        lines.append(f"{name:24}" + "".join(f"{text:>12}" for text in microseconds))
    own = figures["glassgrad"]
    peers = {name: f for name, f in figures.items() if not name.startswith("glassgrad")}
    if peers:
        best = min(peers, key=lambda name: peers[name]["median"])
        ratios = [peers[best][k] / own[k] for k in ("median", "minimum")]
        lines.append(
            f"{best} / glassgrad: {ratios[0]:.1f} (median), {ratios[1]:.1f} (minimum); bar {bar:g}"
        )
    return "\n".join(lines)
