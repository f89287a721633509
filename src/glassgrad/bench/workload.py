"""What a workload is, what a measurement of it says, and where each workload lives."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

OWN = "glassgrad"
"""The name of our own contender; others of ours start with it."""

Step = Callable[[], Any]
"""Does one unit of work and returns its numbers, of before an update where there is one."""

WORKLOADS = {
    "W1": "w01_scalar_function",
    "W2": "w02_rosenbrock_descent",
    "W3": "w03_toy_net",
    "W4": "w04_small_mlp",
    "W5": "w05_deep_mlp",
    "W6": "w06_medium_mlp",
    "W7": "w07_large_mlp",
    "W8": "w08_window_tagger",
    "W9": "w09_window_tagger_large",
    "W10": "w10_layer_norm",
    "W11": "w11_hessian",
    "W12": "w12_first_step",
    "W13": "w13_chain",
    "W14": "w14_import",
    "W16": "w16_peak_memory",
    "W17": "w17_busy_machine",
}
"""The file of each workload; W15, word vectors, waits for them."""


@dataclass(frozen=True)
class Contender:
    """One way to do a workload: `setup` imports, compiles what it likes and returns the step.

    `needs` names the module that must be installed; `compiler` says that it needs a C++ compiler.
    """

    setup: Callable[[], Step]
    needs: str = OWN
    compiler: bool = False

    def missing(self) -> str:
        """Why it cannot take part here; empty where it can."""
        if importlib.util.find_spec(self.needs) is None:
            return f"{self.needs} is not installed"
        if self.compiler and not any(map(shutil.which, ("c++", "g++", "clang++", "cl"))):
            return "there is no C++ compiler"
        return ""


Contenders = Mapping[str, Contender]


@dataclass(frozen=True)
class Options:
    """How to measure: `quick` for a glance, `alone` without peers."""

    quick: bool = False
    alone: bool = False

    def taking_part(self, contenders: Contenders) -> tuple[dict[str, Contender], dict[str, str]]:
        """The contenders that run, and why the others do not."""
        wanted = {n: c for n, c in contenders.items() if c.needs == OWN or not self.alone}
        missing = {n: why for n, c in wanted.items() if (why := c.missing())}
        return {n: c for n, c in wanted.items() if n not in missing}, missing


@dataclass(frozen=True)
class Row:
    """What was measured of one contender: seconds, bytes or a ratio."""

    name: str
    median: float
    minimum: float


@dataclass(frozen=True)
class Verdict:
    """A number that a bar is set for; `least` is a bar to reach, otherwise one to stay below."""

    what: str
    value: float
    bar: float
    unit: str = "x"
    least: bool = True
    minimum: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the bar is reached."""
        return self.value >= self.bar if self.least else self.value <= self.bar


@dataclass(frozen=True)
class Report:
    """All that was found of one workload."""

    name: str
    title: str
    unit: str
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


class Workload(Protocol):
    """What a file of a workload holds under the name WORKLOAD."""

    @property
    def name(self) -> str:
        """W1 to W17."""
        ...

    @property
    def title(self) -> str:
        """What is done, in one line."""
        ...

    @property
    def contenders(self) -> Contenders:
        """Who takes part, ours first."""
        ...

    def measure(self, options: Options) -> Report:
        """Run it here and now."""
        ...


def workload(name: str) -> Workload:
    """The workload of that name, such as "W4".

    >>> workload("W4").title
    'MLP 64-32-10 with ReLU, batch 32, one SGD step'
    """
    return importlib.import_module(f"glassgrad.bench.{WORKLOADS[name]}").WORKLOAD


def peer(name: str) -> Any:
    """A module of another library, imported where it takes part."""
    return importlib.import_module(name)


def against_best(rows: tuple[Row, ...], bar: float) -> tuple[Verdict, ...]:
    """How many times longer the best peer takes than glassgrad, where there is a peer."""
    own = next(r for r in rows if r.name == OWN)
    peers = [r for r in rows if not r.name.startswith(OWN)]
    if not peers:
        return ()
    best = min(peers, key=lambda r: r.median)
    return (
        Verdict(
            f"{best.name} / glassgrad", best.median / own.median, bar,
            minimum=best.minimum / own.minimum,
        ),
    )  # fmt: skip
