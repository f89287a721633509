"""What can be said about finiteness from the graph alone.

A zero cotangent that comes from a select says "not chosen"; its product with an infinite local
factor must be 0. These questions tell where the factor may be infinite at all.
"""

from __future__ import annotations

import numpy as np

from glassgrad.graph.node import Node, constant_value

_BOUNDED = {"sigmoid", "sigmoid_slope", "tanh_slope", "tanh", "sign"}
_MOVES = {
    "alias",
    "broadcast",
    "reshape",
    "transpose",
    "slice",
    "place",
    "concatenate",
    "item",
    "update",
}
_KEEPS = _MOVES | {
    "add", "subtract", "multiply", "negative", "square", "sin", "cos", "relu", "abs", "clip",
    "maximum", "minimum", "where", "contract", "reduce", "take", "scatter_add", "cast", "floor",
    "stop_gradient",
    "softplus", "sort",
}  # fmt: skip


def bounded(node: Node) -> bool:
    """Whether the value is finite whatever the inputs hold, infinities included (NaN aside)."""
    while node.name in ("alias", "broadcast", "reshape", "transpose"):
        node = node.inputs[0]
    if node.name == "cast":
        return node.inputs[0].dtype.kind != "f" or bounded(node.inputs[0])
    if node.name == "negative":
        return bounded(node.inputs[0])
    value = constant_value(node)
    if value is not None:
        return bool(np.isfinite(value).all())
    return node.name in _BOUNDED or node.dtype.kind != "f"


def finite_inside(node: Node, known: dict[Node, bool]) -> bool:
    """Whether the value is finite if the inputs are, overflow aside: no pole lies under it."""
    stack = [node]
    while stack:
        at = stack[-1]
        if at in known:
            stack.pop()
        elif at.name == "input" or bounded(at):
            known[at] = True
        elif at.name not in _KEEPS:
            known[at] = False
        elif pending := [x for x in at.inputs if x not in known]:
            stack.extend(pending)
        else:
            known[at] = all(known[x] for x in at.inputs)
    return known[node]
