"""Ops that hold functions: scans, branches, loops of unknown length, recomputation, own rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from campaign.maker import FLOATS, Maker
from glassgrad.graph.family import Broadcast, Cast, Reshape
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node, constant, item, make, new_input
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.contract import Contract
from glassgrad.ops.gather import ScatterAdd, Take
from glassgrad.ops.loop import Call, Cond, Custom, Scan, While
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.view import Transpose

STEPS = ("add", "multiply", "tanh", "sigmoid", "sin", "subtract", "maximum")


def body(m: Maker, count: int = 2) -> tuple[list[Node], list[Node]]:
    """A few steps on operands of one shape: parameters, and two results of their shape."""
    dtype, shape = np.dtype(m.one(FLOATS)), m.one(((), (3,), (2, 2), m.shape(2)))
    params = [new_input(m.trace, n, shape, dtype) for n in "abcd"[:count]]
    now = list(params)
    for name in [m.one(STEPS) for _ in range(int(m.rng.integers(1, 4)))] + ["tanh"]:
        op = REGISTRY[name]
        now.append(make(op, *(m.one(now) for _ in range(op.arity))))
    for change, p in ((_product, 0.4), (_total, 0.5), (_rows, 0.3), (_branch, 0.15)):
        if m.chance(p) and (found := change(m, now[-1])) is not None:
            now.append(found)
    return params, [make(REGISTRY["tanh"], now[-2]), now[-1]]


def _product(m: Maker, x: Node) -> Node | None:
    if x.ndim != 2:
        return None
    n = x.shape[1]
    w = constant(m.trace, m.array((n, n), x.dtype) / max(n, 1), x.dtype)
    x = make(Transpose((1, 0)), x) if x.shape[0] == n and m.chance(0.3) else x
    return make(Contract((0, 1), (1, 2), (0, 2)), x, w)


def _total(m: Maker, x: Node) -> Node | None:
    if not x.ndim or not x.shape[-1]:
        return None
    lead, kind = (*x.shape[:-1], 1), m.one(("sum", "max", "logsumexp"))
    total = make(Reshape(lead), make(Reduce(kind, (x.ndim - 1,)), x))
    return make(REGISTRY["tanh"], make(Broadcast(x.shape), total))


def _rows(m: Maker, x: Node) -> Node | None:
    if not x.ndim or not x.shape[0]:
        return None
    at = constant(m.trace, m.rng.integers(-x.shape[0], x.shape[0], (3,)), "i8")
    return make(ScatterAdd(0), x, make(REGISTRY["sin"], make(Take(0), x, at)), at)


def _branch(m: Maker, x: Node) -> Node | None:
    (a,), (p, q) = _alike(m, x)
    first = make(Reduce("sum", tuple(range(x.ndim))), make(Cast(np.dtype("f8")), x))
    large = make(REGISTRY["less"], constant(m.trace, 0.25, "f8"), first)
    return item(make(Cond(Function([a], [p]), Function([a], [q])), large, x), 0)


def _alike(m: Maker, x: Node) -> tuple[list[Node], list[Node]]:
    """One parameter like an operand, and two results of it."""
    a = new_input(m.trace, "a", x.shape, x.dtype)
    half = make(Broadcast(x.shape), constant(m.trace, 0.5, x.dtype))
    return [a], [make(REGISTRY["multiply"], a, half), make(REGISTRY["tanh"], a)]


def scan(m: Maker) -> Node | None:
    """One carry or two, one row, one stacked result; and an operand that every turn sees."""
    carries, seen = m.one((1, 1, 2)), int(m.chance(0.4))
    params, (new, out) = body(m, carries + 1 + seen)
    shape, dtype = params[0].shape, params[0].dtype
    results = [new, make(REGISTRY["sin"], params[0])][:carries]
    n = int(m.rng.integers(0, 6))
    given = [m.input(m.array(shape, dtype)) for _ in range(carries)]
    given.append(m.input(m.array((n, *shape), dtype)))
    given += [m.input(m.array(shape, dtype)) for _ in range(seen)]
    order = [*params[:carries], params[carries], *params[carries + 1 :]]
    return m.made(Scan(Function(order, [*results, out]), carries, 1, n), *given)


def cond(m: Maker) -> Node | None:
    """One of two functions."""
    params, (new, out) = body(m)
    pred = m.input(m.array((), bool))
    given = [m.input(m.array(p.shape, p.dtype)) for p in params]
    return m.made(Cond(Function(params, [new]), Function(params, [out])), pred, *given)


def while_loop(m: Maker) -> Node | None:
    """Turns until a counter or a number says so; an operand that every turn sees."""
    seen = int(m.chance(0.4))
    params, (new, _) = body(m, 2 + seen)
    i = new_input(m.trace, "i", (), np.dtype("i8"))
    test = make(REGISTRY["less"], i, constant(m.trace, 3, "i8"))
    on = make(REGISTRY["add"], i, constant(m.trace, 1, "i8"))
    start = m.input(np.asarray(int(m.rng.integers(0, 5))))
    order = [i, *params]
    other = params[1] if m.chance(0.5) else make(REGISTRY["sin"], params[0])
    functions = Function(order, [test]), Function(order, [on, new, other])
    given = [m.input(m.array(p.shape, p.dtype)) for p in params]
    return m.made(While(*functions, 3), start, *given)


def call(m: Maker) -> Node | None:
    """A function whose values are computed again in the backward pass."""
    params, results = body(m)
    given = [m.input(m.array(p.shape, p.dtype)) for p in params]
    return m.made(Call(Function(params, results)), *given)


def own_rule(m: Maker) -> Node | None:
    """A function with a pullback of its own, which need not be the true one."""
    (a, b), (y, _) = body(m)
    g, out = (new_input(m.trace, n, a.shape, a.dtype) for n in ("g", "y"))
    multiply, sin = REGISTRY["multiply"], REGISTRY["sin"]
    back = [make(multiply, g, make(sin, a)), make(multiply, g, out)]
    rule = Custom(Function([a, b], [y]), Function([a, b, out, g], back), None, 2)
    return m.made(rule, *(m.input(m.array(p.shape, p.dtype)) for p in (a, b)))


KINDS: list[Callable[[Maker], Node | None]] = [
    scan, scan, scan, cond, while_loop, call, own_rule,
]  # fmt: skip


def loop(m: Maker) -> Node | None:
    """One of the ops that hold functions; its last result is used."""
    node = m.one(KINDS)(m)
    if node is None or node.outputs is None:
        return None
    which = len(node.outputs) - 1 if m.chance(0.7) else int(m.rng.integers(len(node.outputs)))
    return m.keep(item(node, which))
