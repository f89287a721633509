"""gg.minimize: a function followed downhill, until a rule says stop; which one, is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from glassgrad.graph.errors import CalculusError
from glassgrad.graph.node import NDArray
from glassgrad.transform.descent import METHODS, Point, newton
from glassgrad.transform.engine import ENGINES, present
from glassgrad.transform.jacobian import hessian
from glassgrad.transform.jit import Jit
from glassgrad.transform.trace import Function, label_of
from glassgrad.transform.tree import Tree, flatten, unflatten

RATES = {"gd": 1e-3, "momentum": 1e-3, "newton": 1.0, "lbfgs": 1.0}
BLOWN_UP = 1e16  # times the size of the first value: more than all digits of a float64
LARGEST_HESSIAN = 256  # variables, for the advice on the learning rate

GRADIENT, MOST_STEPS = "gradient norm", "max steps"
NO_IMPROVEMENT, DIVERGED = "no improvement", "diverged"


@dataclass(frozen=True, repr=False)
class Minimum:
    """Where a descent ended, and why; `values` and `norms` hold each step, the start among them."""

    x: Any
    value: float
    gradient_norm: float
    steps: int
    stopped: str
    message: str
    values: NDArray
    norms: NDArray
    method: str
    engine: str

    @property
    def converged(self) -> bool:
        """Whether the gradient became as small as was asked for."""
        return self.stopped == GRADIENT

    def __repr__(self) -> str:
        return f"{self.message}\nvalue {self.value:.10g}, x = {self.x}"


def minimize(
    f: Function,
    x0: Any,
    method: str = "gd",
    *,
    learning_rate: float | None = None,
    momentum: float = 0.9,
    tol: float = 1e-6,
    max_steps: int = 100_000,
    patience: int = 1000,
    engine: str = "native",
) -> Minimum:
    """Follow f downhill from x0, a number, an array or a nested container of these.

    `method` is "gd", "momentum", "newton" or "lbfgs". Four rules stop it, and the result says which
    fired: the norm of the gradient is below `tol`; `max_steps` updates are made; `patience` ones
    bring no lower value; or the values blow up. Where descent fails since its learning rate is
    above 2/λ, λ the largest curvature at the minimum, the message says so. The step is compiled
    once, by `engine`.

    >>> import glassgrad as gg, numpy as np
    >>> gg.minimize(lambda x: np.sum((x - 3.0) ** 2), np.zeros(2), learning_rate=0.1, tol=1e-3)
    gd stopped after 41 steps: the gradient norm 0.00090231 is below tol 0.001
    value 2.035407819e-07, x = [2.99968099 2.99968099]
    """
    if method not in METHODS or engine not in ENGINES:
        raise CalculusError(
            f"gg.minimize: method is one of {', '.join(METHODS)} and engine one of "
            f"{', '.join(ENGINES)}, not {method!r}, {engine!r}"
        )
    engine = present(engine)
    start, flat, rebuilt = _flattened(f, x0)
    rate = RATES[method] if learning_rate is None else float(learning_rate)
    way = METHODS[method](flat, start, rate, momentum, partial(Jit, engine=engine, check=False))
    walk = _Walk(tol, max_steps, patience)
    stopped = walk.follow(way)
    last = walk.last if stopped == GRADIENT else walk.best
    message = f"{method} stopped after {walk.steps} steps: {walk.reason(stopped)}"
    if stopped != GRADIENT and method in ("gd", "momentum"):
        message += _advice(flat, walk.best.x, rate, momentum if method == "momentum" else 0.0)
    return Minimum(
        rebuilt(last.x), last.value, last.norm, walk.steps, stopped, message,
        np.array(walk.values), np.array(walk.norms), method, engine,
    )  # fmt: skip


def _flattened(
    f: Function, x0: Any
) -> tuple[NDArray, Callable[[Any], Any], Callable[[NDArray], Any]]:
    """The start as one vector, f of such a vector, and the way back to the container."""
    leaves, tree = flatten(x0)
    arrays = [np.asarray(v) for v in leaves]
    dtype = np.result_type(*arrays, np.float32) if arrays else np.dtype(np.float64)
    if not arrays or dtype.kind != "f":
        raise CalculusError(f"gg.minimize of {label_of(f)}: x0 holds no real numbers")
    ends = np.cumsum([a.size for a in arrays]).tolist()

    def parts(v: Any, tree: Tree = tree) -> Any:
        cut = [v[end - a.size : end].reshape(a.shape) for a, end in zip(arrays, ends)]
        return unflatten(tree, [c if c.ndim else c[()] for c in cut])

    vector = np.concatenate([a.ravel() for a in arrays]).astype(dtype)
    return vector, lambda v: f(parts(v)), lambda v: parts(v.copy())


class _Walk:
    """Follows a way and keeps what was seen, until a rule stops it."""

    def __init__(self, tol: float, max_steps: int, patience: int) -> None:
        self.tol, self.max_steps, self.patience = tol, max_steps, patience
        self.values: list[float] = []
        self.norms: list[float] = []
        self.best = self.last = Point(np.zeros(0), np.inf, np.inf)

    @property
    def steps(self) -> int:
        """The number of updates."""
        return len(self.values) - 1

    def follow(self, way: Iterator[Point]) -> str:
        """Go until a rule fires; which one."""
        since, bound = 0, np.inf
        for point in way:
            self.last = point
            self.values.append(point.value)
            self.norms.append(point.norm)
            if len(self.values) == 1:
                bound = BLOWN_UP * max(1.0, abs(point.value))
                self.best = point
            if not abs(point.value) < bound or not point.norm < np.inf:
                return DIVERGED
            if point.norm < self.tol:
                return GRADIENT
            since = since + 1 if point.value >= self.best.value else 0
            if point.value < self.best.value:
                self.best = point
            if self.steps >= self.max_steps:
                return MOST_STEPS
            if since > self.patience:
                return NO_IMPROVEMENT
        return NO_IMPROVEMENT

    def reason(self, stopped: str) -> str:
        """The rule that fired, in words."""
        norm, value = self.last.norm, self.last.value
        return {
            GRADIENT: f"the gradient norm {norm:.6g} is below tol {self.tol:g}",
            MOST_STEPS: f"max_steps is reached, the gradient norm is {norm:.3g}",
            NO_IMPROVEMENT: f"no improvement on {self.best.value:.10g} any more, the gradient norm "
            f"is {norm:.3g}",
            DIVERGED: f"it diverged: the value went from {self.values[0]:.6g} to {value:.3g}",
        }[stopped]


def _advice(flat: Callable[[Any], Any], x: NDArray, rate: float, momentum: float) -> str:
    """What the curvature at the nearest minimum says about the learning rate."""
    if not 0 < x.size <= LARGEST_HESSIAN:
        return ""
    walk = _Walk(1e-12, 200, 20)
    walk.follow(newton(flat, x, 1.0, 0.0, partial(Jit, engine="reference", check=False)))
    largest = float(np.linalg.eigvalsh(hessian(flat)(walk.last.x))[-1])
    if not largest > 0 or not np.isfinite(largest):
        return ""
    bound = 2 * (1 + momentum) / largest
    if rate < bound:
        return ""
    formula = "2/λ" if not momentum else "2(1 + momentum)/λ"
    return (
        f"\nthe learning rate {rate:g} is too large: it must be below {formula} = {bound:.5g}, "
        f"where λ = {largest:.8g} is the largest curvature at the nearest minimum"
    )
