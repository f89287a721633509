"""The ledger of a reverse pass: each cotangent as terms, each from the consumer that passed it
back.
"""

from __future__ import annotations

import numpy as np

from glassgrad.diff import reverse
from glassgrad.engines.reference import evaluate
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.dtype import FLOAT64, INT64
from glassgrad.graph.node import Node, Trace, make, new_input
from glassgrad.ops.contract import matmul
from glassgrad.ops.gather import Take
from glassgrad.ops.reduce import ones_like, sum_

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
    total = ledger.cotangent(b)
    assert total is not None
    found = evaluate([total, *(t.node for t in ledger.terms[b])], values)
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
    total = ledger.cotangent(x["v"])
    assert total is not None
    assert np.array_equal(evaluate([total], values)[0], [4.0, 8.0])


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


CHECKS = (check_scalars, check_arrays, check_wrt)
