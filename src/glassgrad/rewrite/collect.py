"""Like terms collected: a sum as coefficients times monomials, in one readable order.

a + b + b + 1 becomes a + 2*b + 1, and 2*a*x/(a*x) becomes 2 (where a*x is not 0). With `expand`
products of sums are multiplied out, which makes equal polynomials equal nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import full_like, literal
from glassgrad.graph.node import Input, Node, make
from glassgrad.graph.traverse import topological_order

Monomial = tuple[tuple[Node, int], ...]  # atoms with their powers, in order of appearance
Polynomial = dict[Monomial, float]

MOST_TERMS = 64  # a sum of more terms is left as it stands


class _Collector:
    """The polynomials of all nodes of one graph, and the nodes rebuilt from them."""

    def __init__(self, order: Sequence[Node], expand: bool) -> None:
        self.expand = expand
        self.new: dict[Node, Node] = {}
        self.polynomials: dict[Node, Polynomial] = {}
        self.place: dict[Node, tuple[int, int]] = {}
        for node in order:  # variables in the order of their making, then all else
            op = node.op
            self.place[node] = (0, op.serial) if isinstance(op, Input) else (1, len(self.place))

    def visit(self, node: Node) -> None:
        """Find the node's polynomial, and the node that it reads as."""
        rule = _RULES.get(node.name) if node.dtype.kind == "f" else None
        found = rule(self, node) if rule else None
        if found is not None and len(found) <= MOST_TERMS:
            self.polynomials[node] = found
            self.new[node] = self.build(found, node)
            return
        value = literal(node) if node.dtype.kind == "f" and node.outputs is None else None
        with node.trace.making("rewrite", node, "collect"):
            inputs = tuple(self.new[x] for x in node.inputs)
            self.new[node] = node if inputs == node.inputs else make(node.op, *inputs)
        self.polynomials[node] = (
            {self.atom(self.new[node]): 1.0} if value is None else {(): value} if value else {}
        )

    def atom(self, node: Node) -> Monomial:
        """A node that is not taken apart, as a monomial."""
        self.place.setdefault(node, (1, len(self.place)))
        return ((node, 1),)

    def times(self, m: Monomial, n: Monomial) -> Monomial:
        """The product of two monomials."""
        powers = dict(m)
        for atom, power in n:
            powers[atom] = powers.get(atom, 0) + power
        return tuple(
            sorted(((a, p) for a, p in powers.items() if p), key=lambda e: self.place[e[0]])
        )

    def whole(self, p: Polynomial, like: Node) -> Polynomial:
        """A sum as one atom, unless it is a single term or is to be multiplied out."""
        if len(p) <= 1 or self.expand:
            return p
        return {self.atom(self.build(p, like)): 1.0}

    def product(self, p: Polynomial, q: Polynomial) -> Polynomial:
        """The product, term by term."""
        found: Polynomial = {}
        for m, a in p.items():
            for n, b in q.items():
                key = self.times(m, n)
                found[key] = found.get(key, 0.0) + a * b
        return {m: a for m, a in found.items() if a}

    def build(self, p: Polynomial, like: Node) -> Node:
        """The sum as a node, terms of higher degree first, constants last."""
        with like.trace.making("rewrite", like, "collect"):
            terms = sorted(p.items(), key=lambda entry: self._rank(entry[0]))
            if not terms:
                return full_like(like, 0)
            if terms[0][1] < 0 < max(c for _, c in terms):
                terms.sort(key=lambda entry: entry[1] < 0)
            total = _term(terms[0], like)
            for monomial, c in terms[1:]:
                term = _term((monomial, abs(c)), like)
                total = total - term if c < 0 else total + term
            return total

    def _rank(self, m: Monomial) -> tuple[object, ...]:
        return -sum(p for _, p in m) if m else 1, tuple((self.place[a], -p) for a, p in m)


def _term(entry: tuple[Monomial, float], like: Node) -> Node:
    monomial, c = entry
    above = [(a, p) for a, p in monomial if p > 0]
    below = [(a, -p) for a, p in monomial if p < 0]
    if not above:
        top = full_like(like, abs(c))
    else:
        top = _powers(above)
        top = top if abs(c) == 1 else abs(c) * top
    found = top / _powers(below) if below else top
    return -found if c < 0 else found


def _powers(atoms: Sequence[tuple[Node, int]]) -> Node:
    product: Node | None = None
    for atom, power in atoms:
        factor = (
            atom if power == 1 else k.square(atom) if power == 2 else k.power(atom, float(power))
        )
        product = factor if product is None else product * factor
    assert product is not None
    return product


def _sum(sign: float) -> Callable[[_Collector, Node], Polynomial]:
    def rule(c: _Collector, node: Node) -> Polynomial:
        p, q = (c.polynomials[x] for x in node.inputs)
        found = dict(p)
        for m, a in q.items():
            found[m] = found.get(m, 0.0) + sign * a
        return {m: a for m, a in found.items() if a}

    return rule


def _multiply(c: _Collector, node: Node) -> Polynomial:
    p, q = (c.polynomials[x] for x in node.inputs)
    if (len(p) > 1 and len(q) > 1) or not c.expand:
        both_sums = len(p) > 1 and len(q) > 1
        scaled = set(p) <= {()} or set(q) <= {()}
        if both_sums or not scaled:
            p, q = c.whole(p, node.inputs[0]), c.whole(q, node.inputs[1])
    return c.product(p, q)


def _divide(c: _Collector, node: Node) -> Polynomial | None:
    p, q = (c.polynomials[x] for x in node.inputs)
    if len(q) > 1:
        q = {c.atom(c.build(q, node.inputs[1])): 1.0}
    if len(q) != 1:
        return None
    ((m, a),) = q.items()
    inverse: Polynomial = {tuple((atom, -power) for atom, power in m): 1.0 / a}
    return c.product(c.whole(p, node.inputs[0]) if m else p, inverse)


def _integer_power(c: _Collector, node: Node) -> Polynomial | None:
    n = 2.0 if node.name == "square" else literal(node.inputs[1])
    p = c.polynomials[node.inputs[0]]
    if n is None or n != int(n) or not 0 < n <= 8:
        return None
    p = c.whole(p, node.inputs[0])
    found: Polynomial = {(): 1.0}
    for _ in range(int(n)):
        found = c.product(found, p)
    return found


_RULES: dict[str, Callable[[_Collector, Node], Polynomial | None]] = {
    "add": _sum(1.0),
    "subtract": _sum(-1.0),
    "negative": lambda c, node: {m: -a for m, a in c.polynomials[node.inputs[0]].items()},
    "multiply": _multiply,
    "divide": _divide,
    "square": _integer_power,
    "power": _integer_power,
}


def collect(outputs: Sequence[Node], expand: bool = False) -> list[Node]:
    """The outputs with like terms collected in every sum."""
    order = topological_order(outputs)
    collector = _Collector(order, expand)
    for node in order:
        collector.visit(node)
    return [collector.new[y] for y in outputs]
