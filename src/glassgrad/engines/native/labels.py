"""The axis labels of a contraction, by what becomes of them."""

from __future__ import annotations

from math import prod

from glassgrad.graph.node import Node
from glassgrad.ops.contract import Contract


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


def in_order(op: Contract) -> tuple[int, ...]:
    """The labels of the result as a product gives them: batch, then rows and columns."""
    batch, rows, columns, _ = label_groups(op)
    turned = (*batch, *columns, *rows)
    return turned if op.out == turned else (*batch, *rows, *columns)


def sizes(node: Node) -> dict[int, int]:
    """The extent of every label of a contraction."""
    op = node.op
    assert isinstance(op, Contract)
    x, y = node.inputs
    return dict(zip(op.lhs, x.shape)) | dict(zip(op.rhs, y.shape))
