"""Integer divisions in functions that run for examples which do not take part.

A branch with a predicate for each example computes both sides for all of them, and a loop goes on
until the last example is done. There the divisors of those that take no part are 1, so that nobody
is told of a division by zero that no example makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glassgrad.graph.algebra import NODES
from glassgrad.graph.dtype import BOOL
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node, make, new_input
from glassgrad.graph.op import Op
from glassgrad.graph.traverse import rebuild
from glassgrad.ops.division import any_may_fault, functions_of, may_fault
from glassgrad.ops.loop import Call


def guarded(outputs: Sequence[Node], under: Mapping[Node, Node], live: Node) -> list[Node]:
    """The outputs, down to the nodes `under`, dividing by 1 where the boolean `live` is false."""

    def change(old: Node, new: Node) -> Node:
        inside = any(any_may_fault(f.order) for f in functions_of(new))
        if not inside and not may_fault(new):
            return new
        with live.trace.root().making("rewrite", old, "guarded"):
            if not inside:
                x, y = new.inputs
                return make(new.op, x, NODES.where(live, y, 1))
            at = _place(new)
            return make(_with_live(new.op, at), *new.inputs[:at], live, *new.inputs[at:])

    new = rebuild(outputs, under, change, rule="guarded")
    return [new[y] for y in outputs]


def with_live(body: Function, at: int) -> Function:
    """The function with one more parameter, number `at`: whether its divisions count."""
    params, outputs = body.fresh()
    live = new_input(params[0].trace, "live", (), BOOL)
    found = guarded(outputs, {p: p for p in params}, live)
    return Function([*params[:at], live, *params[at:]], found)


def _place(node: Node) -> int:
    """Where an op that holds functions takes one more operand: after all, but for cotangents."""
    return len(node.inputs) - (node.op.late if isinstance(node.op, Call) else 0)


def _with_live(op: Op, at: int) -> Op:
    """The op on functions with one more parameter; a branch takes its first operand itself."""
    at -= op.name == "cond"
    old = op.parameters()
    return type(op)(*(with_live(v, at) if isinstance(v, Function) else v for v in old))


__all__ = ["guarded", "with_live"]
