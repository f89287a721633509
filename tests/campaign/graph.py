"""A random graph with the values of its nodes, and where its ops were met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glassgrad.graph.family import Broadcast, Reshape
from glassgrad.graph.node import Node
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.view import Slice, Transpose

Coverage = dict[tuple[str, str, str], int]
"""How often an op met a dtype in a layout."""


@dataclass
class RandomGraph:
    """Inputs with values, and outputs; `values` holds the value of every node.

    `slopes` are the outputs that are gradients of `total`, each with the input it belongs to.
    """

    inputs: list[Node]
    outputs: list[Node]
    values: dict[Node, Any]
    total: Node | None = None
    slopes: dict[Node, Node] = field(default_factory=dict)

    @property
    def arguments(self) -> list[np.ndarray]:
        """The arrays of the inputs, in order."""
        return [self.values[x] for x in self.inputs]

    def coverage(self) -> Coverage:
        """How often each op met each dtype in each layout."""
        found: Coverage = {}
        for node in topological_order(self.outputs):
            for x in node.inputs or (node,):
                key = (node.name, str(x.dtype) if x.outputs is None else "", layout(x))
                found[key] = found.get(key, 0) + 1
        return found


def layout(x: Node) -> str:
    """How an operand's elements lie, told from the view that made it."""
    if x.outputs is not None:
        return "several"
    if x.size == 0:
        return "empty"
    if x.ndim == 0:
        return "scalar"
    names = {Transpose: "transposed", Broadcast: "broadcast", Reshape: "reshaped"}
    if isinstance(x.op, Slice):
        return "reversed" if min(x.op.steps) < 0 else "sliced"
    return names.get(type(x.op), "in order")
