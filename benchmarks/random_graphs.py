"""The campaign of random graphs: native against reference engine, itself, PyTorch and JAX.

    python benchmarks/random_graphs.py 100000 --processes 2
    python benchmarks/random_graphs.py 20000 --minutes 10 --first 100000

Every graph is compiled and compared up to rounding; every eighth is compiled again with all nodes
stored, which must not change a bit; smooth ones are asked of PyTorch, and some of JAX, gradients by
their own calculus. What fails is shrunk and written to tests/campaign/found, where a test reads it.
Prints the coverage of op, dtype and layout at the end. Bugs are planted by plant_bugs.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from campaign.engines import wrong_bit, wrong_number
from campaign.graphs import RandomGraph, random_graph
from campaign.peers import LOOSE, PEERS, suits
from campaign.shrink import FOUND, save, shrunk
from campaign.verdict import mismatch

PIECE = 200  # graphs a process is given at once
EVERY = {"bits": 8, "torch": 1, "jax": 100}  # how often each question is asked


def ask(seed: int, peers: list[str]) -> tuple[RandomGraph, Counter[str], list[str]]:
    """What is wrong with the graph of a seed, and which questions were asked of it."""
    graph, asked, wrong = random_graph(seed), Counter(["graphs"]), []
    questions: list[tuple[str, Callable[[RandomGraph], Any]]] = [("native", wrong_number)]
    if seed % EVERY["bits"] == 0:
        questions.append(("bits", wrong_bit))
    if suits(graph):
        chosen = [p for p in peers if seed % EVERY[p] == 0]
        questions += [(p, lambda g, p=p: mismatch(g, PEERS[p](g), loose=LOOSE)) for p in chosen]
    for name, question in questions:
        asked[name] += 1
        said = failure(question, graph)
        if said:
            wrong.append(f"seed {seed}, {name}: {said}")
            if name in ("native", "bits"):
                small = shrunk(graph, lambda g, q=question: failure(q, g) is not None)
                FOUND.mkdir(exist_ok=True)
                save(small, FOUND / f"{name}_{seed}.json")
    return graph, asked, wrong


def failure(question: Callable[[RandomGraph], Any], graph: RandomGraph) -> str | None:
    """What a question finds; an exception of any kind is a failure too."""
    try:
        found = question(graph)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return None if found is None else str(found)


def piece(first: int, count: int, peers: list[str]) -> tuple[Counter[str], Counter[Any], list[str]]:
    """The questions asked, the coverage and the failures of some seeds."""
    asked: Counter[str] = Counter()
    covered: Counter[Any] = Counter()
    wrong: list[str] = []
    for seed in range(first, first + count):
        graph, questions, found = ask(seed, peers)
        asked += questions
        covered.update(graph.coverage())
        wrong += found
    return asked, covered, wrong


def coverage_table(covered: Counter[Any]) -> str:
    """For each op the dtypes and the layouts it was met in, and how often."""
    ops = sorted({op for op, _, _ in covered})
    lines = [f"{len(ops)} ops, {len(covered)} combinations of op, dtype and layout"]
    for op in ops:
        rows = {k: n for k, n in covered.items() if k[0] == op}
        dtypes = sorted({d for _, d, _ in rows} - {""})
        layouts = sorted({layout for _, _, layout in rows})
        lines.append(f"  {op:16} {sum(rows.values()):8}  {' '.join(dtypes)} | {', '.join(layouts)}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=2000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args()
    peers = [p for p in PEERS if importlib.util.find_spec(p) and not options.without_peers]
    started, wrong = time.perf_counter(), list[str]()
    asked: Counter[str] = Counter()
    covered: Counter[Any] = Counter()
    pieces = [
        (at, min(PIECE, options.first + options.count - at), peers)
        for at in range(options.first, options.first + options.count, PIECE)
    ]
    with get_context("spawn").Pool(options.processes) as pool:
        for result in pool.imap(_piece, pieces):
            asked += result[0]
            covered.update(result[1])
            wrong += result[2]
            for line in result[2]:
                print(line, flush=True)
            spent = time.perf_counter() - started
            if asked["graphs"] % 2000 == 0:
                print(f"{dict(asked)}, {len(wrong)} wrong, {spent:.0f} s", flush=True)
            if spent > 60 * options.minutes:
                break
    print(coverage_table(covered))
    print(f"{dict(asked)}: {len(wrong)} wrong")
    return int(bool(wrong))


def _piece(given: tuple[int, int, list[str]]) -> Any:
    return piece(*given)


if __name__ == "__main__":
    sys.exit(main())
