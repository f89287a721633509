"""Storage cells: what in-place writes change. Handles that are views of one array share a cell.

A read gives the node of the cell's present version. A write at integer indices goes to a log first,
so that a loop that fills an array row by row becomes one concatenation, not n updates of n rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar

import numpy as np

from glassgrad.graph.errors import NoRuleError
from glassgrad.graph.family import Reshape, broadcast_to, cast, reshape
from glassgrad.graph.node import Node, make
from glassgrad.graph.op import Op
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.view import Slice, Transpose, Update, concatenate, rows, slice_, transpose

Key = tuple[int, ...]
BODY: ContextVar[object | None] = ContextVar("glassgrad_body", default=None)
"""The body of a loop or a branch that is being traced in this context, if any."""

FEW = 2  # up to so many logged writes are updates of the whole


class Cell:
    """One array's storage: the node of its last full version, and the writes since."""

    __slots__ = ("base", "home", "log")

    def __init__(self, node: Node) -> None:
        self.base = node
        self.log: dict[Key, Node] = {}
        self.home = BODY.get()

    def read(self) -> Node:
        """The present version of the whole array."""
        if self.log:
            self.base = _flush(self.base, self.log)
            self.log = {}
        return self.base

    def read_at(self, key: Key) -> Node:
        """The part at leading integer indices, from the log where it was just written."""
        if self.log:
            r = len(next(iter(self.log)))
            written = self.log.get(key[:r]) if len(key) >= r else None
            if len(key) < r:
                return at(self.read(), key)
            if written is not None:
                return at(written, key[r:])
        return at(self.base, key)

    def write(self, node: Node) -> None:
        """The whole array anew."""
        self._check_home()
        self.base = node
        self.log = {}

    def write_at(self, key: Key, value: Node) -> None:
        """One part, at leading integer indices."""
        self._check_home()
        if self.log and len(next(iter(self.log))) != len(key):
            self.read()
        self.log[key] = value

    def _check_home(self) -> None:
        if BODY.get() is not self.home:
            raise NoRuleError(
                "an array from outside is written inside the body of a loop, a branch or a vmap, "
                "which is traced once, however often it runs: return the new array from the body"
                f"{at_caller()}"
            )


def at(x: Node, key: Key) -> Node:
    """x[key] for leading non-negative integers."""
    if not key:
        return x
    r = len(key)
    starts = (*key, *[0] * (x.ndim - r))
    lengths = (*[1] * r, *x.shape[r:])
    return reshape(slice_(x, starts, (1,) * x.ndim, lengths), x.shape[r:])


def _flush(base: Node, log: dict[Key, Node]) -> Node:
    r = len(next(iter(log)))
    lead, rest = base.shape[:r], base.shape[r:]
    if len(log) <= FEW and len(log) < int(np.prod(lead)):
        for key, value in log.items():
            start = (*key, *[0] * len(rest))
            base = make(Update(start, (1,) * base.ndim), base, reshape(value, (*[1] * r, *rest)))
        return base
    flat = reshape(base, (int(np.prod(lead)), *rest))
    parts: list[Node] = []
    done = 0
    for index, value in _in_order(log, lead):
        if index > done:
            parts.append(rows(flat, done, index))
        parts.append(reshape(value, (1, *rest)))
        done = index + 1
    if done < flat.shape[0]:
        parts.append(rows(flat, done, flat.shape[0]))
    return reshape(concatenate(parts), base.shape)


def _in_order(log: dict[Key, Node], lead: tuple[int, ...]) -> list[tuple[int, Node]]:
    """The logged writes by their place in row-major order."""
    placed = [(int(np.ravel_multi_index(key, lead)), value) for key, value in log.items()]
    return sorted(placed, key=lambda entry: entry[0])


def look(node: Node, path: Sequence[Op]) -> Node:
    """What a view path shows of an array."""
    for op in path:
        node = make(op, node)
    return node


def stays_view(shape: Sequence[int], path: Sequence[Op], target: Sequence[int]) -> bool:
    """Whether NumPy's reshape of such a view is a view too, and no copy: its strides decide."""
    whole = np.empty(tuple(shape), np.bool_)  # its memory is never written
    seen = whole
    for op in path:
        seen = _strided(op, seen)
    return np.may_share_memory(whole, seen.reshape(tuple(target)))


def _strided(op: Op, x: np.ndarray) -> np.ndarray:
    if isinstance(op, Transpose):
        return x.transpose(op.perm)
    if isinstance(op, Reshape):
        return x.reshape(op.shape)
    assert isinstance(op, Slice)
    moved = x[tuple(slice(start, None) for start in op.starts)]
    strides = [distance * step for distance, step in zip(x.strides, op.steps)]
    return np.lib.stride_tricks.as_strided(moved, op.lengths, strides)


def put(node: Node, path: Sequence[Op], value: Node) -> Node:
    """The array with `value` written through a view path."""
    stages = [node]
    for op in path:
        stages.append(make(op, stages[-1]))
    new = broadcast_to(cast(value, node.dtype), stages[-1].shape)
    for op, before in zip(reversed(path), reversed(stages[:-1])):
        new = _put_one(op, before, new)
    return new


def _put_one(op: Op, before: Node, new: Node) -> Node:
    """The operand of one view, with the view's content replaced."""
    if isinstance(op, Slice):
        if op.lengths == before.shape and all(s == 1 for s in op.steps):
            return new
        return make(Update(op.starts, op.steps), before, new)
    if isinstance(op, Transpose):
        return transpose(new, tuple(int(i) for i in np.argsort(op.perm)))
    assert isinstance(op, Reshape)
    return reshape(new, before.shape)
