"""Expressions: graphs without values. Symbol to symbol, no number is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from glassgrad.array import Array
from glassgrad.array.handle import as_node
from glassgrad.diff import reverse
from glassgrad.engines.reference import bound_order, interpret
from glassgrad.engines.reference import evaluate as evaluate_nodes
from glassgrad.graph.dtype import FLOAT64
from glassgrad.graph.errors import CalculusError, ShapeError, UnboundError
from glassgrad.graph.node import ACTIVE, Input, Node, Trace, new_input
from glassgrad.graph.text import text
from glassgrad.graph.traverse import consumers, topological_order
from glassgrad.ops.reduce import ones_like
from glassgrad.rewrite.pipeline import EXPAND, run, stabilise, tidy


def variable(name: str, shape: Sequence[int] = (), dtype: Any = FLOAT64) -> Array:
    """A variable without a value, of that shape and dtype.

    >>> import glassgrad as gg
    >>> gg.variable("x") * 2
    <expression x*2 : float64[]>
    """
    return Array(new_input(ACTIVE.get() or Trace(), name, tuple(shape), dtype))


def variables(names: str, shape: Sequence[int] = (), dtype: Any = FLOAT64) -> tuple[Array, ...]:
    """A variable for each name in a text, all of one shape and dtype.

    >>> import glassgrad as gg
    >>> a, b = gg.variables("a b")
    >>> print((a + b) * (b + 1))
    (a + b)*(b + 1)
    """
    found = names.replace(",", " ").split()
    if not found:
        raise ValueError("gg.variables takes names, as in gg.variables('a b')")
    trace = ACTIVE.get() or Trace()
    return tuple(Array(new_input(trace, name, tuple(shape), dtype)) for name in found)


def gradients(e: Array, wrt: Sequence[Array], simplify: bool = True) -> list[Array]:
    """The derivatives of a scalar expression by each of `wrt`: expressions again.

    Every node may be differentiated by, an interior one too. With `simplify` the results are tidied
    for reading.

    >>> import glassgrad as gg
    >>> a, b = gg.variables("a b")
    >>> for d in gg.gradients((a + b) * (b + 1), [a, b]):
    ...     print(d)
    b + 1
    a + 2*b + 1
    """
    y = as_node(e)
    if isinstance(wrt, Array):
        raise CalculusError("gg.gradients takes a list of what to differentiate by: [x]")
    if y.shape != ():
        raise CalculusError(
            f"gg.gradients needs a scalar, this expression has shape {y.shape}: take its sum or "
            "mean, or use gg.jacobian"
        )
    sources = [x.node for x in wrt]
    (stable,) = stabilise([y], keep=sources)
    found = reverse.gradients(stable, sources)
    return [Array(n) for n in (tidy(found) if simplify else found)]


def _feed(values: Mapping[Array, Any]) -> dict[Node, Any]:
    found: dict[Node, Any] = {}
    for key, value in values.items():
        if not isinstance(key, Array):
            raise UnboundError(f"values are given to variables, not to {key!r}: {{x: 2.0}}")
        node = key.node
        array = np.asarray(value, node.dtype)
        if array.shape != node.shape:
            raise ShapeError(f"{key} has shape {node.shape}, its value has shape {array.shape}")
        found[node] = array
    return found


def evaluate(e: Any, values: Mapping[Array, Any]) -> Any:
    """The value of an expression, or a list of values, given one for each variable.

    >>> import glassgrad as gg
    >>> a, b = gg.variables("a b")
    >>> gg.evaluate([a + b, a * b], {a: 2.0, b: 1.0})
    [np.float64(3.0), np.float64(2.0)]
    """
    several = isinstance(e, list | tuple)
    nodes = [as_node(x) for x in (e if several else [e])]
    found = [np.array(v)[()] for v in evaluate_nodes(nodes, _feed(values))]
    return found if several else found[0]


def simplify(e: Array, expand: bool = False) -> Array:
    """The expression tidied for reading; with `expand` products of sums are multiplied out.

    >>> import glassgrad as gg
    >>> a, b = gg.variables("a b")
    >>> print(gg.simplify((a + b) ** 2 - a**2 - b**2, expand=True))
    2*a*b
    """
    (found,) = run(EXPAND, [e.node]) if expand else tidy([e.node])
    return Array(found)


def _node(x: Array | Node) -> Node:
    return x.node if isinstance(x, Array) else x


class NodeTable(Mapping[Any, Any]):
    """A number for each node, asked by the node or by the expression that it is."""

    def __init__(self, what: str, table: Mapping[Node, Any] | None = None) -> None:
        self.what = what
        self.table: dict[Node, Any] = dict(table or {})

    def fill(self, table: Mapping[Node, Any]) -> None:
        """Replace all numbers."""
        self.table = dict(table)

    def __getitem__(self, key: Array | Node) -> Any:
        node = _node(key)
        if node not in self.table:
            raise KeyError(f"no {self.what} for {text(node)}: run forward and backward first")
        return np.asarray(self.table[node])[()]

    def __iter__(self) -> Iterator[Array]:
        return iter([Array(n) for n in self.table])

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{text(n)}: {v}" for n, v in self.table.items()) + "}"


class ComputationalGraph:
    """A graph to step through: values forward, gradients backward, both kept for every node.

    Nothing is rewritten: its nodes are those of the expression. After `forward` and `backward`,
    `values` and `gradients` hold a number for each node, asked by the expression that it is.

    >>> import glassgrad as gg
    >>> a, b = gg.variables("a b")
    >>> r = a + b
    >>> g = gg.ComputationalGraph(r * (b + 1))
    >>> g.forward({a: 2.0, b: 1.0})
    np.float64(6.0)
    >>> g.backward()[b], g.gradients[r]
    (np.float64(5.0), np.float64(2.0))
    """

    def __init__(self, e: Array) -> None:
        self.output = e.node
        self.nodes: list[Node] = topological_order([self.output])
        self.inputs: list[Node] = [n for n in self.nodes if isinstance(n.op, Input)]
        self.values = NodeTable("value")
        self.gradients = NodeTable("gradient")
        self.evaluations: dict[Node, int] = {}
        self._ledger: reverse.Ledger | None = None

    def forward(self, values: Mapping[Array, Any]) -> Any:
        """Compute every node once, inputs first; returns the value of the expression."""
        known = _feed(values)
        self.evaluations = {}
        order = bound_order([self.output], known)
        for _, node, _value in interpret(order, known):
            self.evaluations[node] = self.evaluations.get(node, 0) + 1
        self.values.fill({n: known[n] for n in self.nodes if n in known})
        self.gradients.fill({})
        return self.values[self.output]

    def backward(self) -> NodeTable:
        """Compute the gradient at every node, consumers first; returns those of the inputs."""
        if not len(self.values):
            raise UnboundError("call forward with values before backward")
        if self.output.shape != ():
            raise CalculusError(
                f"backward starts from a scalar, this expression has shape {self.output.shape}"
            )
        ledger = self.ledger
        cotangents = {n: ledger.cotangent(n) for n in self.nodes}
        real = {n: g for n, g in cotangents.items() if g is not None}
        numbers = evaluate_nodes(list(real.values()), self.values.table)
        zero = {n: np.zeros(n.shape, n.dtype) for n in self.nodes if n.outputs is None}
        self.gradients.fill({**zero, **dict(zip(real, numbers))})
        return NodeTable("gradient", {n: self.gradients[n] for n in self.inputs})

    @property
    def ledger(self) -> reverse.Ledger:
        """The reverse pass: for each node the terms that sum to its cotangent."""
        if self._ledger is None:
            self._ledger = reverse.backward({self.output: ones_like(self.output)})
        return self._ledger

    def consumers(self, x: Array | Node) -> list[Node]:
        """The nodes that take x as an operand."""
        return consumers(self.nodes)[_node(x)]

    def arguments(self, x: Array | Node) -> tuple[Node, ...]:
        """The operands of x."""
        return _node(x).inputs
