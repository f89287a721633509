"""Ways downhill: each yields point after point, with the value and the gradient there.

A way that finds no lower point ends; when to stop otherwise is decided by who follows it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from glassgrad.graph.node import NDArray
from glassgrad.transform.gradient import value_and_grad
from glassgrad.transform.jacobian import hessian

Compile = Callable[[Callable[..., Any]], Callable[..., Any]]
Objective = Callable[[Any], Any]


class Point(NamedTuple):
    """A point on the way: where it is, the value there, and the norm of the gradient."""

    x: NDArray
    value: float
    norm: float


def gradient_descent(
    f: Objective, x: NDArray, rate: float, momentum: float, compiled: Compile
) -> Iterator[Point]:
    """x ← x − rate·∇f(x), the whole step compiled as one program."""
    gradient = value_and_grad(f)

    def step(x: Any, rate: Any) -> Any:
        value, g = gradient(x)
        return x - rate * g, value, np.sqrt(np.sum(g * g))

    run = compiled(step)
    while True:
        moved, value, norm = run(x, rate)
        yield Point(x, float(value), float(norm))
        x = moved


def heavy_ball(
    f: Objective, x: NDArray, rate: float, momentum: float, compiled: Compile
) -> Iterator[Point]:
    """u ← momentum·u + ∇f(x), x ← x − rate·u (Polyak 1964)."""
    gradient = value_and_grad(f)

    def step(x: Any, u: Any, rate: Any, momentum: Any) -> Any:
        value, g = gradient(x)
        u = momentum * u + g
        return x - rate * u, u, value, np.sqrt(np.sum(g * g))

    run = compiled(step)
    u = np.zeros_like(x)
    while True:
        moved, u, value, norm = run(x, u, rate, momentum)
        yield Point(x, float(value), float(norm))
        x = moved


def newton(
    f: Objective, x: NDArray, rate: float, momentum: float, compiled: Compile
) -> Iterator[Point]:
    """x ← x − |H|⁻¹∇f(x): negative curvature is turned round, so that every step leads down."""
    gradient, curvature = value_and_grad(f), hessian(f)
    run = compiled(lambda x: (*gradient(x), curvature(x)))
    first = compiled(gradient)
    while True:
        value, g, h = run(x)
        yield Point(x, float(value), float(np.linalg.norm(g)))
        if not np.isfinite(h).all():
            return
        sizes, axes = np.linalg.eigh(h)
        sizes = np.maximum(np.abs(sizes), 1e-12 * (np.abs(sizes).max() or 1e12))
        d = -axes @ ((axes.T @ g) / sizes)
        found = _line(first, x, d, float(value), float(g @ d), rate, curved=False)
        if found is None:
            return
        x = found[0]


REMEMBERED = 10  # pairs of steps and changes of the gradient that L-BFGS keeps


def lbfgs(
    f: Objective, x: NDArray, rate: float, momentum: float, compiled: Compile
) -> Iterator[Point]:
    """Quasi-Newton steps from the last pairs of step and change of gradient (Nocedal 1980)."""
    run = compiled(value_and_grad(f))
    value, g = run(x)
    pairs: deque[tuple[NDArray, NDArray]] = deque(maxlen=REMEMBERED)
    while True:
        yield Point(x, float(value), float(np.linalg.norm(g)))
        d = _quasi_newton(pairs, g)
        size = rate if pairs else rate / max(float(np.linalg.norm(g)), 1.0)
        found = _line(run, x, d, float(value), float(g @ d), size, curved=True)
        if found is None and pairs:  # once more, straight down
            pairs.clear()
            continue
        if found is None:
            return
        new, value, gradient = found
        s, y = new - x, gradient - g
        if s @ y > 1e-12 * (y @ y):
            pairs.append((s, y))
        x, g = new, gradient


def _quasi_newton(pairs: deque[tuple[NDArray, NDArray]], g: NDArray) -> NDArray:
    """−(the remembered inverse Hessian)·g, by the two loops."""
    d = -g
    kept: list[float] = []
    for s, y in reversed(pairs):
        kept.append(float(s @ d) / float(s @ y))
        d = d - kept[-1] * y
    if pairs:
        s, y = pairs[-1]
        d = d * (float(s @ y) / float(y @ y))
    for (s, y), a in zip(pairs, reversed(kept)):
        d = d + (a - float(y @ d) / float(s @ y)) * s
    return d


ENOUGH, FLATTER = 1e-4, 0.9  # the weak conditions of Wolfe
MOST_TRIALS = 60


def _line(
    run: Callable[..., Any], x: NDArray, d: NDArray, value: float, slope: float, size: float,
    curved: bool,
) -> tuple[NDArray, Any, NDArray] | None:  # fmt: skip
    """A point along d that is low enough (and, if `curved`, flatter), by bisection."""
    if not slope < 0:
        return None
    low, high, best = 0.0, np.inf, None
    for _ in range(MOST_TRIALS):
        new = x + size * d
        found, g = run(new)
        if not found <= value + ENOUGH * size * slope:
            high = size
        else:
            best = (new, found, g)
            if not curved or float(g @ d) >= FLATTER * slope:
                return best
            low = size
        size = (low + high) / 2 if np.isfinite(high) else 2 * low
    return best if best is not None and best[1] < value else None


METHODS = {"gd": gradient_descent, "momentum": heavy_ball, "newton": newton, "lbfgs": lbfgs}
"""The ways that `gg.minimize` knows."""
