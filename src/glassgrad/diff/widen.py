"""The same graph in double precision: what float32 computes, without its rounding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from glassgrad.graph.dtype import FLOAT32, FLOAT64
from glassgrad.graph.family import Elementwise
from glassgrad.graph.function import Function
from glassgrad.graph.node import Const, Input, Node, constant, make, new_input
from glassgrad.graph.op import Op
from glassgrad.graph.traverse import topological_order


def widened(outputs: Iterable[Node]) -> dict[Node, Node]:
    """For every node under the outputs the one that computes it in float64.

    Variables of float32 become fresh ones of float64; nodes that no float32 reaches stay.
    """
    new: dict[Node, Node] = {}
    for node in topological_order(outputs):
        with node.trace.making("rewrite", node, "in float64"):
            new[node] = _wide(node, tuple(new[x] for x in node.inputs))
    return new


def _wide(node: Node, inputs: tuple[Node, ...]) -> Node:
    if node.dtype == FLOAT32 and isinstance(node.op, Input):
        return new_input(node.trace, node.op.label, node.shape, FLOAT64)
    if node.dtype == FLOAT32 and isinstance(node.op, Const):
        return constant(node.trace, node.op.value.astype(FLOAT64))
    if not node.inputs:
        return node
    op = _wide_op(node.op)
    return node if inputs == node.inputs and op == node.op else make(op, *inputs)


def _wide_op(op: Op) -> Op:
    if isinstance(op, Elementwise):
        return op
    old = op.parameters()
    new = tuple(_wide_field(value) for value in old)
    return op if new == old else type(op)(*new)


def _wide_field(value: Any) -> Any:
    if isinstance(value, Function):
        return _wide_function(value)
    return FLOAT64 if isinstance(value, np.dtype) and value == FLOAT32 else value


def _wide_function(body: Function) -> Function:
    params, outputs = body.fresh()
    new = widened([*params, *outputs])
    return Function([new[p] for p in params], [new[y] for y in outputs])
