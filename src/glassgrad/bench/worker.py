"""The process of one contender: `python -m glassgrad.bench.worker W4 glassgrad`.

It sets the contender up, prints the digests of its first steps, and then answers each line: for a
number n, how many seconds n steps took. It answers when its threads sleep: those of many libraries
wait awake for more work, OpenBLAS's for a tenth of a second, and would take a core from whoever is
next. What libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time

from glassgrad.bench.digest import digest
from glassgrad.bench.workload import Step, workload

CHECKED_STEPS = 5
WARM_UP = 0.005  # seconds
PAUSE, MOST_PAUSES = 0.005, 100  # seconds in which nothing is computed, and how often it is tried


def main(name: str, contender: str) -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    step = workload(name).contenders[contender].setup()
    print(json.dumps([digest(step()) for _ in range(CHECKED_STEPS)]), file=answers, flush=True)
    for line in sys.stdin:
        taken = seconds(step, int(line))
        come_to_rest()
        print(taken, file=answers, flush=True)


def seconds(step: Step, count: int) -> float:
    """How long `count` steps take, after some for as long as `WARM_UP`, whoever it is.

    A training run makes its steps one after the other; the first ones after a pause wake threads
    that sleep, and find cold caches.
    """
    turns = range(count)
    warm = time.perf_counter() + WARM_UP
    step()
    while time.perf_counter() < warm:
        step()
    start = time.perf_counter()
    for _ in turns:
        step()
    return time.perf_counter() - start


def come_to_rest() -> None:
    """Waits until no thread of this process computes, for a while at most."""
    for _ in range(MOST_PAUSES):
        before = time.process_time()
        time.sleep(PAUSE)
        if time.process_time() - before < PAUSE / 10:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
