"""A law: a rewrite with its statement, its class and an example that tests it.

Classes: *exact* gives the same bits; *real-equal* is equal in real arithmetic, and in floats up to
a bound; *extending* is finite where the original is not, and real-equal elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from glassgrad.graph.node import Node, Trace
from glassgrad.graph.provenance import Origin
from glassgrad.graph.traverse import remade, topological_order

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

    def __init__(self, name: str, laws: Sequence[Law] = ()) -> None:
        self.name = name
        self.laws: list[Law] = list(laws)

    def by_root(self) -> dict[str, list[Law]]:
        """The laws of each root op."""
        found: dict[str, list[Law]] = {}
        for law in self.laws:
            found.setdefault(law.root, []).append(law)
        return found

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


class _Driver:
    """Some books applied to a graph until no law fires.

    Whether a law fires at a node hangs on the node and what lies under it, none of which changes.
    So what has come to rest is remembered beside the graph, and is not looked at again: not in the
    next pass, nor when a larger graph is rewritten later.
    """

    def __init__(
        self, books: Sequence[LawBook], trace: Trace, firings: list[Firing], keep: Collection[Node]
    ) -> None:
        self.firings = firings
        self.quiet = trace.found.setdefault(tuple(books), set())  # also all that lies under it
        if keep:  # at rest for this once only
            self.quiet = self.quiet | set(keep)
        self.tried = [(book.by_root(), trace.found.setdefault(book, set())) for book in books]

    def run(self, outputs: Sequence[Node]) -> list[Node]:
        """One pass: every node that is not at rest, from the inputs up."""
        new: dict[Node, Node] = {}
        for node in topological_order(outputs, self.quiet):
            made = remade(node, new, "simplified")
            found = new[node] = self.change(made)
            if found is node and self.quiet.issuperset(node.inputs):
                self.quiet.add(node)
        return [new.get(y, y) for y in outputs]

    def change(self, node: Node) -> Node:
        """What laws make of a node on inputs that are done."""
        for _ in range(MOST_FIRINGS_AT_A_NODE):
            fired = self._fire(node)
            if fired is None:
                break
            self.firings.append(fired)
            node = fired.new
        return node

    def _fire(self, node: Node) -> Firing | None:
        for by_root, tried in self.tried:
            if node in tried:
                continue
            laws = by_root.get(node.op.name)
            if laws is not None and (fired := _first(node, laws)) is not None:
                return fired
            tried.add(node)
        return None


def apply_laws(
    outputs: Sequence[Node],
    books: Sequence[LawBook],
    log: list[Firing] | None = None,
    keep: Collection[Node] = (),
) -> list[Node]:
    """The outputs after applying the laws until none fires; every firing is entered in the log.

    Nodes in `keep` and what lies under them are left alone.
    """
    firings: list[Firing] = [] if log is None else log
    found = list(outputs)
    if not found:
        return found
    driver = _Driver(books, found[0].trace.root(), firings, keep)
    for _ in range(MOST_PASSES):
        before = len(firings)
        found = driver.run(found)
        if len(firings) == before:
            break
    return found


def _first(node: Node, laws: Sequence[Law]) -> Firing | None:
    """The first law that applies, applied."""
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
