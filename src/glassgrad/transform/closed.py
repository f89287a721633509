"""A traced graph as a function of its arguments alone, with the values of all else as constants."""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.graph.node import Input, Node, Trace, constant
from glassgrad.graph.traverse import substitute, topological_order
from glassgrad.rewrite.pipeline import stabilise


def closed(nodes: Sequence[Node], inputs: Sequence[Node], trace: Trace) -> list[Node]:
    """The nodes with arrays that an inner transform was given, and no argument holds, as constants.

    `gg.grad(f)(w, x)` makes a variable of x even where x is no argument of the compiled function.
    """
    free = {
        node: constant(trace, trace.values[node])
        for node in topological_order(nodes, set(inputs))
        if isinstance(node.op, Input) and node in trace.values
    }
    return substitute(nodes, free) if free else list(nodes)


def stable(outputs: Sequence[Node], inputs: Sequence[Node], trace: Trace) -> list[Node]:
    """The outputs in stable forms, and closed; laws see variables where arrays will be."""
    return closed(stabilise(outputs), inputs, trace)
