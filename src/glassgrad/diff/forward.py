"""Forward mode: the tangent of every node, in the order in which the nodes are computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glassgrad.diff.bodies import BODIES
from glassgrad.graph.dtype import is_float
from glassgrad.graph.family import Elementwise, scaled
from glassgrad.graph.node import Item, Node
from glassgrad.graph.traverse import topological_order


def jvp(outputs: Sequence[Node], tangents: Mapping[Node, Node]) -> list[Node | None]:
    """The tangents of the outputs, given those of some nodes; None: it does not depend on them."""
    known: dict[Node, Node | None] = dict(tangents)
    several: dict[Node, Sequence[Node | None]] = {}
    for node in topological_order(outputs):
        if node in known:
            continue
        if isinstance(node.op, Item) and node.inputs[0] in several:
            known[node] = several[node.inputs[0]][node.op.index]
            continue
        given = [known.get(x) for x in node.inputs]
        if all(t is None for t in given) or (node.outputs is None and not is_float(node.dtype)):
            continue
        with node.trace.making("forward", node, node.name):
            if node.outputs is not None:
                rules = BODIES.get(type(node.op))
                several[node] = rules[0](node, given, jvp) if rules else node.op.jvp(node, given)
            elif isinstance(node.op, Elementwise):
                known[node] = _elementwise(node, node.op, given)
            else:
                known[node] = node.op.jvp(node, given)
    return [known.get(y) for y in outputs]


def _elementwise(node: Node, op: Elementwise, tangents: Sequence[Node | None]) -> Node | None:
    """The sum over operands of tangent times partial derivative; a choosing op passes it on."""
    total: Node | None = None
    for i, t in enumerate(tangents):
        if t is None:
            continue
        local = None if op.selects else op.local(node, i)
        term = op.routed(node, t, i) if op.selects else None if local is None else scaled(t, local)
        if term is not None:
            total = term if total is None else total + term
    return total
