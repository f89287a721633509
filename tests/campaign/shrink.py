"""A failing graph made small, and kept as a file that a test reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from campaign.graph import RandomGraph
from glassgrad.engines import reference
from glassgrad.graph.node import Const, Input, Node, new_input
from glassgrad.graph.serial import dumps, loads
from glassgrad.graph.traverse import substitute, topological_order

FOUND = Path(__file__).parent / "found"
"""Graphs on which an engine was wrong once."""


def shrunk(graph: RandomGraph, fails: Callable[[RandomGraph], bool]) -> RandomGraph:
    """The smallest graph that still fails, found by giving up outputs and nodes one by one."""
    graph = of(graph.outputs, graph.values)
    while True:
        smaller = next((g for g in _smaller(graph) if fails(g)), None)
        if smaller is None:
            return graph
        graph = smaller


def of(outputs: list[Node], values: dict[Node, np.ndarray]) -> RandomGraph:
    """The graph of some outputs; `values` hold at least those of the inputs."""
    order = topological_order(outputs)
    inputs = [n for n in order if isinstance(n.op, Input)]
    known = {x: values[x] for x in inputs}
    for _ in reference.interpret(order, known):
        pass
    return RandomGraph(inputs, outputs, known)


def _smaller(graph: RandomGraph) -> Iterator[RandomGraph]:
    """Graphs with fewer outputs, with an operand of one, or with a node's value in its place."""
    if len(graph.outputs) > 1:
        for y in graph.outputs:
            yield of([y], graph.values)
        for y in graph.outputs:
            yield of([x for x in graph.outputs if x is not y], graph.values)
    for y in graph.outputs:
        for x in y.inputs:
            if x.outputs is None and not isinstance(x.op, Input | Const):
                yield of([*(z for z in graph.outputs if z is not y), x], graph.values)
    order = topological_order(graph.outputs)
    for node in reversed(order):
        plain = node.outputs is None and not isinstance(node.op, Input | Const)
        if not plain or node in graph.outputs:
            continue
        stand_in = new_input(node.trace, f"v{len(order)}", node.shape, node.dtype)
        found = of(
            substitute(graph.outputs, {node: stand_in}),
            {**graph.values, stand_in: np.array(graph.values[node])},
        )
        if _steps(found.outputs) < _steps(graph.outputs):
            yield found


def _steps(outputs: list[Node]) -> int:
    """How many nodes are computed."""
    return sum(not isinstance(n.op, Input | Const) for n in topological_order(outputs))


def save(graph: RandomGraph, path: Path) -> None:
    """Writes a graph with the values of its inputs, in the order in which they are met."""
    arrays = [graph.values[x] for x in graph.inputs]
    rows = [[str(a.dtype), list(a.shape), a.reshape(-1).tolist()] for a in arrays]
    path.write_text(json.dumps({"graph": json.loads(dumps(graph.outputs)), "inputs": rows}) + "\n")


def load(path: Path) -> RandomGraph:
    """Reads a graph back."""
    data = json.loads(path.read_text())
    outputs = loads(json.dumps(data["graph"]))
    inputs = [n for n in topological_order(outputs) if isinstance(n.op, Input)]
    arrays = (np.array(v, dtype).reshape(shape) for dtype, shape, v in data["inputs"])
    return of(outputs, dict(zip(inputs, arrays)))
