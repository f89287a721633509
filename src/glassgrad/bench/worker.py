"""The process of one contender: `python -m glassgrad.bench.worker W4 glassgrad`.

It sets the contender up, prints the digests of its first steps, and then answers each line: for a
number n, how many seconds n steps took. What libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time

from glassgrad.bench.digest import digest
from glassgrad.bench.workload import Step, workload

CHECKED_STEPS = 5
WARM_UP = 0.0005  # seconds


def main(name: str, contender: str) -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    step = workload(name).contenders[contender].setup()
    print(json.dumps([digest(step()) for _ in range(CHECKED_STEPS)]), file=answers, flush=True)
    for line in sys.stdin:
        print(seconds(step, int(line)), file=answers, flush=True)


def seconds(step: Step, count: int) -> float:
    """How long `count` steps take, after some that warm the caches.

    Meanwhile the threads of whoever ran before go to sleep: many wait for work awake for a while.
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


if __name__ == "__main__":
    main(*sys.argv[1:])
