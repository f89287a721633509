"""Reports as text: plain lines for pipes, Rich tables for terminals, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from glassgrad.bench.workload import Report, Verdict
from glassgrad.engines.memory import told_bytes

Cells = Sequence[Sequence[str]]
HEADINGS = ("contender", "median", "minimum")
SUMMARY = ("", "what", "median", "minimum", "bar", "")
_SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "x": ((1.0, "x"),),
}


def figure(value: float, unit: str) -> str:
    """A number in the unit that suits its size, with three or more digits.

    >>> figure(1.5e-7, "s"), figure(0.0123, "s"), figure(3e6, "bytes"), figure(41.2, "x")
    ('150 ns', '12.3 ms', '2.9 MiB', '41.2 x')
    """
    if unit == "bytes":
        return told_bytes(value)
    scales = _SCALES[unit]
    scale, name = next((s for s in scales if abs(value) >= s[0]), scales[-1])
    value /= scale
    return f"{value:,.0f} {name}" if abs(value) >= 1000 else f"{value:.3g} {name}"


def rows_of(report: Report) -> list[tuple[str, ...]]:
    """The figures of each contender."""
    return [
        (r.name, figure(r.median, report.unit), figure(r.minimum, report.unit)) for r in report.rows
    ]


def verdict_cells(verdict: Verdict) -> tuple[str, ...]:
    """What, median, minimum, bar, and whether it is reached."""
    least = "at least" if verdict.least else "at most"
    minimum = "" if verdict.minimum is None else figure(verdict.minimum, verdict.unit)
    return (
        verdict.what, figure(verdict.value, verdict.unit), minimum,
        f"{least} {figure(verdict.bar, verdict.unit)}", "reached" if verdict.reached else "missed",
    )  # fmt: skip


def summary_rows(reports: Sequence[Report]) -> list[tuple[str, ...]]:
    """One row for each number that a bar is set for."""
    return [(r.name, *verdict_cells(v)) for r in reports for v in r.verdicts]


def notes(report: Report) -> list[str]:
    """Who is left out, and why."""
    return [f"left out: {name}: {why}" for name, why in report.left_out.items()]


def plain(headings: Sequence[str], rows: Cells) -> str:
    """Aligned columns, the first to the left and figures to the right.

    >>> print(plain(("who", "time"), [("a", "12 ms"), ("bcd", "3 s")]))
    who   time
    a    12 ms
    bcd    3 s
    """
    table = [headings, *rows]
    widths = [max(len(row[j]) for row in table) for j in range(len(headings))]
    pad = [str.rjust if is_figure(h) else str.ljust for h in headings]
    lines = ["  ".join(p(c, w) for p, c, w in zip(pad, row, widths)).rstrip() for row in table]
    return "\n".join(lines)


def is_figure(heading: str) -> bool:
    """Whether a column holds figures."""
    return heading in ("median", "minimum", "bar", "time")


def rich_table(headings: Sequence[str], rows: Cells) -> Any:
    """The same for a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if is_figure(heading) else "left")
    for row in rows:
        styles = {"reached": "green", "missed": "red"}
        table.add_row(*(Text(cell, style=styles.get(cell, "")) for cell in row))
    return table


def as_json(machine: Mapping[str, str], reports: Sequence[Report]) -> str:
    """Everything that was found."""
    found: list[dict[str, Any]] = []
    for report in reports:
        entry = asdict(report)
        for verdict, known in zip(entry["verdicts"], report.verdicts):
            verdict["reached"] = known.reached
        found.append(entry)
    return json.dumps({"machine": dict(machine), "workloads": found}, indent=2, ensure_ascii=False)
