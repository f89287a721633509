"""The laws of graphs, checked between passes: acyclic, nodes as their ops infer, outputs kept."""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.graph.errors import GraphError
from glassgrad.graph.node import Node
from glassgrad.graph.op import Aval
from glassgrad.graph.traverse import topological_order


def check_graph(
    outputs: Sequence[Node], expected: Sequence[Aval] | None = None, after: str = ""
) -> None:
    """Raise a `GraphError` where a node is not what its op says, or an output changed its type."""
    stage = f" after {after!r}" if after else ""
    fine: set[Node] = set()  # checked before: a node never changes
    if outputs:
        fine = outputs[0].trace.root().found.setdefault("checked", fine)
    for node in topological_order(outputs, fine):
        found = node.op.infer(*node.inputs)
        said = node.outputs if node.outputs is not None else (node.shape, node.dtype)
        if found != said:
            raise GraphError(f"{node!r} should be {found}, not {said}{stage}")
        if any(x.outputs is not None for x in node.inputs) and node.name != "item":
            raise GraphError(f"{node!r} takes a node with several results as one value{stage}")
        fine.add(node)
    if expected is not None:
        now = [(y.shape, y.dtype) for y in outputs]
        if now != list(expected):
            raise GraphError(f"outputs changed from {list(expected)} to {now}{stage}")
