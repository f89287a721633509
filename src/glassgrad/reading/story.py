"""gg.explain: the story of one entry of a gradient, in words and numbers.

Each step is upstream × local = downstream: what the consumer's cotangent was, by which rule and
which line it was passed on, and how the products sum to the entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from glassgrad.diff import reverse
from glassgrad.engines.reference import bound_order, interpret
from glassgrad.graph.family import Alias, Elementwise, Reshape
from glassgrad.graph.node import Node, constant, make
from glassgrad.graph.text import text
from glassgrad.ops.contract import Contract
from glassgrad.ops.reduce import ones_like
from glassgrad.ops.view import Transpose
from glassgrad.rewrite.pipeline import stabilise
from glassgrad.transform.trace import Function, label_of, normal_argnums, scalar_output, trace_call

SHOWN = 3  # products listed for a sum of many
LONGEST = 70  # characters of a formula in a line


class Product(NamedTuple):
    """One summand of an entry: what came from the loss, times the local derivative."""

    where: str
    upstream: float
    local: float


class Passing(NamedTuple):
    """What one consumer passes back to the entry."""

    formula: str
    line: str
    rule: str
    verb: str
    amount: float
    products: tuple[Product, ...]
    number: int


class Story:
    """The story of one entry of a gradient; print it.

    `entry` is its name, `value` its number, `passings` what each consumer gave, `way` the ops from
    there up to the loss, nearest first.
    """

    def __init__(
        self, title: str, entry: str, value: float, passings: Sequence[Passing], way: Sequence[str]
    ) -> None:
        self.title = title
        self.entry = entry
        self.value = value
        self.passings = tuple(passings)
        self.way = tuple(way)

    def __str__(self) -> str:
        number = len(self.passings)
        lines = [f"{self.title}", f"d loss / d {self.entry} = {self.value:.6g}"]
        lines.append(f"It is the sum of {number} term{'s' if number != 1 else ''}:")
        for i, passing in enumerate(self.passings, 1):
            lines += _told(i, passing)
        if self.way:
            lines.append("The upstream number came from the loss by this way, nearest first:")
            lines += [f"  {step}" for step in self.way]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def _told(number: int, p: Passing) -> list[str]:
    lines = [
        f"  {number}. {p.amount:.6g} through {p.formula}",
        f"     line: {p.line}",
        f"     rule: {p.rule}: {p.verb}",
    ]
    for product in p.products:
        lines.append(
            f"     {product.where}upstream {product.upstream:.6g} x local {product.local:.6g} = "
            f"{product.upstream * product.local:.6g}"
        )
    rest = p.number - len(p.products)
    if rest > 0:
        lines.append(f"     and {rest} more such products; all {p.number} sum to {p.amount:.6g}")
    return lines


def explain(
    f: Function, *args: Any, argnums: int = 0, at: tuple[int, tuple[int, ...]] | None = None
) -> Story:
    """The story of one entry of the gradient of f: `at` is (number of the array, index).

    Without `at` it is the entry of largest size among all arrays of the argument. The function
    returns one real number, as for `gg.grad`.

    >>> import glassgrad as gg, numpy as np
    >>> print(gg.explain(lambda w: np.sum(w * w), np.array([1.0, 3.0])).value)
    6.0
    """
    traced = trace_call(f, args, {}, normal_argnums(argnums, len(args), "gg.explain"))
    y = scalar_output(traced, f, "gg.explain")
    (stable,) = stabilise([y], keep=traced.nodes)
    ledger = reverse.backward({stable: ones_like(stable)}, traced.nodes)
    values = traced.trace.root().values
    gradients = [_values([ledger.cotangent(x)], values)[0] for x in traced.nodes]
    which, index = at or _largest(gradients)
    node = traced.nodes[which]
    entry = text(node) + (str(list(index)) if index else "")
    value = 0.0 if gradients[which] is None else float(gradients[which][index])
    node, index = _through_views(ledger, node, index, values)
    passings = [_passing(term, ledger, node, index, values) for term in ledger.terms.get(node, ())]
    return Story(
        f"The gradient of {label_of(f)}",
        entry,
        value,
        passings,
        _way(ledger, node, values),
    )


def _through_views(
    ledger: reverse.Ledger, node: Node, index: tuple[int, ...], values: Any
) -> tuple[Node, tuple[int, ...]]:
    """The entry where it is first computed with: a transpose or reshape alone tells nothing."""
    while True:
        terms = ledger.terms.get(node, ())
        consumer = terms[0].consumer if len(terms) == 1 else None
        if consumer is None or not isinstance(consumer.op, Transpose | Reshape | Alias):
            return node, index
        place = np.zeros(node.shape, bool)
        place[index] = True
        (moved,) = _values([make(consumer.op, constant(node.trace, place))], values)
        node, index = consumer, tuple(int(i) for i in np.argwhere(moved)[0])


def _values(nodes: Sequence[Node | None], known: dict[Node, Any]) -> list[Any]:
    wanted = [n for n in nodes if n is not None]
    for _ in interpret(bound_order(wanted, known), known):
        pass
    return [None if n is None else known[n] for n in nodes]


def _largest(gradients: Sequence[Any]) -> tuple[int, tuple[int, ...]]:
    sizes = [0.0 if g is None or not g.size else float(np.nanmax(np.abs(g))) for g in gradients]
    which = int(np.argmax(sizes))
    g = gradients[which]
    if g is None or not g.size:
        return which, ()
    place = np.unravel_index(int(np.argmax(np.abs(g))), g.shape)
    return which, tuple(int(i) for i in place)


def _line(node: Node) -> str:
    sites = node.trace.root().sites(node)
    return str(sites[0]) if sites else "no line: made by glassgrad"


def _short(node: Node) -> str:
    found = text(node).splitlines()[-1]
    return found if len(found) <= LONGEST else found[: LONGEST - 1] + "…"


def _passing(
    term: reverse.Term, ledger: reverse.Ledger, node: Node, index: tuple[int, ...], values: Any
) -> Passing:
    consumer = term.consumer
    (whole,) = _values([term.node], values)
    amount = float(np.asarray(whole)[index])
    if consumer is None:
        return Passing(
            "the loss itself", _line(node), "seed", "the loss by itself is 1", amount, (), 0
        )
    upstream = ledger.cotangent(consumer) if consumer.outputs is None else None
    products = (
        [] if upstream is None else _products(consumer, term.operand, upstream, index, values)
    )
    products.sort(key=lambda p: -abs(p.upstream * p.local))
    name = getattr(consumer.op, "kind", consumer.name)
    return Passing(
        _short(consumer), _line(consumer), name, consumer.op.effect(), amount,
        tuple(products[:SHOWN]), len(products),
    )  # fmt: skip


def _products(
    consumer: Node, operand: int, upstream: Node, index: tuple[int, ...], values: Any
) -> list[Product]:
    """upstream × local for each element of the consumer that the entry takes part in."""
    (g,) = _values([upstream], values)
    g = np.asarray(g)
    if isinstance(consumer.op, Contract):
        return _contract_products(consumer, consumer.op, operand, g, index, values)
    if isinstance(consumer.op, Elementwise):
        (passed,) = _values([_local(consumer, consumer.op, operand)], values)
        return [Product("", float(g[index]), float(np.asarray(passed)[index]))]
    hit = np.zeros(consumer.inputs[operand].shape)
    hit[index] = 1.0
    return _linear_products(consumer, operand, g, hit, values)


def _local(consumer: Node, op: Elementwise, operand: int) -> Node:
    """The local derivative of an elementwise op; of a choosing op what it makes of 1."""
    one = ones_like(consumer)
    if op.selects:
        return op.routed(consumer, one, operand) or one * 0.0
    found = op.local(consumer, operand)
    return found if isinstance(found, Node) else one * (0.0 if found is None else found)


def _linear_products(consumer: Node, operand: int, g: Any, hit: Any, values: Any) -> list[Product]:
    """For views and sums: the elements that the entry reaches, each with a local slope of 1."""
    tangents: list[Node | None] = [None] * len(consumer.inputs)
    tangents[operand] = constant(consumer.trace, hit.astype(consumer.inputs[operand].dtype))
    moved = consumer.op.jvp(consumer, tangents)
    (reached,) = _values([moved if isinstance(moved, Node) else None], values)
    if reached is None:
        return []
    places = np.argwhere(reached)
    return [Product(_place(p), float(g[tuple(p)]), float(reached[tuple(p)])) for p in places]


def _contract_products(
    consumer: Node, op: Contract, operand: int, g: Any, index: tuple[int, ...], values: Any
) -> list[Product]:
    mine, others = (op.lhs, op.rhs) if operand == 0 else (op.rhs, op.lhs)
    (other,) = _values([consumer.inputs[1 - operand]], values)
    fixed = dict(zip(mine, index))
    free = [label for label in (*others, *op.out) if label not in fixed]
    free = list(dict.fromkeys(free))
    size = {**dict(zip(others, np.shape(other))), **dict(zip(op.out, g.shape))}
    found: list[Product] = []
    for place in np.ndindex(*(size[label] for label in free)):
        at = {**fixed, **dict(zip(free, place))}
        up = float(g[tuple(at[label] for label in op.out)])
        local = float(np.asarray(other)[tuple(at[label] for label in others)])
        found.append(Product(_place(place), up, local))
    return found


def _place(place: Any) -> str:
    return f"at {[int(i) for i in place]}: " if len(place) else ""


def _way(ledger: reverse.Ledger, node: Node, values: Any) -> list[str]:
    """The consumers from the node to the loss, along the largest term at each."""
    steps: list[str] = []
    seen: set[str] = set()
    at: Node | None = node
    while at is not None:
        terms = [t for t in ledger.terms.get(at, ()) if t.consumer is not None]
        if not terms:
            break
        sizes = [float(np.sum(np.abs(v))) for v in _values([t.node for t in terms], values)]
        at = terms[int(np.argmax(sizes))].consumer
        if at is None or at.name in ("broadcast", "cast", "reshape", "alias"):
            continue
        where = _line(at).split(" in ")[0]
        step = f"{getattr(at.op, 'kind', at.name)} ({where}): {at.op.effect()}"
        if step not in seen:
            seen.add(step)
            steps.append(step)
    return steps[1:]
