"""Composite nodes in terms of simpler ones, before anything is planned."""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.engines.native.labels import in_order, is_outer
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import full_like
from glassgrad.graph.node import Node, make
from glassgrad.graph.traverse import rebuild, topological_order
from glassgrad.ops.contract import Contract
from glassgrad.ops.reduce import Reduce, reduce
from glassgrad.ops.view import transpose


def expanded(outputs: Sequence[Node]) -> list[Node]:
    """The outputs with composite nodes written out: logsumexp is max, exp, sum and log, a product
    whose result interleaves its axes is an ordered one, transposed."""
    if not any(_is_composite(n) for n in topological_order(outputs)):
        return list(outputs)
    new = rebuild(outputs, {}, _expand, rule="lowering")
    return [new[y] for y in outputs]


def _is_composite(node: Node) -> bool:
    op = node.op
    if isinstance(op, Contract):
        return not is_outer(op) and in_order(op) != op.out
    return isinstance(op, Reduce) and op.kind == "logsumexp"


def _expand(old: Node, node: Node) -> Node:
    """A composite node in terms of simpler ones; any other as it is."""
    op = node.op
    if isinstance(op, Contract) and _is_composite(node):
        order = in_order(op)
        return transpose(make(Contract(op.lhs, op.rhs, order), *node.inputs),
                         [order.index(i) for i in op.out])  # fmt: skip
    if not isinstance(op, Reduce) or op.kind != "logsumexp":
        return node
    x = node.inputs[0]
    if x.size == 0:
        return full_like(make(Reduce("sum", op.axes), x), float("-inf"))
    top = reduce(x, "max", op.axes)
    shift = k.where(k.isfinite(top), top, 0)
    return k.log(reduce(k.exp(x - op.spread(shift, x)), "sum", op.axes)) + shift
