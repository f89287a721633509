"""Long reductions in levels: parts of a fixed length, then the parts' results.

In one run of four chains the error of a sum grows with its length, and nothing of it could be
done by two threads. What is longer than `ACROSS` elements along the vectors, or than `DOWN` rows,
is cut: the parts depend on the shape alone, never on threads, fusing or the machine. An axis is cut
between rows where rows are long enough, else into equal parts, and what remains is added last.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from glassgrad.engines.native.extents import NONE, Extents
from glassgrad.engines.native.labels import is_outer, is_product, label_groups, sizes
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import reshape
from glassgrad.graph.node import Node
from glassgrad.graph.traverse import rebuild, topological_order
from glassgrad.ops.contract import Contract, Labels, contract
from glassgrad.ops.reduce import Reduce, reduce
from glassgrad.ops.view import rows

ACROSS = 4096  # elements of one part where the last axis is reduced
DOWN = 1024  # rows of one part where the last axis is kept
_SHARE = 16  # rows of at least this share of a part are parts by themselves
_JOINED = {
    "sum": k.add, "max": k.maximum, "min": k.minimum, "any": k.logical_or, "all": k.logical_and,
}  # fmt: skip


def in_levels(outputs: Sequence[Node], extents: Extents = NONE) -> list[Node]:
    """The outputs with long reductions and long sums of products cut into parts.

    Those along an axis whose length varies are cut by the code, when it is known.
    """
    if not any(_is_long(n, extents) for n in topological_order(outputs)):
        return list(outputs)

    def change(old: Node, node: Node) -> Node:
        if not _is_long(node, extents):
            return node
        op, x = node.op, node.inputs[0]
        with node.trace.making("rewrite", old, "long sum"):
            if isinstance(op, Reduce):
                return _reduced(x, op.kind, op.axes)
            return _contracted(node)

    new = rebuild(outputs, {}, change, rule="long sum")
    return [new[y] for y in outputs]


def _is_long(node: Node, extents: Extents) -> bool:
    op = node.op
    if isinstance(op, Reduce):
        x = node.inputs[0]
        if extents.varies(*(x.shape[a] for a in op.axes)):
            return False
        return op.kind in _JOINED and 0 not in x.shape and _too_long(x.shape, op.axes)
    if isinstance(op, Contract) and 0 not in sizes(node).values():
        if extents.varies(*(sizes(node)[i] for i in label_groups(op)[3])):
            return False
        return not is_outer(op) and not is_product(node) and _long_contract(node)
    return False


def _most(shape: Sequence[int], axes: Sequence[int]) -> int:
    """The elements of one part of a reduction."""
    return ACROSS if all(n == 1 for n in shape[axes[-1] + 1 :]) else DOWN


def _too_long(shape: Sequence[int], axes: Sequence[int]) -> bool:
    return bool(axes) and prod(shape[a] for a in axes) > _most(shape, axes)


def part_length(n: int, most: int) -> int:
    """The length of the parts of `n`: a divisor from half of `most` on if there is one, or `most`.

    >>> part_length(100_352, 4096), part_length(1_000_003, 4096)
    (3584, 4096)
    """
    return next((m for m in range(most, most // 2, -1) if n % m == 0), most)


def _cut(extents: Sequence[int], most: int) -> tuple[int, int]:
    """How a run of axes is cut: the first axis of a part, and its length there (0: not cut)."""
    i, inner = len(extents), 1
    while inner * extents[i - 1] <= most:
        i -= 1
        inner *= extents[i]
    if inner >= most // _SHARE:
        return i, 0
    return i - 1, part_length(extents[i - 1], most // inner)


def _reduced(x: Node, kind: str, axes: tuple[int, ...]) -> Node:
    """A reduction, in levels where it is long."""
    if not _too_long(x.shape, axes):
        return reduce(x, kind, axes)
    apart = next((i for i in range(len(axes) - 1, 0, -1) if axes[i - 1] + 1 != axes[i]), 0)
    if apart:  # the last run of neighbours first
        return _reduced(_reduced(x, kind, axes[apart:]), kind, axes[:apart])
    i, length = _cut([x.shape[a] for a in axes], _most(x.shape, axes))
    if not length:
        return _reduced(reduce(x, kind, axes[i:]), kind, axes[:i])
    axis, inner = axes[i], axes[i + 1 :]
    whole = x.shape[axis] // length
    parts = _split(x, axis, whole, length)
    partial = reduce(parts, kind, (axis + 1, *(a + 1 for a in inner)))
    result = _reduced(partial, kind, axes[: i + 1])
    if whole * length == x.shape[axis]:
        return result
    rest = rows(x, whole * length, x.shape[axis], axis)
    return _JOINED[kind](result, _reduced(rest, kind, axes))


def _split(x: Node, axis: int, whole: int, length: int) -> Node:
    """The first ``whole * length`` places of an axis as two axes."""
    shape = (*x.shape[:axis], whole, length, *x.shape[axis + 1 :])
    return reshape(rows(x, 0, whole * length, axis), shape)


# -- sums of products ---------------------------------------------------------


def sum_is_last(node: Node) -> bool:
    """Whether the products of a contraction are summed along their last axis."""
    op = node.op
    assert isinstance(op, Contract)
    big = op.lhs if node.inputs[0].size >= node.inputs[1].size else op.rhs
    return not op.out or (bool(big) and big[-1] not in op.out)


def _long_contract(node: Node) -> bool:
    op, size = node.op, sizes(node)
    assert isinstance(op, Contract)
    count = prod(size[i] for i in label_groups(op)[3])
    return count > (ACROSS if sum_is_last(node) else DOWN)


def _contracted(node: Node) -> Node:
    """A long sum of products: some summed labels, or blocks of one, stay in the partial sums."""
    op, size = node.op, sizes(node)
    assert isinstance(op, Contract)
    x, y = node.inputs
    summed = label_groups(op)[3]
    i, length = _cut([size[a] for a in summed], ACROSS if sum_is_last(node) else DOWN)
    if not length:
        return _partial_sums(x, op.lhs, y, op.rhs, summed[:i], op.out)
    label, block = summed[i], max(size) + 1
    whole = size[label] // length
    (p, lhs), (q, rhs) = (
        _blocks(z, own, label, block, whole, length) for z, own in ((x, op.lhs), (y, op.rhs))
    )
    result = _partial_sums(p, lhs, q, rhs, (*summed[:i], block), op.out)
    if whole * length == size[label]:
        return result
    p, q = (
        rows(z, whole * length, size[label], own.index(label))
        for z, own in ((x, op.lhs), (y, op.rhs))
    )
    rest = contract(p, op.lhs, q, op.rhs, op.out)
    return result + (_contracted(rest) if _long_contract(rest) else rest)


def _blocks(
    x: Node, labels: Labels, label: int, block: int, whole: int, length: int
) -> tuple[Node, Labels]:
    axis = labels.index(label)
    return _split(x, axis, whole, length), (*labels[:axis], block, *labels[axis:])


def _partial_sums(x: Node, lhs: Labels, y: Node, rhs: Labels, kept: Labels, out: Labels) -> Node:
    partial = contract(x, lhs, y, rhs, (*kept, *out))
    return _reduced(partial, "sum", tuple(range(len(kept))))
