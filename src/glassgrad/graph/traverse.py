"""Walks over a graph: all with an explicit stack, so that depth is no limit, and linear in size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from glassgrad.graph.node import Node, make


def topological_order(outputs: Iterable[Node], known: Collection[Node] = ()) -> list[Node]:
    """Every node under the outputs, inputs before consumers, in an order that is always the same.

    Nodes in `known` are left out, and so is what lies under them alone.
    """
    order: list[Node] = []
    done = set(known)
    for output in outputs:
        stack = [output]
        while stack:
            node = stack[-1]
            if node not in done:
                waits = False
                for x in reversed(node.inputs):
                    if x not in done:
                        stack.append(x)
                        waits = True
                if waits:
                    continue
                done.add(node)
                order.append(node)
            stack.pop()
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
        made = remade(node, new, rule)
        new[node] = made if change is None else change(node, made)
    return new


def remade(node: Node, new: Mapping[Node, Node], rule: str) -> Node:
    """The node's op on what its inputs have become; an input that is not in `new` stays."""
    for x in node.inputs:
        if new.get(x, x) is not x:
            break
    else:
        return node
    inputs = [new.get(x, x) for x in node.inputs]
    with inputs[0].trace.making("rewrite", node, rule):  # where they live: for a body, elsewhere
        return make(node.op, *inputs)


def substitute(outputs: Sequence[Node], given: Mapping[Node, Node]) -> list[Node]:
    """The outputs with some nodes replaced by others of the same shape and dtype."""
    order = topological_order(outputs)
    touched = descendants(order, given)
    if not touched:
        return list(outputs)
    keep = {node: node for node in order if node not in touched}
    new = rebuild(outputs, {**keep, **given}, rule="substitution")
    return [new[y] for y in outputs]
