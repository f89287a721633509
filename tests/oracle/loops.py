"""Loops: a scan against the same body unrolled, in values, gradients and Hessians, and in long
doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from glassgrad.diff import forward, reverse
from glassgrad.engines import reference
from glassgrad.graph.algebra import NODES
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node, Trace, new_input
from glassgrad.graph.numpy_algebra import NUMPY
from glassgrad.ops.loop import scan
from glassgrad.ops.reduce import sum_
from oracle.structural import LONG, SECOND, TOLERANCE, close, directional

Body = Callable[[Any, list[Any], list[Any], list[Any]], tuple[list[Any], list[Any]]]


class Loop(NamedTuple):
    """A body (k, carries, rows, constants) -> (carries, outputs) in the algebra, with operands."""

    name: str
    body: Body
    carries: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]
    constants: tuple[np.ndarray, ...]
    length: int

    @property
    def operands(self) -> list[np.ndarray]:
        """All operands, in the order that a scan takes them."""
        return [*self.carries, *self.rows, *self.constants]


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng([7, *shape]).normal(size=shape)


LOOPS = [
    Loop("a recurrence with a row and a constant",
         lambda k, c, x, a: ([k.tanh(a[0] * c[0] + x[0])], [c[0] * x[0]]),
         (_random(2),), (_random(3, 2),), (_random(2),), 3),
    Loop("carries alone", lambda k, c, x, a: ([k.sin(c[0]) * a[0]], []), (_random(3),), (),
        (_random(3),), 4),
    Loop("rows alone", lambda k, c, x, a: ([], [k.exp(x[0]) * x[1], x[0] - x[1]]), (),
         (_random(3, 2), _random(3, 2) + 1), (), 3),
    Loop("two carries, crossed", lambda k, c, x,
        a: ([c[1] * x[0], c[0] + c[1]], [k.sin(c[0]), c[1]]),
         (_random(2), _random(2) + 2), (_random(4, 2),), (), 4),
    Loop("a counter beside a real carry",
         lambda k, c, x, a: ([c[0] + 1, c[1] * k.where(k.less(c[0], 2), a[0], a[1])], [c[1]]),
         (np.array(0), np.array(1.5)), (), (np.array(0.7), np.array(-1.3)), 4),
    Loop("an integer row", lambda k, c, x,
        a: ([c[0] * k.where(k.equal(x[0], 1), 2.0, a[0])], [c[0]]),
         (np.array(0.5),), (np.array([1, 0, 1]),), (np.array(3.0),), 3),
    Loop("a carry that is not used again", lambda k, c, x, a: ([x[0] * a[0]], [c[0]]),
         (np.array(0.5),), (_random(3),), (np.array(3.0),), 3),
    Loop("an output that is a constant", lambda k, c, x, a: ([c[0] + a[0]], [a[0] * 1.0]),
         (np.array(0.5),), (), (np.array(3.0),), 2),
    Loop("an output without a derivative", lambda k, c, x,
        a: ([c[0] * a[0]], [k.floor(c[0]), c[0] * 2.0]),
         (np.array(0.5),), (), (np.array(3.0),), 3),
    Loop("a question among the outputs", lambda k, c, x,
        a: ([c[0] * a[0]], [k.less(c[0], 1.0), c[0]]),
         (np.array(0.5),), (), (np.array(3.0),), 2),
    Loop("no step", lambda k, c, x, a: ([c[0] * a[0] + x[0]], [c[0] * x[0]]), (np.array(0.5),),
         (np.zeros(0),), (np.array(3.0),), 0),
    Loop("one step", lambda k, c, x, a: ([c[0] * a[0] + x[0]], [c[0] * x[0]]), (np.array(0.5),),
         (np.ones(1),), (np.array(3.0),), 1),
]  # fmt: skip


class Built:
    """The loop as a scan, and unrolled, on the same variables."""

    def __init__(self, loop: Loop) -> None:
        trace, inner = Trace(), Trace()
        self.xs = [new_input(trace, f"x{i}", v.shape, v.dtype) for i, v in enumerate(loop.operands)]
        self.values: dict[Node, Any] = dict(zip(self.xs, loop.operands))
        self.real = [i for i, x in enumerate(self.xs) if x.dtype.kind == "f"]
        c, r = len(loop.carries), len(loop.rows)
        params = [
            new_input(inner, "p", x.shape[1:] if c <= i < c + r else x.shape, x.dtype)
            for i, x in enumerate(self.xs)
        ]
        carries, outputs = loop.body(NODES, params[:c], params[c : c + r], params[c + r :])
        function = Function(params, [*carries, *outputs])
        self.results = scan(function, c, r, loop.length, self.xs)

    def run(self, nodes: Sequence[Node | None], like: Sequence[Node]) -> list[np.ndarray]:
        """Values of nodes; zeros where there is none."""
        found = iter(reference.evaluate([n for n in nodes if n is not None], self.values))
        return [np.zeros(x.shape) if n is None else next(found) for n, x in zip(nodes, like)]

    def loss(self) -> Node:
        """Σ w·sin(result) over all real results, with weights that differ everywhere."""
        total: Any = 0.0
        for i, y in enumerate(y for y in self.results if y.dtype.kind == "f"):
            w = new_input(y.trace, "w", y.shape, y.dtype)
            self.values[w] = weights(i, y.shape)
            total = total + sum_(w * NODES.sin(y), tuple(range(y.ndim)))
        return total


def weights(i: int, shape: tuple[int, ...]) -> np.ndarray:
    """The weights of result i in the loss."""
    return np.random.default_rng([i, *shape]).normal(size=shape)


def unrolled(loop: Loop, operands: Sequence[Any]) -> list[np.ndarray]:
    """The results by a plain loop in NumPy, in whatever precision the operands have."""
    c, r = len(loop.carries), len(loop.rows)
    carry, stacked = list(operands[:c]), []
    for step in range(loop.length):
        rows = [x[step] for x in operands[c : c + r]]
        carry, outputs = loop.body(NUMPY, carry, rows, list(operands[c + r :]))
        stacked.append(outputs)
    return [np.asarray(v) for v in (*carry, *(np.stack(column) for column in zip(*stacked)))]


def true_loss(loop: Loop, operands: Sequence[Any]) -> Any:
    """The loss by the plain loop, in long doubles."""
    real = [y for y in unrolled(loop, operands) if y.dtype.kind == "f"]
    return sum(np.sum(weights(i, y.shape).astype(LONG) * np.sin(y)) for i, y in enumerate(real))


def _long(loop: Loop) -> list[np.ndarray]:
    return [v.astype(LONG) if v.dtype.kind == "f" else v for v in loop.operands]


def check_value(loop: Loop) -> None:
    """The scan gives what the plain loop gives."""
    built = Built(loop)
    got = built.run(built.results, built.results)
    want = unrolled(loop, loop.operands)
    for i, (g, w) in enumerate(zip(got, want)):
        assert g.dtype == w.dtype
        close(g.astype(np.float64), w.astype(np.float64), 1e-14, f"{loop.name}: result {i}", 1.0)


def _units(loop: Loop, i: int) -> list[np.ndarray]:
    shape = loop.operands[i].shape
    size = int(np.prod(shape, dtype=int))
    return [row.reshape(shape) for row in np.eye(size, dtype=LONG)]


def check_gradient(loop: Loop) -> None:
    """The gradient of the loss by every real operand, in both modes, against differences."""
    built = Built(loop)
    y = built.loss()
    xs = [built.xs[i] for i in built.real]
    got = built.run(reverse.gradients(y, xs), xs)
    for i, x, g in zip(built.real, xs, got):
        along = [[u if p == i else None for p in range(len(built.xs))] for u in _units(loop, i)]
        want = [directional(lambda v: true_loss(loop, v), _long(loop), d) for d in along]
        close(g, np.array(want, LONG).reshape(g.shape), TOLERANCE, f"{loop.name}: VJP by {i}", 1e-3)
        t = new_input(y.trace, "t", x.shape, x.dtype)
        built.values[t] = np.random.default_rng(i).normal(size=x.shape)
        (pushed,) = built.run(forward.jvp([y], {x: t}), [y])
        wanted = np.asarray(np.sum(np.array(want, LONG).reshape(g.shape) * built.values[t]))
        close(pushed, wanted, TOLERANCE, f"{loop.name}: JVP by {i}", 1e-3)


def check_hessian(loop: Loop) -> None:
    """Hessian times vector by all real operands together, against differences of differences."""
    built = Built(loop)
    y = built.loss()
    xs = [built.xs[i] for i in built.real]
    ts = [new_input(y.trace, "t", x.shape, x.dtype) for x in xs]
    rng = np.random.default_rng(4)
    built.values.update({t: rng.normal(size=t.shape) for t in ts})
    firsts = reverse.gradients(y, xs)
    ways = {
        "JVP of VJP": forward.jvp(firsts, dict(zip(xs, ts))),
        "VJP of VJP": reverse.vjp(firsts, list(ts), xs),
    }
    wants = _true_products(loop, {i: built.values[t] for i, t in zip(built.real, ts)})
    for how, found in ways.items():
        for i, g, want in zip(built.real, built.run(found, xs), wants):
            close(g, want, SECOND, f"{loop.name}: {how} by {i}", 1e-3)
    pushed = forward.jvp([y], dict(zip(xs, ts)))
    again = built.run(reverse.vjp(pushed, [NODES.add(y * 0.0, 1.0)], xs), xs)
    for i, g, want in zip(built.real, again, wants):
        close(g, want, SECOND, f"{loop.name}: VJP of JVP by {i}", 1e-3)


_products: dict[str, list[np.ndarray]] = {}


def _true_products(loop: Loop, tangents: dict[int, np.ndarray]) -> list[np.ndarray]:
    if loop.name not in _products:
        n = len(loop.operands)
        along = [tangents[i].astype(LONG) if i in tangents else None for i in range(n)]
        _products[loop.name] = [
            np.array([_product(loop, i, unit, along) for unit in _units(loop, i)], LONG).reshape(
                loop.operands[i].shape
            )
            for i in tangents
        ]
    return _products[loop.name]


def _product(loop: Loop, i: int, unit: np.ndarray, along: Sequence[Any]) -> Any:
    n = len(loop.operands)

    def slope(v: Sequence[Any]) -> Any:
        return directional(
            lambda w: true_loss(loop, w), v, [unit if p == i else None for p in range(n)]
        )

    return directional(slope, _long(loop), along)
