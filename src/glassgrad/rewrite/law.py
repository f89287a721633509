"""A law: a rewrite with its statement, its class and an example that tests it.

Classes: *exact* gives the same bits; *real-equal* is equal in real arithmetic, and in floats up to
a bound; *extending* is finite where the original is not, and real-equal elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from glassgrad.graph.node import Node
from glassgrad.graph.provenance import Origin
from glassgrad.graph.traverse import rebuild

Rewrite = Callable[[Node], Node | None]

EXACT, REAL_EQUAL, EXTENDING = "exact", "real-equal", "extending"


class Law(NamedTuple):
    """One rewrite, found by the op at its root.

    `example` is a plain NumPy function on which it fires, `at` the arguments to try it with.
    """

    name: str
    statement: str
    kind: str
    root: str
    apply: Rewrite
    example: Callable[..., Any]
    at: tuple[Any, ...]


class Firing(NamedTuple):
    """One application of a law."""

    law: Law
    old: Node
    new: Node


class LawBook:
    """A set of laws, found by root op."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.laws: list[Law] = []

    def law(
        self, statement: str, kind: str, root: str, example: Callable[..., Any], at: Sequence[Any]
    ) -> Callable[[Rewrite], Rewrite]:
        """Enter a function as a law; it returns the new node, or None where it does not apply."""

        def enter(apply: Rewrite) -> Rewrite:
            name = apply.__name__.lstrip("_")
            self.laws.append(Law(name, statement, kind, root, apply, example, tuple(at)))
            return apply

        return enter


MOST_PASSES = 8  # a law may open the way for another; no pipeline has needed more than three
MOST_FIRINGS_AT_A_NODE = 16


def apply_laws(
    outputs: Sequence[Node], laws: Iterable[Law], log: list[Firing] | None = None
) -> list[Node]:
    """The outputs after applying the laws until none fires; every firing is entered in the log."""
    by_root: dict[str, list[Law]] = {}
    for law in laws:
        by_root.setdefault(law.root, []).append(law)
    firings: list[Firing] = [] if log is None else log

    def change(old: Node, new: Node) -> Node:
        for _ in range(MOST_FIRINGS_AT_A_NODE):
            fired = _fire(new, by_root.get(new.name, ()))
            if fired is None:
                break
            firings.append(fired)
            new = fired.new
        return new

    for _ in range(MOST_PASSES):
        before = len(firings)
        new = rebuild(outputs, {}, change, "simplified")
        outputs = [new[y] for y in outputs]
        if len(firings) == before:
            break
    return list(outputs)


def _fire(node: Node, laws: Sequence[Law]) -> Firing | None:
    if not laws:
        return None
    with node.trace.making("rewrite", node, _SOME_LAW):
        for law in laws:
            new = law.apply(node)
            if new is not None and new is not node:
                _remember(law, node, new)
                return Firing(law, node, new)
    return None


_SOME_LAW = "law"
MOST_ORIGINS = 8


def _remember(law: Law, old: Node, new: Node) -> None:
    """The new node descends from the old one by this law, also where it was there before."""
    origins = new.trace.root().origins.setdefault(new, [])
    if origins and origins[0].source is old:
        origins[0] = origins[0]._replace(rule=law.name)
    elif len(origins) < MOST_ORIGINS:
        origins.append(Origin("rewrite", None, old, law.name))
