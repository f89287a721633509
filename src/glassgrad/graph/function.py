"""A function as a value: the body of a loop or a branch, with numbered parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glassgrad.graph.node import Const, Node, Trace, new_input
from glassgrad.graph.op import Aval
from glassgrad.graph.traverse import rebuild, topological_order


class Function:
    """A closed graph: parameters, outputs, and nothing that it captures.

    Two functions that compute the same by the same ops are equal, whatever trace they were built
    in.
    """

    __slots__ = ("_hash", "key", "order", "outputs", "params")

    def __init__(self, params: Sequence[Node], outputs: Sequence[Node]) -> None:
        self.params = tuple(params)
        self.outputs = tuple(outputs)
        self.order = topological_order((*params, *outputs))
        self.key = _structure(self.params, self.outputs, self.order)
        self._hash = hash(self.key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Function) and self.key == other.key)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"<function of {len(self.params)} parameters, {len(self.order)} nodes>"

    @property
    def results(self) -> tuple[Aval, ...]:
        """The shape and dtype of each output."""
        return tuple((y.shape, y.dtype) for y in self.outputs)

    def flops(self) -> int:
        """The operations on numbers of one call."""
        return sum(node.op.flops(node) for node in self.order)

    def inline(self, arguments: Sequence[Node]) -> list[Node]:
        """The outputs with arguments in the place of the parameters, in the arguments' trace."""
        given = dict(zip(self.params, arguments))
        trace = arguments[0].trace.root()
        given |= {n: trace.make(n.op) for n in self.order if isinstance(n.op, Const)}
        new = rebuild(self.outputs, given, rule="inlined")
        return [new[y] for y in self.outputs]

    def fresh(self) -> tuple[list[Node], list[Node]]:
        """New parameters in a new trace, and the outputs on them: the start of a new function."""
        trace = Trace()
        params = [new_input(trace, _label(p), p.shape, p.dtype) for p in self.params]
        return params, self.inline(params)


def _label(node: Node) -> str:
    return str(getattr(node.op, "label", "x"))


def _structure(
    params: tuple[Node, ...], outputs: tuple[Node, ...], order: list[Node]
) -> tuple[Any, ...]:
    number = {node: i for i, node in enumerate(order)}
    rows = tuple(_row(node, params, number) for node in order)
    return rows, tuple(number[y] for y in outputs)


def _row(node: Node, params: tuple[Node, ...], number: dict[Node, int]) -> tuple[Any, ...]:
    if node in params:
        return ("parameter", params.index(node), node.shape, node.dtype)
    if isinstance(node.op, Const):
        return ("const", node.shape, node.dtype, node.op.value.tobytes())
    op = node.op.name if node.op.name == "alias" else node.op  # each has a serial of its own
    return (op, *(number[x] for x in node.inputs))
