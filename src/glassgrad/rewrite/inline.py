"""Custom rules have done their work once all derivatives are taken: functions replace them."""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.graph.node import Item, Node, make
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.loop import Custom


def without_rules(outputs: Sequence[Node], done: Sequence[Node] = ()) -> list[Node]:
    """The outputs with every function that has rules of its own written out: the same bits.

    What lies under `done` is left as it is.
    """
    new: dict[Node, Node] = {x: x for x in done}
    order = topological_order(outputs, new)
    if not any(isinstance(node.op, Custom) for node in order):
        return list(outputs)
    several: dict[Node, list[Node]] = {}
    for node in order:
        inputs = [new[x] for x in node.inputs if x not in several]
        if isinstance(node.op, Item) and node.inputs[0] in several:
            new[node] = several[node.inputs[0]][node.op.index]
        elif isinstance(node.op, Custom):
            several[node] = without_rules(node.op.body.inline(inputs), inputs)
        elif inputs == list(node.inputs):
            new[node] = node
        else:
            with node.trace.making("rewrite", node, "written out"):
                new[node] = make(node.op, *inputs)
    return [new[y] for y in outputs]
