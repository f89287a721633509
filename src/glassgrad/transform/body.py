"""From nodes to a function: what a body is given, what it captures, and what it computes itself."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from glassgrad.array import Array
from glassgrad.array.creation import tracing
from glassgrad.array.storage import BODY
from glassgrad.engines.reference import evaluate
from glassgrad.graph.family import Broadcast, Cast, Reshape
from glassgrad.graph.function import Function
from glassgrad.graph.node import ACTIVE, Const, Input, Item, Node, Trace, new_input
from glassgrad.graph.traverse import descendants, rebuild, topological_order
from glassgrad.rewrite.pipeline import stabilise


@contextmanager
def tracing_body(trace: Trace) -> Iterator[None]:
    """Trace what a body does: arrays from outside may be read in it, not written."""
    token = BODY.set(object())
    try:
        with tracing(trace.root()):
            yield
    finally:
        BODY.reset(token)


def captured_by(results: Sequence[Node], params: Sequence[Node]) -> list[Node]:
    """What a loop's body uses and does not compute from its parameters: computed once, outside."""
    order = topological_order(results)
    inside = descendants(order, params)
    used = [x for node in order if node in inside for x in node.inputs]
    used += results
    found = [x for x in used if x not in inside and not _is_constant(x)]
    return list(dict.fromkeys(x for x in found if x.outputs is None))


def _is_constant(node: Node) -> bool:
    """Whether a node is a number repeated: a body that has it sees, say, that it adds to zeros."""
    while isinstance(node.op, Broadcast | Cast | Reshape):
        node = node.inputs[0]
    return isinstance(node.op, Const)


def captured_from(
    results: Sequence[Node], params: Sequence[Node], before: Container[Node]
) -> list[Node]:
    """What a body uses that was there before it ran: all else it computes itself, when it runs."""
    known = set(params)
    found: dict[Node, None] = {}
    todo = list(reversed(results))
    while todo:
        node = todo.pop()
        if node in known or isinstance(node.op, Const):
            continue
        known.add(node)
        part = isinstance(node.op, Item) and node.inputs[0] in before
        if node in before or part or isinstance(node.op, Input):
            found[node] = None
        else:
            todo.extend(reversed(node.inputs))
    return list(found)


def closed(params: Sequence[Node], results: Sequence[Node]) -> Function:
    """The function of these nodes, in a trace of its own and in stable form."""
    inner = Trace()
    numbered = [new_input(inner, _label(p), p.shape, p.dtype) for p in params]
    given = dict(zip(params, numbered))
    for node in topological_order(results, given):
        if isinstance(node.op, Const) and node not in given:
            given[node] = inner.make(node.op)
    new = rebuild(results, given, rule="body")
    return Function(numbered, stabilise([new[y] for y in results]))


def _label(node: Node) -> str:
    return str(getattr(node.op, "label", "captured"))


def is_number(value: Any) -> bool:
    """Whether a leaf is a Python number: weak in arithmetic, and no operand."""
    return isinstance(value, int | float) and not isinstance(value, np.generic)


def stand_ins(leaves: Sequence[Any], params: Sequence[Node]) -> list[Any]:
    """The leaves with a handle on a parameter in the place of each array."""
    handles = iter(params)
    return [v if is_number(v) else Array(next(handles)) for v in leaves]


def present(trace: Trace) -> set[Node]:
    """The nodes that a trace has now."""
    return set(trace.root().table.values())


class Place:
    """Where a call of a loop or a branch stands: in an outer trace, or in one of its own."""

    def __init__(self, leaves: Sequence[Any]) -> None:
        handles = [v for v in leaves if isinstance(v, Array)]
        outer = ACTIVE.get()
        self.trace = outer or (handles[0].node.trace.root() if handles else Trace())
        self.lazy = outer is not None or bool(handles)

    def returned(self, nodes: Sequence[Node]) -> list[Any]:
        """Nodes as handles; as values where nothing around is traced."""
        if self.lazy or any(n.bound for n in nodes):
            return [Array(n) for n in nodes]
        return [np.array(v)[()] for v in evaluate(nodes, self.trace.root().values)]
