"""The campaign of random graphs: native against reference engine, itself, PyTorch and JAX.

    python benchmarks/random_graphs.py 100000 --processes 2 --save campaign.json
    python benchmarks/random_graphs.py 20000 --minutes 10 --first 100000

Every graph is compiled in a way of its own (tests/campaign/ways.py: this machine's instructions,
AVX2 or SSE2; thresholds as they are or tiny; cut among threads; arguments in any layout; rewritten
as by gg.jit; called through the builtin) and compared up to rounding. Some are compiled again with
every node stored, or with results in the memory of arguments, or run by more threads: no bit may
change. Smooth ones are asked of PyTorch, and some of JAX, gradients by their own calculus. Some
seeds make a function of a batch, too, which is called with batches of several sizes. What fails is
shrunk and written to tests/campaign/found, where a test reads it.

With --save the counts are kept in a file as it goes, and a later call with the same file goes on,
with these or other seeds. Bugs are planted by plant_bugs.py.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from campaign.batches import wrong_size
from campaign.engines import failures
from campaign.graph import RandomGraph
from campaign.graphs import random_graph
from campaign.peers import PEERS, differs, suits
from campaign.shrink import FOUND, save, shrunk
from campaign.tally import Tally
from campaign.ways import Way
from campaign.workers import Piece, serve, work

PIECE = 200  # graphs a process is given at once
EVERY = {"torch": 1, "jax": 25}  # of the graphs that suit, how many are asked
BATCHED = 100  # seeds to one function that is called with batches of several sizes


def ask(seed: int, peers: Sequence[str], tally: Tally, found: Path) -> None:
    """What is wrong with the graph of a seed, and which questions were asked of it."""
    graph, way = random_graph(seed), Way.of(seed)
    tally.asked.update(["graphs", *str(way).split()])
    tally.cover(graph.coverage())
    said = None
    for name, said in _answers(graph, way):
        tally.asked[f"asked for {name}"] += 1
        if said:
            tally.wrong.append(f"seed {seed}: {name}: {said} ({way})")
            small = shrunk(graph, lambda g, n=name: any(k == n and s for k, s in _answers(g, way)))
            found.mkdir(exist_ok=True)
            save(small, found / f"{name}_{seed}.json")
            break
    for peer in peers if suits(graph) else ():
        if seed % EVERY[peer] == 0:
            tally.asked[f"asked of {peer}"] += 1
            if said := _said(lambda p=peer: differs(graph, p)):
                tally.wrong.append(f"seed {seed}: {peer}: {said}")


def ask_batches(seed: int, tally: Tally) -> None:
    """What is wrong with the function of a seed for batches of some sizes."""
    tally.asked["asked for batches"] += 1
    try:
        said, sized = wrong_size(seed)
    except Exception as error:
        said, sized = _line(error), 0
    tally.asked["batches of any size"] += sized
    if said:
        tally.wrong.append(f"seed {seed}: batches: {said}")


def _answers(graph: RandomGraph, way: Way) -> Iterator[tuple[str, str | None]]:
    """The promises and what is wrong with them; an exception of any kind is a failure too."""
    try:
        yield from failures(graph, way)
    except Exception as error:
        yield "numbers", _line(error)


def _said(question: Any) -> str | None:
    try:
        return question()
    except Exception as error:
        return _line(error)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def worker(pipe: Any, now: Any, options: argparse.Namespace) -> None:
    """A process of the campaign."""
    import glassgrad as gg

    gg.threads(1)
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    for peer in options.peers:
        importlib.import_module(peer)

    def piece(piece: Piece, without: Sequence[int], now: Any) -> Tally:
        tally = Tally(pieces=[piece])
        for seed in range(piece[0], piece[0] + piece[1]):
            now.value = seed
            if seed not in without:
                ask(seed, options.peers, tally, options.found)
                if seed % BATCHED == 0:
                    ask_batches(seed, tally)
        return tally

    serve(pipe, now, piece)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=2000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--save", type=Path, help="keep the counts here, and go on from there")
    parser.add_argument("--found", type=Path, default=FOUND, help="where failing graphs go")
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args()
    installed = [p for p in PEERS if importlib.util.find_spec(p)]
    options.peers = [] if options.without_peers else installed
    return options


def main() -> int:
    options = arguments()
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    started, last = time.perf_counter(), Path(options.save or "")
    whole = Tally.load(last) if options.save and last.exists() else Tally()
    before, end = whole.asked["graphs"], options.first + options.count
    pieces = [(at, min(PIECE, end - at)) for at in range(options.first, end, PIECE)]
    pieces = [p for p in pieces if p not in set(whole.pieces)]
    for i, (_, found, deaths) in enumerate(work(pieces, options.processes, worker, options)):
        found.wrong += deaths
        whole.add(found)
        for line in found.wrong:
            print(line, flush=True)
        if options.save:
            whole.save(last)
        spent = time.perf_counter() - started
        if i % 10 == 9:
            rate = (whole.asked["graphs"] - before) / spent
            print(f"{whole.summary()}; {spent:.0f} s, {rate:.1f} a second", flush=True)
        if spent > 60 * options.minutes:
            break
    print(whole.table())
    return int(bool(whole.wrong))


if __name__ == "__main__":
    sys.exit(main())
