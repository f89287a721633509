"""W14: `import` in a new process, beside that of NumPy."""

from __future__ import annotations

import statistics
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryDirectory

from glassgrad.bench.process import Failed, environment, last_line
from glassgrad.bench.workload import (
    OWN,
    Contender,
    Contenders,
    Options,
    Report,
    Row,
    Step,
    Verdict,
)

ABOVE_NUMPY = 0.050
PEERS = ("autograd", "pytensor", "jax", "torch")
STATEMENTS = {
    "glassgrad": "import glassgrad",
    "glassgrad, grad and jit": "import glassgrad as gg; gg.grad, gg.jit",
    **{name: f"import {name}" for name in ("numpy", *PEERS)},
}
TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def importing(statement: str) -> Step:
    """A step that imports."""
    return lambda: exec(statement, {})


@dataclass(frozen=True)
class Imports:
    """Interpreters in turn, each of which imports one library."""

    name: str
    title: str
    contenders: Contenders
    rounds: int = 15

    def measure(self, options: Options) -> Report:
        """The seconds that the import statement takes when the bytecode is there."""
        chosen, left_out = options.taking_part(self.contenders)
        found: dict[str, list[float]] = {name: [] for name in chosen}
        with TemporaryDirectory(prefix="glassgrad-bench-") as bytecode:
            for name in chosen:
                seconds(name, bytecode)
            for _ in range(2 if options.quick else self.rounds):
                for name, times in found.items():
                    times.append(seconds(name, bytecode))
        rows = tuple(Row(n, statistics.median(t), min(t)) for n, t in found.items())
        return Report(self.name, self.title, "s", rows, above_numpy(rows), left_out)


def above_numpy(rows: tuple[Row, ...]) -> tuple[Verdict, ...]:
    """What ours take more than NumPy, which a user has imported anyway."""
    numpy = next(r for r in rows if r.name == "numpy")
    return tuple(
        Verdict(
            f"{r.name}: above numpy", r.median - numpy.median, ABOVE_NUMPY, "s", False,
            r.minimum - numpy.minimum,
        )
        for r in rows
        if r.name.startswith(OWN)
    )  # fmt: skip


def seconds(name: str, bytecode: str) -> float:
    """How long a new interpreter takes to import a module, whose bytecode is kept in a folder."""
    command = [sys.executable, "-c", TIMED.format(STATEMENTS[name])]
    variables = environment(PYTHONPYCACHEPREFIX=bytecode, PYTHONDONTWRITEBYTECODE="")
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode:
        raise Failed(f"import {name} failed: {last_line(done.stderr)}")
    return float(done.stdout.splitlines()[-1])


WORKLOAD = Imports(
    "W14",
    "import in a new process",
    {
        name: Contender(partial(importing, said), name if name in PEERS else OWN)
        for name, said in STATEMENTS.items()
    },
)
