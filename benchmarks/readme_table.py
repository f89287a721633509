"""Makes the README's table from `glassgrad bench --json > figures.json`.

`python benchmarks/readme_table.py figures.json ...` prints Markdown; of a workload that is in
several files the last counts. Times are medians, and ratios are of medians.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from glassgrad.bench.table import figure, verdict_cells
from glassgrad.bench.workload import Verdict

HEAD = """\
| | | glassgrad | best peer | ratio | bar | |
|---|---|---:|---|---:|---:|---|"""


def main(paths: list[str]) -> None:
    """Print the machine, the table, and who is not in it."""
    files = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]
    about = files[-1]["machine"]
    print(f"{about['processor']}; {about['versions']}; {about['system']}; load {about['load']}\n")
    print(HEAD)
    workloads = {w["name"]: w for file in files for w in file["workloads"]}
    for entry in sorted(workloads.values(), key=lambda w: int(w["name"][1:])):
        for verdict in entry["verdicts"]:
            verdict.pop("reached")
            print(f"| {' | '.join(cells(entry, Verdict(**verdict)))} |")


def cells(entry: dict[str, Any], verdict: Verdict) -> list[str]:
    """The cells of one bar: a race against the best peer, or a figure to stay below."""
    what, value, _, bar, reached = verdict_cells(verdict)
    times = {row["name"]: figure(row["median"], entry["unit"]) for row in entry["rows"]}
    one, _, other = what.partition(" / ")
    own, peer = (other, one) if verdict.least else (one, other)
    title = entry["title"] if own == "glassgrad" else f"{entry['title']}: {own}"
    ends = [bar, "" if reached == "reached" else "missed"]
    if peer:
        return [entry["name"], title, times[own], f"{peer}: {times[peer]}", value, *ends]
    return [entry["name"], title, value, "", "", *ends]


if __name__ == "__main__":
    main(sys.argv[1:])
