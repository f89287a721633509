"""Plans of contractions: matrix products, and sums of products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from glassgrad.engines.native.builder import Memo
from glassgrad.engines.native.expression import Apply, Buffer, Load, Seed, Store, loads
from glassgrad.engines.native.labels import TALL, is_product, label_groups, sizes
from glassgrad.engines.native.long_sums import sum_is_last
from glassgrad.engines.native.step import Loop, Matrix, Multiply, Reduction
from glassgrad.engines.native.strided import Strided, reducible
from glassgrad.graph.node import Node
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.contract import Contract

if TYPE_CHECKING:
    from glassgrad.engines.native.planner import Planner

_LARGE = 128  # elements of matrices that are multiplied one by one


def plan_contract(p: Planner, node: Node, buffer: Buffer) -> None:
    """A contraction: a matrix product, or a sum of products where one side is a vector."""
    op = node.op
    assert isinstance(op, Contract)
    if not is_product(node):
        _by_sum(p, node, buffer)
        return
    batch, rows, columns, summed = label_groups(op)
    out = op.out
    size = sizes(node)
    if out not in ((*batch, *rows, *columns), (*batch, *columns, *rows)):
        batch = (*batch, out[len(batch)])  # a product for each place of this label
        rows, columns = (tuple(i for i in g if i not in batch) for g in (rows, columns))
    sides = [(0, op.lhs, rows), (1, op.rhs, columns)]
    if out == (*batch, *columns, *rows):
        sides = [sides[1], sides[0]]
        rows, columns = columns, rows
    else:
        assert out == (*batch, *rows, *columns), "put in order by expanded()"
    if _by_blocks(p, node, *sides[0][:2], batch, rows, summed, size):
        batch, rows = (*batch, rows[0]), rows[1:]
    left = _matrix(p, node, *sides[0][:2], batch, rows, summed, size)
    right = _matrix(p, node, *sides[1][:2], batch, summed, columns, size)
    m, n, k = (prod(size[i] for i in g) for g in (rows, columns, summed))
    seed = Seed(node.dtype)
    shape = tuple(size[i] for i in batch)
    store = Store(seed, buffer, Strided.contiguous((m, n)))
    p.append(Multiply([node], [store], left, right, shape, m, n, k, seed, p.extents))


def _matrix(
    p: Planner, node: Node, which: int, labels: tuple[int, ...], batch: tuple[int, ...],
    rows: tuple[int, ...], columns: tuple[int, ...], size: dict[int, int],
) -> Matrix:  # fmt: skip
    """An operand as a matrix for each batch point; copied where its strides do not allow it."""
    buffer, view = p.stored_view(node.inputs[which], {})
    own = [i for i in batch if i in labels]
    groups = own, rows, columns
    view = view.transpose([labels.index(i) for g in groups for i in g])
    flat = _as_matrices(view, groups, size)
    if flat is None:
        buffer, view = _copied(p, node, buffer, view)
        flat = _as_matrices(view, groups, size)
        assert flat is not None
    *outer, row, column = flat.strides
    known = dict(zip(own, outer))  # the other operand may have labels of its own
    return Matrix(buffer, flat.offset, tuple(known.get(i, 0) for i in batch), row, column)


def _as_matrices(
    view: Strided, groups: Sequence[Sequence[int]], size: Mapping[int, int]
) -> Strided | None:
    """A view over batch, rows and columns with its rows, and its columns, as one axis."""
    batch, rows, columns = ([size[i] for i in g] for g in groups)
    return view.reshape((*batch, prod(rows), prod(columns)))


def _by_blocks(
    p: Planner, node: Node, which: int, labels: tuple[int, ...], batch: tuple[int, ...],
    rows: tuple[int, ...], columns: tuple[int, ...], size: dict[int, int],
) -> bool:  # fmt: skip
    """Whether an operand is no matrix, but many good ones, one for each place of a row axis.

    These are multiplied one by one where they stand; a copy would cost as much as the product.
    """
    inner = prod(size[i] for i in rows[1:])
    if len(rows) < 2 or inner < TALL or inner * prod(size[i] for i in columns) < _LARGE:
        return False
    _, view = p.stored_view(node.inputs[which], {})
    own = [i for i in batch if i in labels]
    view = view.transpose([labels.index(i) for g in (own, rows, columns) for i in g])
    if _as_matrices(view, (own, rows, columns), size) is not None:
        return False
    return _as_matrices(view, ((*own, rows[0]), rows[1:], columns), size) is not None


def _copied(p: Planner, node: Node, buffer: Buffer, view: Strided) -> tuple[Buffer, Strided]:
    """A view written out in its own order."""
    copy, whole = Buffer("arena", buffer.dtype, view.shape), Strided.contiguous(view.shape)
    p.append(Loop([node], [Store(Load(buffer, view), copy, whole)]))
    return copy, whole


def _by_sum(p: Planner, node: Node, buffer: Buffer) -> None:
    """A dot, or a matrix by a vector: products, summed."""
    op = node.op
    assert isinstance(op, Contract)
    _, _, _, summed = label_groups(op)
    size = sizes(node)
    labels, axes = _sum_order(p, node, summed)
    memo: Memo = {}
    args = tuple(p.build({}, memo, x, c) for x, c in p.spread(node, [labels] * 2))
    expr = Apply(REGISTRY["multiply"], args, node.dtype)
    space = tuple(size[i] for i in labels)
    if not reducible(space, axes, [x.view for x in loads([expr])]):
        args = tuple(_ordered(p, node, i, labels) for i in (0, 1))
        expr = Apply(REGISTRY["multiply"], args, node.dtype)
    seed = Seed(node.dtype)
    store = Store(seed, buffer, Strided.contiguous(node.shape))
    p.append(Reduction([node], [store], space, axes, "sum", expr, seed))


def _ordered(p: Planner, node: Node, which: int, labels: tuple[int, ...]) -> Load:
    """An operand of a contraction, copied into the order of `labels`."""
    op, size = node.op, sizes(node)
    assert isinstance(op, Contract)
    own = (op.lhs, op.rhs)[which]
    buffer, view = p.stored_view(node.inputs[which], {})
    order = [own.index(i) for i in labels if i in own]
    copy, whole = _copied(p, node, buffer, view.transpose(order))
    lifted = whole.reshape([size[i] if i in own else 1 for i in labels])
    assert lifted is not None
    return Load(copy, lifted.broadcast([size[i] for i in labels]))


def _sum_order(
    p: Planner, node: Node, summed: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of the products: summed ones last if that walks through memory in order."""
    op = node.op
    assert isinstance(op, Contract)
    if sum_is_last(node):
        return (*op.out, *summed), tuple(range(len(op.out), len(op.out) + len(summed)))
    return (*summed, *op.out), tuple(range(len(summed)))
