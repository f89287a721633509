"""The calculus of loops: the derivative of a scan is a scan, so every order exists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from glassgrad.graph.dtype import is_float
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node, item, new_input
from glassgrad.ops.loop import Scan, scan
from glassgrad.ops.reduce import zeros_like
from glassgrad.ops.view import slice_

Pullback = Callable[[Sequence[Node], Sequence[Node | None], Sequence[Node]], list[Any]]
Pushforward = Callable[[Sequence[Node], dict[Node, Node]], list[Node | None]]


def _floats(nodes: Sequence[Node]) -> list[int]:
    return [i for i, x in enumerate(nodes) if is_float(x.dtype)]


def scan_jvp(node: Node, tangents: Sequence[Node | None], jvp: Pushforward) -> list[Node | None]:
    """A scan over pairs of values and tangents: (carry, ċ), (x, ẋ), (constant, ȧ); out comes ẏ."""
    op = node.op
    assert isinstance(op, Scan)
    params, outputs = op.body.fresh()
    moving = _floats(params)
    dots = {i: new_input(params[i].trace, "t", params[i].shape, params[i].dtype) for i in moving}
    found = jvp(outputs, {params[i]: dots[i] for i in moving})
    real = _floats(outputs)
    moved = [zeros_like(outputs[j]) if (t := found[j]) is None else t for j in real]
    c, r = op.carries, op.rows
    groups = (range(c), range(c, c + r), range(c + r, len(params)))
    new_params, operands = [], []
    for group in groups:
        new_params += [params[i] for i in group] + [dots[i] for i in group if i in dots]
        operands += [node.inputs[i] for i in group]
        operands += [_or_zero(tangents[i], node.inputs[i]) for i in group if i in dots]
    first = [outputs[j] for j in range(c)] + [t for j, t in zip(real, moved) if j < c]
    rest = [t for j, t in zip(real, moved) if j >= c]
    carries = c + sum(i < c for i in dots)
    rows = r + sum(c <= i < c + r for i in dots)
    results = scan(Function(new_params, first + rest), carries, rows, op.length, operands)
    tangent_of = dict(zip(real, results[c:]))
    return [tangent_of.get(j) for j in range(len(outputs))]


def _or_zero(t: Node | None, x: Node) -> Node:
    return zeros_like(x) if t is None else t


def scan_vjp(node: Node, gs: Sequence[Node | None], vjp: Pullback) -> list[Node | None]:
    """A forward scan that keeps each carry, then a scan of the body's pullback from the last step.

    Carried back: the cotangent of the carry, and the running sums for what the body captured.
    """
    op = node.op
    assert isinstance(op, Scan)
    c, r = op.carries, op.rows
    kept = _kept_carries(node, op)
    params, outputs = op.body.fresh()
    trace = params[0].trace
    back = [i for i in _floats(params) if i < c]
    constants = [i for i in _floats(params) if i >= c + r]
    row_inputs = [i for i in _floats(params) if c <= i < c + r]
    ys = [j for j in _floats(outputs) if j >= c]
    incoming = {j: new_input(trace, "g", outputs[j].shape, outputs[j].dtype) for j in [*back, *ys]}
    sums = {i: new_input(trace, "s", params[i].shape, params[i].dtype) for i in constants}
    seeds = [incoming.get(j) for j in range(len(outputs))]
    found = dict(zip(range(len(params)), vjp(outputs, seeds, params)))
    cot = {i: _or_zero(found[i], params[i]) for i in (*back, *row_inputs, *constants)}

    new_params = [incoming[i] for i in back] + [sums[i] for i in constants]
    new_params += [incoming[j] for j in ys] + params[: c + r] + params[c + r :]
    body = Function(
        new_params,
        [cot[i] for i in back]
        + [sums[i] + cot[i] for i in constants]
        + [cot[i] for i in row_inputs],
    )
    first = [_or_zero(gs[i], node.inputs[i]) for i in back]
    first += [zeros_like(node.inputs[i]) for i in constants]
    stacked = [_flipped(_zeros_of(node, j) if (g := gs[j]) is None else g) for j in ys]
    operands = first + stacked + [_flipped(x) for x in kept]
    operands += [_flipped(x) for x in node.inputs[c : c + r]] + list(node.inputs[c + r :])
    results = scan(body, len(first), len(ys) + c + r, op.length, operands)
    answer: list[Node | None] = [None] * len(params)
    for i, g in zip((*back, *constants), results):
        answer[i] = g
    for i, g in zip(row_inputs, results[len(first) :]):
        answer[i] = _flipped(g)
    return answer


def _zeros_of(node: Node, index: int) -> Node:
    """Zeros in the shape of one result of a node that has several."""
    return zeros_like(item(node, index))


def _kept_carries(node: Node, op: Scan) -> list[Node]:
    """The carry that each step started from, stacked."""
    params, outputs = op.body.fresh()
    body = Function(params, [*outputs[: op.carries], *params[: op.carries]])
    return scan(body, op.carries, op.rows, op.length, list(node.inputs))[op.carries :]


def _flipped(x: Node) -> Node:
    """The rows in reverse order."""
    n = x.shape[0]
    if n == 0:
        return x
    starts = (n - 1, *[0] * (x.ndim - 1))
    return slice_(x, starts, (-1, *[1] * (x.ndim - 1)), x.shape)
