"""The native engine's answers to a graph, and whether it keeps its promises on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from campaign.graph import RandomGraph
from campaign.verdict import mismatch
from campaign.ways import Way, strangely
from glassgrad.engines import reference
from glassgrad.engines.integer_division import noted
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.threads import threads
from glassgrad.graph.node import Const, Input, Node
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.division import any_may_fault
from glassgrad.rewrite.pipeline import finish

NO_CACHE = ObjectCache(None)
PLAIN = Way(builtin=True)
NUMBERS = "numbers"

Run = Callable[[], list[np.ndarray]]


def compiled(
    outputs: Sequence[Node], graph: RandomGraph, way: Way, donated: dict[int, int] | None = None
) -> Run:
    """Nodes of the graph in machine code, compiled afresh; a call computes them."""
    nodes = finish(list(outputs)) if way.finished else outputs
    with way.compiling():
        program = NativeProgram(
            nodes, graph.inputs, target=way.target, cache=NO_CACHE, donated=donated
        )

    def run() -> list[np.ndarray]:
        given = [x.copy() for x in graph.arguments] if donated else graph.arguments
        if way.strange:
            rng = np.random.default_rng(len(given))
            given = [strangely(x, rng) for x in given]
        with np.errstate(divide="ignore", over="ignore"):
            return list(program.fast(*given)) if way.builtin else program(given)

    return run


def failures(graph: RandomGraph, way: Way = PLAIN) -> Iterator[tuple[str, str | None]]:
    """Each promise by name, with what is wrong; the numbers first, compared with the reference."""
    run = compiled(graph.outputs, graph, way)
    first = run()
    found = mismatch(graph, first)
    yield NUMBERS, None if found is None else str(found)
    if any_may_fault(topological_order(graph.outputs)):
        yield "told", told_otherwise(graph, way, run)
    if way.cut:
        yield "threads", by_threads(run, first)
    if way.stored:
        order = topological_order(graph.outputs)
        inner = [n for n in order if n.outputs is None and not isinstance(n.op, Input | Const)]
        stored = compiled([*graph.outputs, *inner], graph, way)()
        yield "stored", other_bits(first, stored)
    if way.donated and (pairs := donations(graph)):
        yield "donated", other_bits(first, compiled(graph.outputs, graph, way, pairs)())


def wrong(graph: RandomGraph, way: Way = PLAIN) -> str | None:
    """The first promise that is not kept, in words."""
    said = (f"{name}: {text}" for name, text in failures(graph, way) if text)
    return next(said, None)


def told_otherwise(graph: RandomGraph, way: Way, run: Run) -> str | None:
    """What one engine tells of integer divisions, and the other does not."""
    nodes = finish(list(graph.outputs)) if way.finished else graph.outputs
    with noted() as wanted:
        reference.evaluate(nodes, dict(zip(graph.inputs, graph.arguments)))
    with noted() as found:
        run()
    ours, theirs = ({(f.kind, f.node.name, f.node.dtype.str) for f in x} for x in (found, wanted))
    return None if ours == theirs else f"tells of {sorted(ours)}, the reference of {sorted(theirs)}"


def by_threads(run: Run, first: Sequence[np.ndarray]) -> str | None:
    """What differs in a bit when more threads compute."""
    before = threads()
    try:
        for count in (2, 4):
            threads(count)
            if said := other_bits(first, run()):
                return f"{said} by {count} threads"
    finally:
        threads(before)
    return None


def donations(graph: RandomGraph) -> dict[int, int]:
    """For some outputs an input whose memory they may take."""
    pairs: dict[int, int] = {}
    for o, y in enumerate(graph.outputs):
        for i, x in enumerate(graph.inputs):
            alike = (x.shape, x.dtype) == (y.shape, y.dtype)
            if alike and i not in pairs.values() and (o + i) % 3:
                pairs[o] = i
                break
    return pairs


def other_bits(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> str | None:
    """The first array that differs in a bit."""
    for i, (x, y) in enumerate(zip(first, second)):
        if x.tobytes() != y.tobytes():
            return f"output {i} of dtype {x.dtype}{list(x.shape)} has other bits"
    return None
