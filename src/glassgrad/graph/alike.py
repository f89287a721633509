"""Whether two graphs are one but for their extents, as two traces of one function may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from glassgrad.graph.function import Function
from glassgrad.graph.node import Const, Input, Node
from glassgrad.graph.op import Op

Extent = Callable[[int], int]
"""What a number of the first graph is in the other one."""


class UnlikeError(Exception):
    """Raised where two graphs differ in more than extents; says in what."""


class Pairs(dict[Node, Node]):
    """The node of the other graph for each node of the first; `constants` differ between them."""

    def __init__(self, known: Mapping[Node, Node]) -> None:
        super().__init__(known)
        self.constants: list[Node] = []


def pairs(
    first: Sequence[Node], other: Sequence[Node], known: Mapping[Node, Node], at: Extent
) -> Pairs:
    """The pairs of nodes of two graphs whose numbers are related by `at`; `known` are the inputs'.

    A constant may have another value, in the body of a loop or a branch too. `UnlikeError` where
    anything else differs.

    >>> from glassgrad.graph.node import Trace, new_input
    >>> import glassgrad.ops
    >>> a, b = (new_input(Trace(), "x", (n, 3), "f8") for n in (4, 6))
    >>> found = pairs([a * a + 1 / 4], [b * b + 1 / 6], {a: b}, lambda n: 6 if n == 4 else n)
    >>> [c.op.value.item() for c in found.constants]
    [0.25]
    """
    if len(first) != len(other):
        raise UnlikeError("the number of results differs")
    found = Pairs(known)
    todo = list(zip(first, other))
    while todo:
        a, b = todo.pop()
        if a in found:
            if found[a] is not b:
                raise UnlikeError(f"{a!r} is shared in one of them only")
            continue
        if not _alike(a, b, at, found):
            raise UnlikeError(f"{a!r} stands against {b!r}")
        found[a] = b
        todo += zip(a.inputs, b.inputs)
    return found


def _alike(a: Node, b: Node, at: Extent, found: Pairs) -> bool:
    """Whether two nodes are, their operands apart."""
    if type(a.op) is not type(b.op) or len(a.inputs) != len(b.inputs) or a.dtype != b.dtype:
        return False
    if not _same_shape((a.shape, a.outputs), (b.shape, b.outputs), at):
        return False
    if isinstance(a.op, Input):
        return a is b
    if isinstance(a.op, Const):
        if not _equal(a, b):
            found.constants.append(a)
        return True
    return _same_op(a.op, b.op, at, found)


def _equal(a: Node, b: Node) -> bool:
    x, y = (np.ascontiguousarray(n.op.value) for n in (a, b))  # pyright: ignore
    return x.shape == y.shape and x.tobytes() == y.tobytes()


def _same_op(a: Op, b: Op, at: Extent, found: Pairs) -> bool:
    if a.name == b.name == "alias":  # each has a serial of its own
        return True
    return _same(a.parameters(), b.parameters(), at, found) if a.fields else a == b


def _same(a: Any, b: Any, at: Extent, found: Pairs) -> bool:
    """Whether two parameters are related as numbers are."""
    if type(a) is not type(b):
        return False
    if type(a) is int:
        return at(a) == b
    if isinstance(a, tuple):
        a = cast("tuple[Any, ...]", a)
        return len(a) == len(b) and all(_same(x, y, at, found) for x, y in zip(a, b))
    if isinstance(a, Function):
        return _same_function(a, b, at, found)
    return bool(a == b)


def _same_shape(a: Any, b: Any, at: Extent) -> bool:
    return _same(a, b, at, Pairs({}))


def _same_function(a: Function, b: Function, at: Extent, outer: Pairs) -> bool:
    """Whether two bodies are; their constants that differ join those of the graph around them."""
    if len(a.params) != len(b.params):
        return False
    known = dict(zip(a.params, b.params))
    if not all(_same_shape(x.shape, y.shape, at) and x.dtype == y.dtype for x, y in known.items()):
        return False
    found = pairs(a.outputs, b.outputs, known, at)
    return all(_joined(c, found[c], outer) for c in found.constants)


def _joined(a: Node, b: Node, outer: Pairs) -> bool:
    """Notes a constant of a body; one body may stand in several places, with the same numbers."""
    if a in outer:
        return _equal(outer[a], b)
    outer[a] = b
    outer.constants.append(a)
    return True


__all__ = ["Pairs", "UnlikeError", "pairs"]
