"""The ledger of a reverse pass: each cotangent as terms, each from the consumer that passed it
back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.diff import reverse
from glassgrad.diff.total import total
from glassgrad.engines.reference import evaluate
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.dtype import FLOAT64, INT64
from glassgrad.graph.node import Node, Trace, make, new_input
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.contract import matmul
from glassgrad.ops.gather import Take
from glassgrad.ops.reduce import ones_like, sum_
from glassgrad.ops.view import Place

VALUES = {"a": 2.0, "b": 3.0, "m": [[1.0, 2.0], [3.0, 4.0]], "v": [0.5, -1.0], "i": [1, 1]}


def _variables() -> tuple[dict[str, Node], dict[Node, np.ndarray]]:
    trace = Trace()
    arrays = {name: np.array(value) for name, value in VALUES.items()}
    nodes = {
        name: new_input(trace, name, x.shape, INT64 if name == "i" else FLOAT64)
        for name, x in arrays.items()
    }
    return nodes, {nodes[name]: x for name, x in arrays.items()}


def _sources(ledger: reverse.Ledger, x: Node) -> list[tuple[str, int, bool]]:
    return [(t.consumer.name if t.consumer else "", t.operand, t.masked) for t in ledger.terms[x]]


def check_scalars() -> None:
    """Terms come from each consumer at each operand; those under a choice are marked."""
    x, values = _variables()
    a, b = x["a"], x["b"]
    product = a * b
    y = product + b * a + k.where(k.less(a, b), b, 1.0)
    ledger = reverse.backward({y: ones_like(y)})
    assert ledger.terms.keys() <= ledger.active
    assert sorted(_sources(ledger, b)) == [
        ("multiply", 0, False),
        ("multiply", 1, False),
        ("where", 1, True),
    ]
    assert sorted(_sources(ledger, a)) == [("multiply", 0, False), ("multiply", 1, False)]
    assert _sources(ledger, y) == [("", 0, False)]
    whole = ledger.cotangent(b)
    assert whole is not None
    found = evaluate([whole, *(t.node for t in ledger.terms[b])], values)
    assert found[0] == sum(found[1:]) == 5.0


def check_arrays() -> None:
    """Operands of products and reads are told apart; indices have no term."""
    x, values = _variables()
    read = make(Take(0), x["v"], x["i"])
    y = sum_(matmul(x["m"], x["v"]), (0,)) + sum_(read, (0,))
    ledger = reverse.backward({y: ones_like(y)}, [x["v"], x["m"]])
    assert ledger.terms.keys() <= ledger.active and x["i"] not in ledger.terms
    assert sorted(_sources(ledger, x["v"])) == [("contract", 1, False), ("take", 0, True)]
    assert _sources(ledger, x["m"]) == [("contract", 0, False)]
    whole = ledger.cotangent(x["v"])
    assert whole is not None
    assert np.array_equal(evaluate([whole], values)[0], [4.0, 8.0])


def check_wrt() -> None:
    """With `wrt` only what leads there is visited; a node that nothing reaches has no cotangent."""
    x, values = _variables()
    y = k.sin(x["a"]) * k.exp(x["b"])
    ledger = reverse.backward({y: ones_like(y)}, [x["a"]])
    assert x["b"] not in ledger.terms and ledger.cotangent(x["b"]) is None
    assert reverse.vjp([y], [ones_like(y)], [x["v"]]) == [None]
    (zero,) = reverse.gradients(y, [x["v"]])
    assert np.array_equal(evaluate([zero], {})[0], [0.0, 0.0])
    assert reverse.vjp([y, y], [ones_like(y), None], [x["a"]])[0] is ledger.cotangent(x["a"])
    twice = reverse.vjp([y, y], [ones_like(y), 2.0 * ones_like(y)], [x["a"]])
    found = evaluate([*twice, ledger.cotangent(x["a"]) * 3.0], values)
    assert abs(found[0] - found[1]) < 1e-14


def check_idle() -> None:
    """No work is done for integers, nor for operands that lead nowhere."""
    x, _ = _variables()
    y = sum_(make(Take(0), x["v"], x["i"]), (0,))
    assert x["i"] not in reverse.backward({y: ones_like(y)}).active
    poles = k.log(x["v"])
    chosen = k.where(k.less(x["a"], x["b"]), matmul(poles, k.log(k.exp(x["v"]))), 0.0)
    other = new_input(x["v"].trace, "other", (2,), FLOAT64)
    chosen = k.where(k.less(x["a"], x["b"]), matmul(k.log(other), poles), chosen)
    reverse.gradients(chosen, [other])
    asked = {n.inputs[0] for n in chosen.trace.root().table.values() if n.name == "isfinite"}
    assert k.log(other) not in asked, "the other operand was guarded for nobody"


ROWS = [  # starts, steps, shape of the block: whole rows of a (6, 3) array
    ((0, 0), (1, 1), (1, 3)), ((1, 0), (1, 1), (2, 3)), ((4, 0), (1, 1), (2, 3)),
    ((0, 0), (-1, 1), (1, 3)), ((2, 0), (1, 1), (3, 3)), ((3, 0), (1, 1), (0, 3)),
]  # fmt: skip
NO_ROWS = [  # columns, every second row, rows read backwards along the other axis
    ((0, 1), (1, 1), (6, 2)), ((1, 0), (2, 1), (2, 3)), ((0, 2), (1, -1), (1, 3)),
    ((5, 0), (-1, 1), (2, 3)), ((0, 0), (1, 2), (6, 2)),
]  # fmt: skip


def _placed(trace: Trace, cases: list[Any], values: dict[Node, np.ndarray]) -> list[Node]:
    """A placement among zeros for each case, of a block of its own numbers."""
    found = []
    for i, (starts, steps, shape) in enumerate(cases):
        block = new_input(trace, "block", shape, FLOAT64)
        values[block] = np.random.default_rng(i).normal(size=shape)
        found.append(make(Place((6, 3), starts, steps), block))
    return found


def check_total() -> None:
    """Rows that were read one by one are put side by side; all else is added as it is."""
    trace, values = Trace(), dict[Node, np.ndarray]()
    rows, others = _placed(trace, ROWS, values), _placed(trace, NO_ROWS, values)
    plain = new_input(trace, "plain", (6, 3), FLOAT64)
    values[plain] = np.ones((6, 3))
    terms = [*rows[:3], *others, plain, *rows[3:]]
    found = total(terms)
    got, *parts = evaluate([found, *terms], values)
    np.testing.assert_allclose(got, sum(parts), rtol=1e-14)
    order = topological_order([found])
    assert {n for n in order if n.name == "place"} == {*others}
    layers = 2
    assert (
        sum(n.name == "add" for n in order) == len(others) + 1 + layers - 1 + 1
    )  # and one block twice
    few = rows[:3]
    assert {*few} <= {*topological_order([total(few)])}
    empty = _placed(trace, [((i, 0), (1, 1), (0, 3)) for i in range(5)], values)
    assert total(empty) is empty[0]
    scalars = [make(Place((), (), ()), new_input(trace, "s", (), FLOAT64)) for _ in range(5)]
    assert {*scalars} <= {*topological_order([total(scalars)])}


CHECKS = (check_scalars, check_arrays, check_wrt, check_idle, check_total)
