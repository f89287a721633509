"""The same graph for many examples at once: each batched node has one more axis, in front.

One rule a family. Nodes that no batched node reaches stay themselves: what is the same for all
examples is computed once. The size of the batch is the length of the new axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from glassgrad.diff.batch_body import body_rule, each_key, spread
from glassgrad.graph.errors import GraphError
from glassgrad.graph.family import (
    Alias,
    Broadcast,
    Cast,
    Elementwise,
    Reshape,
    broadcast_to,
    reshape,
)
from glassgrad.graph.node import Item, Node, constant, item, make
from glassgrad.graph.op import Op
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.contract import Contract, contract
from glassgrad.ops.factor import Cholesky, OrthogonalFactor, SingularValues, SymmetricEigen
from glassgrad.ops.gather import Scatter, ScatterAdd, Take, take
from glassgrad.ops.linear_system import (
    Cofactors,
    Determinant,
    Inverse,
    LogDeterminant,
    PseudoInverse,
    Solve,
    SolveTriangular,
)
from glassgrad.ops.prefix import Prefix
from glassgrad.ops.random import RandomBits
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.sort import Sort
from glassgrad.ops.view import Concatenate, Place, Slice, Transpose, Update, transpose

Batched = Sequence[Node | None]
Rule = Callable[[Any, Node, Batched, int], Node]


def batch(outputs: Sequence[Node], given: Mapping[Node, Node], size: int) -> list[Node | None]:
    """The outputs for `size` examples, given batched values of some nodes; None: all the same."""
    known: dict[Node, Node | None] = dict(given)
    several: dict[Node, list[Node | None]] = {}
    for node in topological_order(outputs, known):
        xs = [known.get(x) for x in node.inputs]
        if isinstance(node.op, Item) and node.inputs[0] in several:
            known[node] = several[node.inputs[0]][node.op.index]
        elif any(x is not None for x in xs):
            with node.trace.making("rewrite", node, "for many examples"):
                if (rule := body_rule(node.op)) is not None:
                    several[node] = list(rule(node, xs, size, batch))
                elif node.outputs is not None:
                    several[node] = _items(_one(node, xs, size))
                else:
                    known[node] = _one(node, xs, size)
    return [known.get(y) for y in outputs]


def _one(node: Node, xs: Batched, size: int) -> Node:
    rule = _RULES.get(type(node.op))
    if rule is None:
        raise GraphError(f"gg.vmap has no rule for {node.op!r}")
    return rule(node.op, node, xs, size)


def _items(node: Node) -> list[Node | None]:
    return [item(node, i) for i in range(len(node.outputs or ()))]


def all_batched(node: Node, xs: Batched, size: int) -> list[Node]:
    """Every operand with the new axis."""
    return [spread(old, size) if x is None else x for old, x in zip(node.inputs, xs)]


def _same(op: Op, node: Node, xs: Batched, size: int) -> Node:
    """The op as it is: it does not look at axes."""
    return make(op, *all_batched(node, xs, size))


def _shifted(axes: tuple[int, ...]) -> tuple[int, ...]:
    return (0, *(a + 1 for a in axes))


def _first(xs: Batched) -> Node:
    assert xs[0] is not None
    return xs[0]


def _reduce(op: Reduce, node: Node, xs: Batched, size: int) -> Node:
    return make(Reduce(op.kind, _shifted(op.axes)[1:]), _first(xs))


def _contract(op: Contract, node: Node, xs: Batched, size: int) -> Node:
    """A new label, on every batched operand and on the result."""
    (x, y), (s, t) = node.inputs, xs
    new = max((*op.lhs, *op.rhs), default=-1) + 1
    lhs = op.lhs if s is None else (new, *op.lhs)
    rhs = op.rhs if t is None else (new, *op.rhs)
    return contract(x if s is None else s, lhs, y if t is None else t, rhs, (new, *op.out))


def _broadcast(op: Broadcast, node: Node, xs: Batched, size: int) -> Node:
    x, old = _first(xs), node.inputs[0]
    ones = (1,) * (len(op.shape) - old.ndim)
    return broadcast_to(reshape(x, (size, *ones, *old.shape)), (size, *op.shape))


def _slice(op: Slice, node: Node, xs: Batched, size: int) -> Node:
    return make(Slice((0, *op.starts), (1, *op.steps), (size, *op.lengths)), _first(xs))


def _place(op: Place, node: Node, xs: Batched, size: int) -> Node:
    return make(Place((size, *op.shape), (0, *op.starts), (1, *op.steps)), _first(xs))


def _update(op: Update, node: Node, xs: Batched, size: int) -> Node:
    return make(Update((0, *op.starts), (1, *op.steps)), *all_batched(node, xs, size))


def _concatenate(op: Concatenate, node: Node, xs: Batched, size: int) -> Node:
    return make(Concatenate(op.axis + 1), *all_batched(node, xs, size))


def _sort(op: Sort, node: Node, xs: Batched, size: int) -> Node:
    return make(Sort(op.axis + 1), _first(xs))


def _solve(op: Solve | SolveTriangular, node: Node, xs: Batched, size: int) -> Node:
    """Many right-hand sides of one matrix are columns of one: it is factorised once."""
    a, b = node.inputs
    if xs[0] is not None:
        return _same(op, node, xs, size)
    assert xs[1] is not None
    rows, columns = b.shape[-2:]
    last = b.ndim - 1  # of the new axis between rows and columns
    beside = transpose(xs[1], (*range(1, last + 1), 0, last + 1))
    found = make(op, a, reshape(beside, (*b.shape[:-2], rows, size * columns)))
    apart = reshape(found, (*b.shape[:-1], size, columns))
    return transpose(apart, (last, *range(last), last + 1))


# -- reading and adding at indices ----------------------------------------------------------------


def _own_rows(size: int, indices: Sequence[Node]) -> list[Node]:
    """The number of the example beside its indices, so that each reads its own rows."""
    numbers = constant(indices[0].trace, np.arange(size, dtype=np.int64))
    column = reshape(numbers, (size, *(1,) * (indices[0].ndim - 1)))
    return [broadcast_to(column, indices[0].shape), *indices]


def _indexed_first(ndim: int, axis: int, count: int) -> tuple[int, ...]:
    """The order of axes that puts the batch first and the indexed ones right after it."""
    indexed = range(axis + 1, axis + 1 + count)
    return (0, *indexed, *(i for i in range(1, ndim) if i not in indexed))


def _back(perm: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argsort(perm))


def _take(op: Take, node: Node, xs: Batched, size: int) -> Node:
    x, *indices = node.inputs
    if all(i is None for i in xs[1:]):
        return make(Take(op.axis + 1), _first(xs), *indices)
    wide = all_batched(node, xs, size)[1:]
    if xs[0] is None:  # rows of one table: the batch stands where the indices stand
        found = take(x, wide, op.axis)
        return transpose(found, (op.axis, *(i for i in range(found.ndim) if i != op.axis)))
    perm = _indexed_first(x.ndim + 1, op.axis, len(indices))
    found = take(transpose(xs[0], perm), _own_rows(size, wide), 0)
    return transpose(found, _back(_indexed_first(found.ndim, op.axis, indices[0].ndim)))


def _scatter(op: Scatter | ScatterAdd, node: Node, xs: Batched, size: int) -> Node:
    _, values, *indices = node.inputs
    base, added, *wide = all_batched(node, xs, size)
    if all(i is None for i in xs[2:]):
        return make(type(op)(op.axis + 1), base, added, *indices)
    perm = _indexed_first(base.ndim, op.axis, len(indices))
    added = transpose(added, _indexed_first(values.ndim + 1, op.axis, indices[0].ndim))
    found = make(type(op)(0), transpose(base, perm), added, *_own_rows(size, wide))
    return transpose(found, _back(perm))


_RULES: dict[type[Op], Rule] = {
    Elementwise: _same,
    Cast: _same,
    Alias: _same,
    Reduce: _reduce,
    Contract: _contract,
    Broadcast: _broadcast,
    Reshape: lambda op, node, xs, size: reshape(_first(xs), (size, *op.shape)),
    Transpose: lambda op, node, xs, size: transpose(_first(xs), _shifted(op.perm)),
    Slice: _slice,
    Place: _place,
    Update: _update,
    Concatenate: _concatenate,
    Take: _take,
    ScatterAdd: _scatter,
    Scatter: _scatter,
    Prefix: lambda op, node, xs, size: make(Prefix(op.axis + 1, op.backward), _first(xs)),
    Sort: _sort,
    RandomBits: lambda op, node, xs, size: each_key(op, _first(xs)),
    Solve: _solve,
    SolveTriangular: _solve,
    **dict.fromkeys(
        (
            Inverse,
            LogDeterminant,
            Determinant,
            Cofactors,
            PseudoInverse,
            Cholesky,
            SymmetricEigen,
            SingularValues,
            OrthogonalFactor,
        ),
        _same,
    ),
}
