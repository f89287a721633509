"""The axis labels of a contraction, by what becomes of them."""

from __future__ import annotations

from math import prod

from glassgrad.graph.node import Node
from glassgrad.ops.contract import Contract

TALL, LARGE = 8, 1024  # rows, and multiplications, of products that are worth a call each


def label_groups(op: Contract) -> tuple[tuple[int, ...], ...]:
    """The labels of batch, rows, columns and summed axes."""
    shared = set(op.lhs) & set(op.rhs)
    return (
        tuple(i for i in op.out if i in shared),
        tuple(i for i in op.out if i in op.lhs and i not in shared),
        tuple(i for i in op.out if i in op.rhs and i not in shared),
        tuple(i for i in op.lhs if i not in op.out),
    )


def is_outer(op: Contract) -> bool:
    """Whether nothing is summed: the products stand side by side."""
    return not label_groups(op)[3]


def is_product(node: Node) -> bool:
    """Whether a contraction has rows, columns and summed axes, none of length 1."""
    op = node.op
    assert isinstance(op, Contract)
    groups = label_groups(op)
    size = sizes(node)
    return all(prod(size[i] for i in g) > 1 for g in groups[1:3])


def in_order(node: Node) -> tuple[int, ...]:
    """The labels of a contraction's result as products give them: batch, then rows and columns.

    The first of the rows, or of the columns, may stand before all others: then there is a product
    for each of its places.
    """
    op, size = node.op, sizes(node)
    assert isinstance(op, Contract)
    batch, rows, columns, summed = label_groups(op)
    if op.out == (*batch, *columns, *rows):
        return op.out
    for (first, *inner), others in ((rows or (-1,), columns), (columns or (-1,), rows)):
        extents = [prod(size[i] for i in g) for g in (inner, others)]
        worth = min(extents) >= TALL and prod(extents) * prod(size[i] for i in summed) >= LARGE
        if worth and op.out == (*batch, first, *others, *inner):
            return op.out
    return (*batch, *rows, *columns)


def sizes(node: Node) -> dict[int, int]:
    """The extent of every label of a contraction."""
    op = node.op
    assert isinstance(op, Contract)
    x, y = node.inputs
    return dict(zip(op.lhs, x.shape)) | dict(zip(op.rhs, y.shape))
