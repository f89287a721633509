"""W14: `import` in a new process, beside that of NumPy."""

from __future__ import annotations

import statistics
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from glassgrad.bench.process import Failed, environment, last_line
from glassgrad.bench.workload import Contender, Contenders, Options, Report, Row, Step, Verdict

ABOVE_NUMPY = 0.050
NAMES = ("glassgrad", "numpy", "autograd", "pytensor", "jax", "torch")
TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def importing(name: str) -> Step:
    """A step that imports."""
    return lambda: [bool(import_module(name))]


@dataclass(frozen=True)
class Imports:
    """Interpreters in turn, each of which imports one library."""

    name: str
    title: str
    contenders: Contenders
    rounds: int = 15

    def measure(self, options: Options) -> Report:
        """The seconds that the import statement takes."""
        chosen, left_out = options.taking_part(self.contenders)
        chosen["numpy"] = self.contenders["numpy"]
        found: dict[str, list[float]] = {name: [] for name in chosen}
        for _ in range(2 if options.quick else self.rounds):
            for name, times in found.items():
                times.append(seconds(name))
        rows = tuple(Row(n, statistics.median(t), min(t)) for n, t in found.items())
        own, numpy = (next(r for r in rows if r.name == n) for n in ("glassgrad", "numpy"))
        verdict = Verdict(
            "glassgrad above numpy", own.median - numpy.median, ABOVE_NUMPY, "s", False,
            own.minimum - numpy.minimum,
        )  # fmt: skip
        return Report(self.name, self.title, "s", rows, (verdict,), left_out)


def seconds(name: str) -> float:
    """How long a new interpreter takes to import a module."""
    command = [sys.executable, "-c", TIMED.format(name)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    if done.returncode:
        raise Failed(f"import {name} failed: {last_line(done.stderr)}")
    return float(done.stdout.splitlines()[-1])


WORKLOAD = Imports(
    "W14",
    "import in a new process",
    {name: Contender(partial(importing, name), name) for name in NAMES},
)
