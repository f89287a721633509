"""Reverse mode: the cotangent of every node, as the list of terms that sum to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from glassgrad.diff.bodies import BODIES
from glassgrad.diff.finite import bounded, finite_inside
from glassgrad.diff.total import total
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.dtype import is_float
from glassgrad.graph.family import Elementwise, cast, scaled
from glassgrad.graph.node import Item, Node, make
from glassgrad.graph.traverse import descendants, topological_order
from glassgrad.ops.reduce import CHOOSING, Reduce, ones_like, zeros_like


class Term(NamedTuple):
    """One summand of a cotangent: what one consumer passes back to one of its operands.

    `masked` says that it descends from an op that chooses, so that its zeros mean: not chosen.
    """

    node: Node
    consumer: Node | None
    operand: int
    masked: bool


_MASKING = {"slice", "update", "take", "cond"}  # their pullbacks put zeros where nothing was read


class Ledger:
    """The reverse pass of some outputs: for each node the terms of its cotangent, and their sum.

    "Where did this gradient come from" is a look-up in `terms`.
    """

    def __init__(self, order: Sequence[Node], active: set[Node]) -> None:
        self.order = order
        self.active = active
        self.terms: dict[Node, list[Term]] = {}
        self.totals: dict[Node, Node] = {}
        self._finite: dict[Node, bool] = {}
        self._results: dict[Node, dict[int, Node]] = {}
        self._masked_results: set[Node] = set()

    def cotangent(self, node: Node) -> Node | None:
        """The sum of a node's terms; None where none reached it."""
        if node not in self.totals and node in self.terms:
            terms = [term.node for term in self.terms[node]]
            with terms[0].trace.making("backward", node, "sum of terms"):
                self.totals[node] = total(terms)
        return self.totals.get(node)

    def masked(self, node: Node) -> bool:
        """Whether a zero in the node's cotangent may mean: not chosen."""
        return any(term.masked for term in self.terms.get(node, ()))

    def add(self, node: Node, term: Term) -> None:
        """Enter one more summand of a node's cotangent."""
        self.terms.setdefault(node, []).append(term)

    def run(self) -> None:
        """Visit every active node once, consumers first."""
        for node in reversed(self.order):
            if node not in self.active or not node.inputs:
                continue
            if node.outputs is not None:
                self._visit_tuple(node)
            elif (g := self.cotangent(node)) is not None:
                self._visit(node, g)

    def _visit(self, node: Node, g: Node) -> None:
        masked = self.masked(node)
        if isinstance(node.op, Item):
            owner = node.inputs[0]
            self._results.setdefault(owner, {})[node.op.index] = g
            if masked:
                self._masked_results.add(owner)
            return
        with g.trace.making("backward", node, node.name):
            if isinstance(node.op, Elementwise):
                self._elementwise(node, node.op, g, masked)
            else:
                masked = masked or _puts_zeros(node)
                found = node.op.vjp(node, g)
                if node.name == "contract" and masked:
                    found = self._guarded_contract(node, g, found)
                self._enter(node, found, masked)

    def _visit_tuple(self, node: Node) -> None:
        results = self._results.get(node)
        if not results or node.outputs is None:
            return
        gs = [results.get(i) for i in range(len(node.outputs))]
        g = next(iter(results.values()))
        with g.trace.making("backward", node, node.name):
            rules = BODIES.get(type(node.op))
            found = rules[1](node, gs, vjp) if rules else node.op.vjp(node, gs)
        self._enter(node, found, node in self._masked_results or node.name in _MASKING)

    def _enter(self, node: Node, found: Sequence[Node | None], masked: bool) -> None:
        for i, (x, t) in enumerate(zip(node.inputs, found)):
            if t is not None and x in self.active:
                self.add(x, Term(t, node, i, masked))

    def _elementwise(self, node: Node, op: Elementwise, g: Node, masked: bool) -> None:
        for i, x in enumerate(node.inputs):
            if x not in self.active:
                continue
            if op.selects:
                t = op.routed(node, g, i)
            else:
                local = op.local(node, i)
                t = None if local is None else _product(g, local, masked)
            if t is not None:
                self.add(x, Term(t, node, i, masked or op.selects))

    def _guarded_contract(
        self, node: Node, g: Node, found: Sequence[Node | None]
    ) -> list[Node | None]:
        """Where only zeros of the cotangent meet an infinite factor, the sum without it."""
        guarded: list[Node | None] = []
        for i, plain in enumerate(found):
            other = node.inputs[1 - i]
            if plain is None or node.inputs[i] not in self.active:
                guarded.append(None)
            elif finite_inside(other, self._finite):
                guarded.append(plain)
            else:
                guarded.append(_contract_around_poles(node, g, i, plain))
        return guarded


def _puts_zeros(node: Node) -> bool:
    """Whether a pullback that is no routing of an elementwise op puts zeros for "not chosen"."""
    chooses = isinstance(node.op, Reduce) and node.op.kind in CHOOSING
    return chooses or node.name in _MASKING


def _product(g: Node, local: Node | float, masked: bool) -> Node:
    """g·local; under the mask 0 where g is 0 and the local factor is not finite."""
    product = scaled(g, local)
    if not masked or not isinstance(local, Node) or bounded(local):
        return product
    unchosen = k.logical_and(k.equal(g, 0), k.logical_not(k.isfinite(local)))
    return k.where(unchosen, 0, product)


def _contract_around_poles(node: Node, g: Node, operand: int, plain: Node) -> Node:
    other = node.inputs[1 - operand]

    def onto(cotangent: Node, factor: Node) -> Node:
        pair = [node.inputs[operand], factor] if operand == 0 else [factor, node.inputs[operand]]
        found = node.op.vjp(make(node.op, *pair), cotangent)[operand]
        assert found is not None
        return found

    finite = k.isfinite(other)
    poles = cast(k.logical_not(finite), g.dtype)
    met = onto(cast(k.not_equal(g, 0), g.dtype), poles)
    return k.where(k.equal(met, 0), onto(g, k.where(finite, other, 0)), plain)


def backward(outputs: Mapping[Node, Node], wrt: Iterable[Node] | None = None) -> Ledger:
    """The ledger of the reverse pass from the outputs, given the cotangent of each.

    With `wrt` only nodes on a path to one of these are visited; without it every node that can
    carry a derivative is.
    """
    order = topological_order(outputs)
    active = set(order) if wrt is None else descendants(order, wrt)
    active = {n for n in active if n.outputs is not None or is_float(n.dtype)}
    ledger = Ledger(order, active)
    for y, g in outputs.items():
        if y in active:
            ledger.add(y, Term(g, None, 0, False))
    ledger.run()
    return ledger


def vjp(
    outputs: Sequence[Node], cotangents: Sequence[Node | None], wrt: Sequence[Node]
) -> list[Any]:
    """The cotangents of `wrt`, given those of the outputs; None where no path leads."""
    seeds: dict[Node, Node] = {}
    for y, g in zip(outputs, cotangents):
        if g is not None:
            seeds[y] = g if y not in seeds else seeds[y] + g
    ledger = backward(seeds, wrt)
    return [ledger.cotangent(x) for x in wrt]


def gradients(y: Node, wrt: Sequence[Node]) -> list[Node]:
    """The gradient of a scalar by each of `wrt`, a zero array where it does not depend on one."""
    found = vjp([y], [ones_like(y)], wrt)
    return [zeros_like(x) if g is None else g for x, g in zip(wrt, found)]
