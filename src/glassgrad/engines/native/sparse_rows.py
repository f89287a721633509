"""Row-sparse gradients at the cost of their rows.

The gradient of a table of which few rows were read is `scatter_add(0, values, rows)`. Where only
some rows of it are read again, they are added up in a small table with one row for each index: a
row's place there is the number of that row, in the order in which rows are first named. Where it is
subtracted from a table (or added to one), only the rows that it names are written.

The sums are those of the whole table, in the same order. A row that is not named stays as it is;
in the whole table it would be changed by 0 times the factors of the gradient, which differs only
where a factor is not finite, or in the sign of a zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glassgrad.engines.native.extents import NONE, Extents
from glassgrad.graph.errors import ShapeError
from glassgrad.graph.family import Broadcast, Cast, broadcast_to, literal
from glassgrad.graph.family import reshape as reshaped
from glassgrad.graph.node import Node, constant, make
from glassgrad.graph.op import Aval, Op
from glassgrad.graph.traverse import rebuild, topological_order
from glassgrad.ops.gather import ScatterAdd, Take, scatter, scatter_add, take
from glassgrad.ops.view import Concatenate, concatenate, rows

_SHARE = 2  # rows are few if the table has at least so many times more
_LARGE = 4096  # rows of a table of which a batch of any size is taken to name few
_DEEPEST = 100  # of the nodes between a sum of rows and where it is read
_RULES = ("add", "subtract", "multiply", "divide", "negative", "square")


class RowNumbers(Op, listed=False):
    """A number for each of the indices, equal for equal rows, counted as rows are first named.

    Indices are those of an axis of length `extent`; negative ones count from its end.
    """

    name = "row_numbers"
    extent: int

    def infer(self, *inputs: Node) -> Aval:
        """The indices' shape, one axis."""
        (indices,) = inputs
        if indices.ndim != 1:
            raise ShapeError(f"row_numbers takes one axis of indices, not {indices.shape}")
        return indices.shape, np.dtype(np.int64)


def by_rows(outputs: Sequence[Node], extents: Extents = NONE) -> list[Node]:
    """The outputs, in which row-sparse tables cost what their rows do."""
    if not any(_is_sum_of_rows(n) for n in topological_order(outputs)):
        return list(outputs)
    found = _ByRows(extents)
    new = rebuild(outputs, {}, found.change, rule="by rows")
    return [new[y] for y in outputs]


class _Sparse(NamedTuple):
    """The indices of all rows that are not zero for certain, and how deep their node's tree is."""

    rows: tuple[Node, ...]
    depth: int = 0

    @property
    def size(self) -> int:
        """The number of indices."""
        return sum(i.size for i in self.rows)


class _ByRows:
    def __init__(self, extents: Extents) -> None:
        self.extents = extents
        self.sparse: dict[Node, _Sparse] = {}

    def change(self, old: Node, node: Node) -> Node:
        """A node in its new form; notes whether it is sparse."""
        op = node.op
        if isinstance(op, Take) and op.axis == 0 and len(node.inputs) == 2:
            x, indices = node.inputs
            if x in self.sparse and self._are_few(indices.size, x.shape[0]):
                return self._read(x, indices)
        if node.name in ("add", "subtract"):
            changed = self._written(node)
            if changed is not None:
                return changed
        found = self._named(node)
        if found is not None and found.depth < _DEEPEST:
            self.sparse[node] = found
        return node

    def _are_few(self, count: int, rows: int) -> bool:
        """Whether indices name few of the rows; as many as come, of a large table."""
        if self.extents.varies(count):
            return rows >= _LARGE
        return count * _SHARE <= rows

    def _written(self, node: Node) -> Node | None:
        """A table with a sparse one added or subtracted: only its rows are written."""
        x, y = node.inputs
        if node.name == "add" and x in self.sparse:
            x, y = y, x
        found = self.sparse.get(y)
        if found is None or x in self.sparse or not self._are_few(found.size, y.shape[0]):
            return None
        at = concatenate([_flat(i) for i in found.rows])
        new = make(node.op, take(x, [at]), self._read(y, at))
        return scatter(x, new, [at])

    def _named(self, node: Node) -> _Sparse | None:
        """Where a node is not zero, if that is known."""
        if _is_sum_of_rows(node):
            return _Sparse((node.inputs[2],))
        operands = [self.sparse.get(x) for x in node.inputs]
        known = [s for s in operands if s is not None]
        if not known or (node.name not in _RULES and not isinstance(node.op, Cast)):
            return None
        depth = 1 + max(s.depth for s in known)
        if node.name in ("add", "subtract"):
            together = tuple(dict.fromkeys(i for s in known for i in s.rows))
            return _Sparse(together, depth) if None not in operands else None
        if node.name == "divide" and operands[0] is None:
            return None
        others = (x for x, s in zip(node.inputs, operands) if s is None)
        return _Sparse(known[0].rows, depth) if all(map(_is_uniform, others)) else None

    def _read(self, node: Node, indices: Node) -> Node:
        """The rows of a node at some indices, computed from the rows of what it is made of."""
        if _is_uniform(node):
            return broadcast_to(reshaped(node.inputs[0], ()), (*indices.shape, *node.shape[1:]))
        if _is_sum_of_rows(node):
            return _read_sum(node, indices)
        return make(node.op, *(self._read(x, indices) for x in node.inputs))


def _is_sum_of_rows(node: Node) -> bool:
    """Whether rows are added into zeros."""
    if not isinstance(node.op, ScatterAdd) or node.op.axis != 0 or len(node.inputs) != 3:
        return False
    return literal(node.inputs[0]) == 0 and 0 not in node.shape


def _is_uniform(node: Node) -> bool:
    return isinstance(node.op, Broadcast) and node.inputs[0].size == 1


def _read_sum(node: Node, indices: Node) -> Node:
    """Rows of a sum of rows, which are added up in a table with one place for each index."""
    _, values, named = node.inputs
    wanted, given = _flat(indices), _flat(named)
    start = _start(given, wanted)
    every = wanted if start is not None else concatenate([wanted, given])
    start = wanted.size if start is None else start
    numbers = make(RowNumbers(node.shape[0]), every)
    rest = node.shape[1:]
    zeros = broadcast_to(constant(node.trace, np.zeros((), node.dtype)), (every.size, *rest))
    values = reshaped(values, (given.size, *rest))
    added = scatter_add(zeros, values, [rows(numbers, start, start + given.size)])
    found = take(added, [rows(numbers, 0, wanted.size)])
    return reshaped(found, (*indices.shape, *rest))


def _start(given: Node, wanted: Node) -> int | None:
    """Where in the wanted indices the given ones are, if they are there in one piece."""
    at = 0
    for part in wanted.inputs if isinstance(wanted.op, Concatenate) else (wanted,):
        if part is given:
            return at
        at += part.size
    return None


def _flat(indices: Node) -> Node:
    return reshaped(indices, (indices.size,))


__all__ = ["RowNumbers", "by_rows"]
