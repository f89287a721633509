"""Writes tests/bench/numbers.json: the first steps of W1 to W11 as a peer computes them.

`python benchmarks/bench_numbers.py` needs PyTorch and JAX; the tests compare glassgrad's own first
steps with the file, and so need neither.
"""

from __future__ import annotations

import json
from pathlib import Path

from glassgrad.bench.process import Worker
from glassgrad.bench.race import Race
from glassgrad.bench.workload import WORKLOADS, workload

TARGET = Path(__file__).parents[1] / "tests" / "bench" / "numbers.json"


def oracle(race: Race) -> str:
    """PyTorch, or JAX where PyTorch takes no part."""
    names = list(race.contenders)
    return next(n for start in ("torch", "jax") for n in names if n.startswith(start))


def main() -> None:
    """Ask one peer a workload."""
    found = {}
    for name in WORKLOADS:
        race = workload(name)
        if isinstance(race, Race):
            with Worker(name, oracle(race)) as worker:
                found[name] = {"by": worker.name, "steps": worker.first_steps()}
            print(name, worker.name)
    TARGET.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
