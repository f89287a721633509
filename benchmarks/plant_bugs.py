"""Plant bugs in the native engine, and count those that random graphs find.

    python benchmarks/plant_bugs.py [--graphs 400] [--only WORD]

Each bug is one change in a copy of the sources, of the kind that is made by slip: a wrong stride, a
lost tail, a wrong identity, a lifetime too short. A fresh process then runs random graphs until one
differs from the reference engine (or the process dies); the line tells how many graphs that took.
A bug whose old text no longer stands in the sources exactly once is an error: the list follows the
code. Exit code 1 if a bug is not found.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
ENGINE = Path("glassgrad/engines/native")


class Bug(NamedTuple):
    """One change of one file."""

    file: str
    old: str
    new: str


BUGS = [
    # walking through memory
    Bug("nest.py", "element, i * strides[axis])", "element, i)"),
    Bug("nest.py", "[lane * stride for lane in range(self.lanes)]", "list(range(self.lanes))"),
    Bug("strided.py", "tuple(self.strides[i] for i in perm)", "tuple(self.strides)"),
    Bug("strided.py", "s if n == m else 0 for", "s for"),
    Bug("strided.py", "sum(a * s for a, s in zip(starts", "sum(a for a, s in zip(starts"),
    Bug("strided.py", "s * step for s, step in zip(", "s * abs(step) for s, step in zip("),
    Bug("strided.py", "all(s == n * t for", "all(s == n * t or n > 7 for"),
    Bug("strided.py", "all(new[-1] == s[i] * shape[i]", "any(new[-1] == s[i] * shape[i]"),
    Bug("flat.py", "element, low)", "element, here[0])"),
    Bug("flat.py", "[o - low for o in here]", "[max(here) - o for o in here]"),
    # tails
    Bug("across.py", "rest = f.tail_mask(lanes, n - whole)", "rest = f.tail_mask(lanes, 1)"),
    Bug("reducer.py", "else self.f.select(mask, x, self._identity(self.lanes))", "else x"),
    Bug("pieces.py", "    if rest:\n        f.branch(", "    if False:\n        f.branch("),
    # reductions
    Bug("reduction.py", '"max": Kind("maximum", _lowest)', '"max": Kind("maximum", lambda d: 0)'),
    Bug("reduction.py", '"min": Kind("minimum", _highest)', '"min": Kind("minimum", lambda d: 0)'),
    Bug("reduction.py", 'Kind("logical_and", lambda d: 1)', 'Kind("logical_and", lambda d: 0)'),
    Bug("instructions.py", "high = self.shuffle(x, None, range(lanes, 2 * lanes))",
        "high = self.shuffle(x, None, range(lanes))"),
    # products
    Bug("gemm.py", "rows[0] * p.a[0] + start", "rows[0] * p.a[1] + start"),
    Bug("gemm.py", "i * a_row), source", "i), source"),
    Bug("gemm.py", "i * p.c + j)", "i * p.c)"),
    Bug("packing.py", "(full * self.t.depth) + k * full)", "(full * self.t.depth) + k)"),
    Bug("packing.py", "self._transpose(f, width)", "None"),
    Bug("packing.py", "element, width * i))", "element, width * (i // 2)))"),
    Bug("contraction.py", "if out == (*batch, *columns, *rows):", "if False:"),
    # computed places
    Bug("nest.py", 'f.compare("slt", i, 0), i + extent, i)', 'f.compare("slt", i, 0), i, i)'),
    Bug("nest.py", 'bad = f.compare("uge", i, extent)', 'bad = f.compare("uge", i, extent - 1)'),
    Bug("loops.py", "added = k.add(old, added)", "added = k.add(added, added)"),
    # conversions
    Bug("convert.py", 'return "sext" if old.kind == "i" else "zext"', 'return "zext"'),
    Bug("convert.py", 'return "sitofp" if old.kind == "i" else "uitofp"', 'return "sitofp"'),
    Bug("convert.py", "return k.not_equal(x, 0)", "return k.less(0, x)"),
    # memory
    Bug("layout.py", "last[buffer] = i", "last.setdefault(buffer, i)"),
    Bug("arena.py", "self.first <= other.last and other.first <= self.last",
        "self.first < other.last and other.first < self.last"),
    # joining steps
    Bug("planner.py", "if self._last(read) >= at:", "if self._last(read) > at:"),
    Bug("families.py", "op.parts(node)):", "op.parts(node)[::-1]):"),
    Bug("families.py", "else Uniform(0, node.dtype)", "else Uniform(1, node.dtype)"),
    # sorting, drawing, loops
    Bug("sorting.py", "right = left_over | (f.compare(\"slt\", j, end) & _before(f, dtype, y, x))",
        "right = left_over | (f.compare(\"slt\", j, end) & _before(f, dtype, x, y))"),
    Bug("row_sums.py", "f.tail_mask(lanes, self.length - whole * lanes)", "f.tail_mask(lanes, 1)"),
    Bug("row_sums.py", "self._combine(chains, values, whole % count, count)",
        "self._combine(chains, values, 0, count)"),
    Bug("philox.py", "for _ in range(10):", "for _ in range(9):"),
    Bug("spin.py", "row = [combine(a, b)", "row = [combine(a, a)"),
    Bug("repeat.py", "if step.length % 2 else", "if step.length % 2 == 0 else"),
    # parts that threads take, results in the memory of arguments
    Bug("shares.py", "f.address_of(job), table, count)", "f.address_of(job), table, count - 1)"),
    Bug("nest.py", "axis, -(-dims[axis] // size)", "axis, dims[axis] // size or 1"),
    Bug("donation.py", "after[i].append(writers[b])", "pass"),
    Bug("row_blocks.py", "steps = [s for s in steps if s not in copies]",
        "steps, copies = list(steps), ()"),
    # extents that are known when a program runs
    Bug("extents.py", "result *= size**power", "result *= size"),
    Bug("places.py", "        at = count\n", "        at = 0\n"),
]  # fmt: skip


def sources(bug: Bug) -> tuple[Path, str]:
    """The file of a bug, and its text with the bug in it; raises where the text has moved."""
    path = ROOT / "src" / ENGINE / bug.file
    text = path.read_text()
    if text.count(bug.old) != 1:
        raise SystemExit(f"{bug.file}: {bug.old!r} stands there {text.count(bug.old)} times")
    return path, text.replace(bug.old, bug.new)


HUNT = """
import sys
sys.path.insert(0, {tests!r})
from campaign.batches import wrong_size
from campaign.engines import wrong
from campaign.graphs import random_graph
from campaign.ways import Way
for seed in range({graphs}):
    graph = random_graph(seed)
    try:
        found = wrong(graph, Way.of(seed)) is not None
        found = found or seed % 10 == 9 and wrong_size(seed)[0] is not None
    except Exception:
        found = True
    if found:
        print(seed + 1)
        sys.exit(3)
"""


def hunt(bug: Bug, graphs: int) -> str:
    """After how many graphs a bug was found, in words; empty where it was not."""
    _, text = sources(bug)
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "src"
        shutil.copytree(ROOT / "src", copy)
        (copy / ENGINE / bug.file).write_text(text)
        code = HUNT.format(tests=str(ROOT / "tests"), graphs=graphs)
        environment = {**os.environ, "PYTHONPATH": str(copy), "XDG_CACHE_HOME": place}
        try:
            done = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True,
                timeout=600,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "it hung"
    if done.returncode == 3:
        return f"graph {done.stdout.split()[-1]}"
    return "" if done.returncode == 0 else f"the process ended with {done.returncode}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", type=int, default=400)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    chosen = [b for b in BUGS if options.only in f"{b.file} {b.old}"]
    for bug in chosen:
        sources(bug)
    missed = 0
    for bug in chosen:
        found = hunt(bug, options.graphs)
        missed += not found
        line = bug.old.splitlines()[0]
        print(f"{found or 'NOT FOUND':28} {bug.file:16} {line[:60]}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} planted bugs are found")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
