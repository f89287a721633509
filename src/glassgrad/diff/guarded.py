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
from glassgrad.graph.traverse import rebuild
from glassgrad.ops.division import any_may_fault, may_fault
from glassgrad.ops.loop import Cond, functions_of, place_of_one_more, with_functions


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
            at = place_of_one_more(new)
            own = at - isinstance(new.op, Cond)  # a branch takes its first operand itself
            op = with_functions(new.op, lambda f: with_live(f, own))
            return make(op, *new.inputs[:at], live, *new.inputs[at:])

    new = rebuild(outputs, under, change, rule="guarded")
    return [new[y] for y in outputs]


def with_live(body: Function, at: int) -> Function:
    """The function with one more parameter, number `at`: whether its divisions count."""
    params, outputs = body.fresh()
    live = new_input(params[0].trace, "live", (), BOOL)
    found = guarded(outputs, {p: p for p in params}, live)
    return Function([*params[:at], live, *params[at:]], found)


__all__ = ["guarded", "with_live"]
