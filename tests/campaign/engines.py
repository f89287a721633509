"""The native engine's answer to a graph, and whether it keeps its promises on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from campaign.graphs import RandomGraph
from campaign.verdict import mismatch
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.graph.node import Const, Input, Node
from glassgrad.graph.traverse import topological_order

NO_CACHE = ObjectCache(None)


def native(outputs: Sequence[Node], graph: RandomGraph) -> list[np.ndarray]:
    """The values of nodes of the graph in machine code, compiled afresh."""
    return NativeProgram(outputs, graph.inputs, cache=NO_CACHE)(graph.arguments)


def wrong_number(graph: RandomGraph) -> str | None:
    """What differs from the reference engine by more than rounding does."""
    found = mismatch(graph, native(graph.outputs, graph))
    return None if found is None else str(found)


def wrong_bit(graph: RandomGraph) -> str | None:
    """What differs in a bit when every node is stored, so that nothing is fused away."""
    order = topological_order(graph.outputs)
    inner = [n for n in order if n.outputs is None and not isinstance(n.op, Input | Const)]
    first = native(graph.outputs, graph)
    stored = native([*graph.outputs, *inner], graph)
    for i, (x, y) in enumerate(zip(first, stored)):
        if x.tobytes() != y.tobytes():
            return f"output {i} of dtype {x.dtype}{list(x.shape)} has other bits when all is stored"
    return None
