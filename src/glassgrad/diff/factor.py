"""Norms of batched arrays that are products, from their factors.

|x·gᵀ|² = |x|²|g|², and for a sum of such products Σₛ xₛ·gₛᵀ it is the sum over s, t of
(xₛ·xₜ)(gₛ·gₜ): neither needs the product itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import broadcast_to
from glassgrad.graph.node import Node
from glassgrad.ops.contract import Contract, Labels, contract
from glassgrad.ops.reduce import sum_
from glassgrad.ops.view import Concatenate, Place, Transpose, transpose


def squared_norms(x: Node) -> Node:
    """The sum of squares over all axes but the first."""
    if isinstance(x.op, Contract) and x.ndim > 1:
        found = _of_contraction(x, x.op)
        if found is not None:
            return found
    if x.ndim > 1 and _keeps_norms(x):
        return squared_norms(x.inputs[0])
    if isinstance(x.op, Concatenate) and x.op.axis > 0:
        parts = [squared_norms(part) for part in x.inputs]
        return sum(parts[1:], parts[0])
    return sum_(k.square(x), tuple(range(1, x.ndim)))


def _keeps_norms(x: Node) -> bool:
    """Whether an op only moves the numbers of each example, or adds zeros to them."""
    if x.name in ("alias", "negative"):
        return True
    (first, *_) = x.inputs or (x,)
    if not first.ndim or first.shape[0] != x.shape[0] or first.dtype != x.dtype:
        return False
    if isinstance(x.op, Transpose):
        return x.op.perm[0] == 0
    return x.name == "reshape" or isinstance(x.op, Place)


def _of_contraction(x: Node, op: Contract) -> Node | None:
    """From the factors, where the contraction is an outer product or a sum of few."""
    new = op.out[0]
    both = set(op.lhs) & set(op.rhs)
    if (both & set(op.out)) - {new}:
        return None
    summed = tuple(i for i in op.lhs if i in both and i not in op.out)
    sides = list(zip(x.inputs, (op.lhs, op.rhs)))
    if not summed:
        left, right = (_norms_of_side(y, labels, new, x.shape[0]) for y, labels in sides)
        return left * right
    size = dict(zip((*op.lhs, *op.rhs), (*x.inputs[0].shape, *x.inputs[1].shape)))
    steps = int(np.prod([size[i] for i in summed]))
    rows, columns = (_rest(y, labels, (new, *summed)) for y, labels in sides)
    if steps * (rows + columns) >= rows * columns:
        return None
    left, right = (_gram(y, labels, new, summed, x.shape[0]) for y, labels in sides)
    return sum_(left * right, tuple(range(1, left.ndim)))


def _rest(x: Node, labels: Labels, without: Sequence[int]) -> int:
    """The number of elements along the other labels."""
    return int(np.prod([n for n, i in zip(x.shape, labels) if i not in without]))


def _norms_of_side(x: Node, labels: Labels, new: int, size: int) -> Node:
    if new not in labels:  # the same for all examples
        return broadcast_to(sum_(k.square(x), tuple(range(x.ndim))), (size,))
    order = (labels.index(new), *(i for i, label in enumerate(labels) if label != new))
    return squared_norms(transpose(x, order))


def _gram(x: Node, labels: Labels, new: int, summed: Labels, size: int) -> Node:
    """The products of the rows of one factor with each other, for each example."""
    shift = max(labels) + 1 + max(summed)
    again = tuple(i + shift if i in summed else i for i in labels)
    lead = (new,) if new in labels else ()
    found = contract(x, labels, x, again, (*lead, *summed, *(i + shift for i in summed)))
    return found if lead else broadcast_to(found, (size, *found.shape))
