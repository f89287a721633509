"""Gradients that are zero in all rows but some: rows added into zeros, sums and multiples of these.

There is no type for them: the graph of such a gradient says which rows it has.
"""

from __future__ import annotations

from typing import NamedTuple

from glassgrad.graph.family import literal, reshape
from glassgrad.graph.node import Node, make
from glassgrad.ops.gather import ScatterAdd, take
from glassgrad.ops.view import concatenate


class Rows(NamedTuple):
    """Row numbers in a line, and a row of values for each; a row that is named twice sums."""

    places: Node
    values: Node


def row_sparse(node: Node) -> Rows | None:
    """The rows of a gradient that is zero in all others; None where the graph does not say so."""
    if isinstance(node.op, ScatterAdd):
        return _scattered(node)
    if node.name == "add":
        x, y = map(row_sparse, node.inputs)
        if x is None or y is None:
            return None
        return Rows(concatenate([x.places, y.places]), concatenate([x.values, y.values]))
    if node.name in ("multiply", "divide", "negative", "cast"):
        return _scaled(node)
    return None


def _scattered(node: Node) -> Rows | None:
    assert isinstance(node.op, ScatterAdd)
    base, values, *indices = node.inputs
    if literal(base) != 0 or node.op.axis != 0 or len(indices) > 1:
        return None
    places = reshape(indices[0], (indices[0].size,))
    return Rows(places, reshape(values, (places.size, *base.shape[1:])))


def _scaled(node: Node) -> Rows | None:
    """The op on the rows alone; what else it takes is read at these rows."""
    for i, x in enumerate(node.inputs[:1] if node.name == "divide" else node.inputs):
        found = row_sparse(x)
        if found is not None:
            operands = [take(other, [found.places]) for other in node.inputs]
            operands[i] = found.values
            return Rows(found.places, make(node.op, *operands))
    return None
