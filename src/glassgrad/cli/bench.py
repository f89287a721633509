"""`glassgrad bench`: the workloads against the peers that are installed."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from glassgrad.cli.parser import Parser
from glassgrad.graph.errors import GlassgradError

if TYPE_CHECKING:
    from glassgrad.bench.workload import Report

EXAMPLES = """\
Contenders take turns in short rounds, each in a process of its own, and must compute the same
numbers first. Peers that are not installed are left out: pip install '.[bench]' in a clone.
Quote the ratios: absolute times change from minute to minute.

examples:
  glassgrad bench               all of them, about half an hour
  glassgrad bench W4 W6         two
  glassgrad bench --quick W1    a glance
"""


class UnknownWorkload(GlassgradError, ValueError):
    """A workload that does not exist."""


def parser() -> Parser:
    """The options of `glassgrad bench`."""
    p = Parser(
        prog="glassgrad bench",
        description="Race glassgrad against its peers on this machine.",
        epilog=EXAMPLES,
    )
    p.add_argument("names", nargs="*", metavar="W", help="workloads, W1 to W17 (all)")
    p.add_argument("--json", action="store_true", help="print everything as JSON")
    p.add_argument("--quick", action="store_true", help="few rounds, and what takes long left out")
    p.add_argument("--alone", action="store_true", help="without peers")
    p.add_argument("--list", action="store_true", help="say what the workloads are, run none")
    return p


def run(words: list[str]) -> int:
    """Measure and print; 0 whether bars are reached or not."""
    from glassgrad.bench import machine
    from glassgrad.bench.table import as_json
    from glassgrad.bench.workload import Options, workload

    given = parser().parse_all(words)
    names = known(given.names)
    if given.list:
        print("\n".join(f"{name:4} {workload(name).title}" for name in names))
        return 0
    about = machine.describe()
    options = Options(quick=given.quick, alone=given.alone)
    if given.json:
        print(as_json(about, [workload(name).measure(options) for name in names]))
        return 0
    show = Printer()
    show.lines(f"{name}: {said}" for name, said in about.items())
    reports: list[Report] = []
    for name in names:
        reports.append(workload(name).measure(options))
        show.report(reports[-1])
    show.summary(reports)
    return 0


def known(names: Sequence[str]) -> list[str]:
    """The names as they are written here, all if there are none; refuses one that is unknown."""
    from glassgrad.bench.workload import WORKLOADS

    found: list[str] = []
    for name in map(str.upper, names):
        if name == "W15":
            raise UnknownWorkload("W15, word vectors, waits for the training of word vectors.")
        if name not in WORKLOADS:
            close = difflib.get_close_matches(name, WORKLOADS, 1, 0.6)
            hint = f"Did you mean {close[0]}? " if close else ""
            raise UnknownWorkload(
                f"there is no workload {name!r}. {hint}There are {', '.join(WORKLOADS)}."
            )
        found.append(name)
    return list(dict.fromkeys(found)) or list(WORKLOADS)


class Printer:
    """Writes to a terminal with Rich, to anything else in plain lines."""

    def __init__(self) -> None:
        self.console: Any = None
        if sys.stdout.isatty():
            from rich.console import Console

            self.console = Console(highlight=False)

    def lines(self, lines: Any) -> None:
        """Lines as they are."""
        for line in lines:
            print(line, flush=True)

    def table(self, title: str, headings: Sequence[str], rows: Any) -> None:
        """A table under its title."""
        from glassgrad.bench.table import plain, rich_table

        print()
        if self.console is None:
            print(title, plain(headings, rows), sep="\n", flush=True)
        else:
            self.console.print(title, style="bold", markup=False)
            self.console.print(rich_table(headings, rows))

    def report(self, report: Report) -> None:
        """The times of one workload, its bars, and who is left out."""
        from glassgrad.bench.table import HEADINGS, notes, rows_of, verdict_cells

        self.table(f"{report.name}: {report.title}", HEADINGS, rows_of(report))
        for verdict in report.verdicts:
            what, value, minimum, bar, reached = verdict_cells(verdict)
            more = f", of minima {minimum}" if minimum else ""
            self.lines([f"{what}: {value}{more}; bar {bar}: {reached}"])
        self.lines(notes(report))

    def summary(self, reports: Sequence[Report]) -> None:
        """All bars, when there is more than one workload."""
        from glassgrad.bench.table import SUMMARY, summary_rows

        if len(reports) > 1:
            self.table("summary", SUMMARY, summary_rows(reports))
