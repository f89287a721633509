"""Workloads that are measured once a process: first steps, and peaks of memory."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from glassgrad.bench.digest import differ
from glassgrad.bench.process import Failed, once
from glassgrad.bench.workload import OWN, Contenders, Options, Report, Row, Verdict

Judge = Callable[[tuple[Row, ...]], tuple[Verdict, ...]]


@dataclass(frozen=True)
class Fresh:
    """A workload each of whose measurements takes a new process, in turn, `rounds` times.

    `unit` is "s" or "bytes". Every process has a new home folder, so that nothing is cached; a
    contender in `after` gets that of another, and so finds what that one left. `slow` contenders
    are run once, and not at all where it should be quick. `alike` gives the part of a name within
    which all compute the same numbers.
    """

    name: str
    title: str
    contenders: Contenders
    judge: Judge
    unit: str = "s"
    rounds: int = 5
    after: Mapping[str, str] = field(default_factory=dict)
    slow: frozenset[str] = frozenset()
    alike: Callable[[str], str] = lambda name: ""

    def measure(self, options: Options) -> Report:
        """All contenders, round by round."""
        contenders, left_out = options.taking_part(self.contenders)
        if options.quick:
            left_out |= {n: "it takes long" for n in contenders if n in self.slow}
        found: dict[str, list[float]] = {n: [] for n in contenders if n not in left_out}
        numbers: dict[str, tuple[str, list[float]]] = {}
        for turn in range(1 if options.quick else self.rounds):
            with tempfile.TemporaryDirectory(prefix="glassgrad-bench-") as root:
                for name in [n for n in found if not turn or n not in self.slow]:
                    try:
                        said = self.run(name, root)
                    except Failed as error:
                        if name.startswith(OWN):
                            raise
                        left_out[name] = str(error)
                        del found[name]
                        continue
                    self.agree(name, said["digest"], numbers)
                    found[name].append(said[self.unit])
        rows = tuple(Row(n, statistics.median(v), min(v)) for n, v in found.items())
        return Report(self.name, self.title, self.unit, rows, self.judge(rows), left_out)

    def run(self, name: str, root: str) -> dict[str, Any]:
        """One process, in the home folder of its own or of the one that it comes after."""
        owner = self.after.get(name, name)
        home = f"{root}/{list(self.contenders).index(owner)}"
        folders = {"HOME": home, "XDG_CACHE_HOME": f"{home}/cache", "LOCALAPPDATA": home}
        return once(self.name, name, **folders, TORCHINDUCTOR_CACHE_DIR=f"{home}/inductor")

    def agree(
        self, name: str, numbers: list[float], known: dict[str, tuple[str, list[float]]]
    ) -> None:
        """Refuses contenders that compute different things."""
        first, theirs = known.setdefault(self.alike(name), (name, numbers))
        if differ(theirs, numbers, 1e-3, 1e-9):
            raise Failed(f"{self.name}: {name} computes {numbers}, but {first} {theirs}")


def at_most(bars: Mapping[str, float], unit: str = "s") -> Judge:
    """Verdicts on contenders that must stay below a figure."""

    def judge(rows: tuple[Row, ...]) -> tuple[Verdict, ...]:
        return tuple(
            Verdict(r.name, r.median, bars[r.name], unit, False, r.minimum)
            for r in rows
            if r.name in bars
        )

    return judge
