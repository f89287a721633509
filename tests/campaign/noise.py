"""How far rounding may carry a result: the graph run again with random errors in every node.

Each rounded node is moved by a few units in the last place, up or down at random, which is what
another engine may do to it (Monte Carlo arithmetic, D. S. Parker 1997). What comes out differs by
about as much as two correct engines may; a wrong lane, stride or sign is far outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassgrad.engines import matrices, reference
from glassgrad.graph.family import Elementwise
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.contract import Contract
from glassgrad.ops.gather import ScatterAdd
from glassgrad.ops.loop import Call, Cond, Custom, Scan, While
from glassgrad.ops.prefix import Prefix
from glassgrad.ops.reduce import Reduce

ULPS = 4.0
"""Units in the last place by which an elementwise function may be off."""

EXACT = frozenset(
    ["negative", "abs", "maximum", "minimum", "where", "sign", "floor", "ceil", "rint", "trunc",
     "relu", "clip", "copysign"]
)  # fmt: skip

EXTREMES = frozenset(["maximum", "minimum", "relu", "clip"])
"""To these +0 and -0 are equal, and either may come out, as in NumPy."""

CANCEL = frozenset(["logaddexp", "sinc_slope"])
"""Sums whose parts may cancel, and zeros away from 0: off by units of their operands."""


def perturbed(
    outputs: Sequence[Node], values: dict[Node, Any], rng: np.random.Generator
) -> list[Any]:
    """The outputs with random rounding errors in every node; `values` are those of the inputs."""
    known = dict(values)
    for node in topological_order(outputs, known):
        run = _LOOPS.get(type(node.op))
        if run is not None:
            known[node] = tuple(run(node, [known[x] for x in node.inputs], rng))
        else:
            operands = [known[x] for x in node.inputs]
            if type(node.op) in matrices.RUN:
                operands = [_moved(x, rng) for x in operands]
            known[node] = reference.compute(node, operands)
            if node.outputs is None and node.dtype.kind == "f":
                known[node] = _shaken(known[node], error_bound(node, known), rng)
                if _leaves_zeros_open(node):
                    known[node] = _with_any_zeros(known[node], rng)
    return [known[y] for y in outputs]


def _call(body: Function, operands: Sequence[Any], rng: np.random.Generator) -> list[Any]:
    return perturbed(body.outputs, dict(zip(body.params, operands)), rng)


def _scan(node: Node, operands: list[Any], rng: np.random.Generator) -> list[Any]:
    op = node.op
    assert isinstance(op, Scan) and node.outputs is not None
    c, r = op.carries, op.rows
    carry = operands[:c]
    stacked = [np.empty(shape, dtype) for shape, dtype in node.outputs[c:]]
    for i in range(op.length):
        rows = [x[i] for x in operands[c : c + r]]
        results = _call(op.body, [*carry, *rows, *operands[c + r :]], rng)
        carry = results[:c]
        for whole, part in zip(stacked, results[c:]):
            whole[i] = part
    return [*carry, *stacked]


def _cond(node: Node, operands: list[Any], rng: np.random.Generator) -> list[Any]:
    op = node.op
    assert isinstance(op, Cond)
    return _call(op.yes if operands[0] else op.no, operands[1:], rng)


def _while(node: Node, operands: list[Any], rng: np.random.Generator) -> list[Any]:
    op = node.op
    assert isinstance(op, While)
    while _call(op.test, operands, rng)[0]:
        operands[: op.carries] = _call(op.body, operands, rng)
    return operands[: op.carries]


def _apart(node: Node, operands: list[Any], rng: np.random.Generator) -> list[Any]:
    op = node.op
    assert isinstance(op, Call | Custom)
    return _call(op.body, operands, rng)


_LOOPS = {Scan: _scan, Cond: _cond, While: _while, Call: _apart, Custom: _apart}


def error_bound(node: Node, known: dict[Node, Any]) -> Any:
    """By how much a correct engine's value of one node may differ, given the same operands."""
    op, value = node.op, known[node]
    if type(op) in matrices.RUN:
        return ULPS * _units(value)
    if isinstance(op, Elementwise):
        inside = sum(_units(known[x]) for x in node.inputs) if op.name in CANCEL else 0.0
        return 0.0 if op.name in EXACT else ULPS * (_units(value) + inside)
    if isinstance(op, Contract):
        x, y = (np.abs(known[i]) for i in node.inputs)
        terms = node.inputs[0].size * node.inputs[1].size // max(1, node.size)
        return _sum_error(reference.compute(node, [x, y]), max(2, int(terms**0.5) + 1))
    if isinstance(op, Reduce) and op.kind == "logsumexp":
        return ULPS * (_units(value) + np.finfo(node.dtype).eps)
    if (isinstance(op, Reduce) and op.kind == "sum") or isinstance(op, Prefix):
        x = np.abs(known[node.inputs[0]])
        return _sum_error(reference.compute(node, [x]), node.inputs[0].size // max(1, node.size))
    if isinstance(op, ScatterAdd):
        base, added, *indices = (known[i] for i in node.inputs)
        sums = reference.compute(node, [np.abs(base), np.abs(added), *indices])
        return _sum_error(sums, node.inputs[1].size)
    return 0.0


def _leaves_zeros_open(node: Node) -> bool:
    """Whether a zero may come out with either sign: the larger of +0 and -0, a sum of -0."""
    op = node.op
    if isinstance(op, Elementwise):
        return op.name in EXTREMES
    return isinstance(op, Reduce | Contract | Prefix | ScatterAdd)


def _with_any_zeros(x: Any, rng: np.random.Generator) -> Any:
    """Zeros with signs at random."""
    x = np.asarray(x)
    signs = rng.choice(np.array([-1, 1], x.dtype), x.shape)
    return np.where(x == 0, signs * 0, x).astype(x.dtype)


def _sum_error(absolute: Any, terms: int) -> Any:
    """The forward error of a sum in any order, (n − 1) u Σ|x| for few terms, less for many."""
    eps = np.finfo(np.asarray(absolute).dtype).eps
    return eps * min(max(terms, 2), 64) * absolute


def _moved(x: Any, rng: np.random.Generator) -> Any:
    """Matrices with the backward error of a factorisation: a few units of their largest element."""
    x = np.asarray(x)
    largest = np.max(np.abs(x), initial=0.0)
    return _shaken(x, ULPS * x.shape[-1] * np.finfo(x.dtype).eps * largest, rng)


def _units(x: Any) -> Any:
    """One unit in the last place of each element."""
    x = np.asarray(x)
    return np.spacing(np.abs(x)) if x.dtype.kind == "f" else 0.0


def _shaken(x: Any, bound: Any, rng: np.random.Generator) -> Any:
    x = np.asarray(x)
    if x.dtype.kind != "f":
        return x
    signs = rng.integers(-1, 2, x.shape)
    return np.asarray(x + signs * bound, x.dtype)
