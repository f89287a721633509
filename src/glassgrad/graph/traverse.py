"""Walks over a graph: all with an explicit stack, so that depth is no limit, and linear in size."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from glassgrad.graph.node import Node, make


def topological_order(outputs: Iterable[Node], known: Container[Node] = ()) -> list[Node]:
    """Every node under the outputs, inputs before consumers, in an order that is always the same.

    Nodes in `known` are left out, and so is what lies under them alone.
    """
    order: list[Node] = []
    done: set[Node] = set()
    for output in outputs:
        stack = [(output, False)]
        while stack:
            node, ready = stack.pop()
            if node in done or node in known:
                continue
            if ready or not node.inputs:
                done.add(node)
                order.append(node)
            else:
                stack.append((node, True))
                stack.extend((x, False) for x in reversed(node.inputs) if x not in done)
    return order


def descendants(order: Sequence[Node], sources: Iterable[Node]) -> set[Node]:
    """The nodes of `order` that depend on one of the sources, the sources among them."""
    found = set(sources)
    for node in order:
        if not found.isdisjoint(node.inputs):
            found.add(node)
    return found


def consumers(order: Sequence[Node]) -> dict[Node, list[Node]]:
    """For each node the nodes that take it as an operand, once each, in order."""
    found: dict[Node, list[Node]] = {node: [] for node in order}
    for node in order:
        for x in dict.fromkeys(node.inputs):
            found[x].append(node)
    return found


def rebuild(
    outputs: Sequence[Node],
    given: Mapping[Node, Node],
    change: Callable[[Node, Node], Node] | None = None,
    rule: str = "",
) -> dict[Node, Node]:
    """New nodes for all nodes under the outputs, down to those in `given`, which are replaced.

    `change(old, new)` may put another node in the place of each rebuilt one. New nodes keep the
    origin of the old ones.
    """
    new: dict[Node, Node] = dict(given)
    for node in topological_order(outputs, given):
        inputs = tuple(new[x] for x in node.inputs)
        made = node
        if inputs != node.inputs:  # made where the inputs live: another trace, for a body
            with inputs[0].trace.making("rewrite", node, rule):
                made = make(node.op, *inputs)
        new[node] = made if change is None else change(node, made)
    return new


def substitute(outputs: Sequence[Node], given: Mapping[Node, Node]) -> list[Node]:
    """The outputs with some nodes replaced by others of the same shape and dtype."""
    order = topological_order(outputs)
    touched = descendants(order, given)
    if not touched:
        return list(outputs)
    keep = {node: node for node in order if node not in touched}
    new = rebuild(outputs, {**keep, **given}, rule="substitution")
    return [new[y] for y in outputs]
