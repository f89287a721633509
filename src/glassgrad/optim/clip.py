"""Gradients cut to size, by value or by their common norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.optim.optimiser import Optimiser, rate_of
from glassgrad.transform.tree import flatten, tree_map


def clip_by_value(grads: Any, limit: float) -> Any:
    """Every number of the gradients cut to the range from -limit to limit.

    >>> clip_by_value({"w": np.array([3.0, -0.5])}, 1.0)["w"].tolist()
    [1.0, -0.5]
    """
    return tree_map(lambda g: np.clip(g, -limit, limit), grads)


def global_norm(grads: Any) -> Any:
    """The Euclidean norm of all gradients taken as one long vector, in float64.

    >>> float(global_norm([np.array([3.0]), np.array([[4.0]])]))
    5.0
    """
    leaves, _ = flatten(grads)
    parts = [np.sum(_double(g) ** 2) for g in leaves]
    return np.sqrt(sum(parts[1:], parts[0])) if parts else np.float64(0)


def _double(g: Any) -> Any:
    return g.astype(np.float64) if hasattr(g, "astype") else np.float64(g)


def clip_by_global_norm(grads: Any, limit: float) -> Any:
    """The gradients scaled down together so that their common norm is at most `limit`.

    The direction stays. (PyTorch divides by the norm plus 1e-6; here it is the norm.)

    >>> [float(g) for g in clip_by_global_norm([3.0, 4.0], 1.0)]
    [0.6000000000000001, 0.8]
    """
    norm = global_norm(grads)
    fits = norm <= limit  # also where both are 0
    scale = np.where(fits, 1.0, limit / np.where(fits, 1.0, norm))
    return tree_map(lambda g: g * scale.astype(getattr(g, "dtype", np.float64)), grads)


@dataclass(frozen=True)
class Clipped:
    """An optimiser that sees its gradients cut: first each number by `value`, then all by `norm`.

    >>> from glassgrad.optim import SGD
    >>> opt = Clipped(SGD(lr=1.0), norm=1.0)
    >>> opt.step(np.array([0.0]), np.array([50.0]), opt.init(np.array([0.0])))[0].tolist()
    [-1.0]
    """

    opt: Optimiser
    norm: float | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        """Refuse to cut by nothing."""
        limits = [limit for limit in (self.norm, self.value) if limit is not None]
        if not limits or not all(limit > 0 for limit in limits):
            raise ValueError(
                f"Clipped cuts by norm or by value, above 0: got norm={self.norm}, "
                f"value={self.value}"
            )

    def init(self, params: Any) -> Any:
        """The state of the optimiser inside."""
        return self.opt.init(params)

    def rate(self, state: Any) -> Any:
        """The learning rate of the step that comes next."""
        return rate_of(self.opt, state)

    def step(self, params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
        """A step of the optimiser inside along the cut gradients."""
        if self.value is not None:
            grads = clip_by_value(grads, self.value)
        if self.norm is not None:
            grads = clip_by_global_norm(grads, self.norm)
        return self.opt.step(params, grads, state)
