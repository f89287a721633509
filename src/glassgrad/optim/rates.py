"""Learning rates tried one after the other, by orders of magnitude."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from glassgrad.transform.minimize import Minimum, minimize


class Trial(NamedTuple):
    """A learning rate and what became of it: "converged", "diverged", or "slow"."""

    rate: float
    verdict: str
    result: Minimum

    def __repr__(self) -> str:
        r = self.result
        return f"{self.rate:g}: {self.verdict} after {r.steps} steps, value {r.value:.4g}"


class Trials(tuple[Trial, ...]):
    """The trials in the order of the rates; printed, one a line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))

    @property
    def best(self) -> Trial:
        """The trial with the lowest value; of equal ones the faster."""
        return min(self, key=lambda t: (t.verdict == "diverged", t.result.value, t.result.steps))


def lr_scan(
    f: Callable[..., Any],
    x0: Any,
    rates: Sequence[float] = (1e-2, 1e-3, 1e-4),
    *,
    tol: float = 1e-6,
    max_steps: int = 50_000,
) -> Trials:
    """Gradient descent on f from x0 with each rate: too large diverges, too small takes ages.

    A rate has converged when the norm of the gradient is below `tol`, diverged when the values blow
    up, and is slow when neither happened in `max_steps` updates.

    >>> import numpy as np
    >>> lr_scan(lambda x: np.sum(x**2), np.ones(2), (2.0, 0.1, 1e-6), max_steps=200)
    2: diverged after 17 steps, value 2
    0.1: converged after 67 steps, value 2.066e-13
    1e-06: slow after 200 steps, value 1.998
    """
    trials: list[Trial] = []
    for rate in rates:
        found = minimize(f, x0, learning_rate=rate, tol=tol, max_steps=max_steps)
        verdict = "converged" if found.converged else "slow"
        if found.stopped == "diverged":
            verdict = "diverged"
        trials.append(Trial(float(rate), verdict, found))
    return Trials(trials)
