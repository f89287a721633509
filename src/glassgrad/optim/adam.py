"""Adam (Kingma and Ba 2015), with PyTorch's arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from glassgrad.transform.tree import tree_map


class AdamState(NamedTuple):
    """How many steps were made, and the running means of g and g²."""

    count: Any
    mean: Any
    square: Any


@dataclass(frozen=True)
class Adam:
    """Each step is p - lr·m̂ / (√v̂ + eps), with bias-corrected running means m̂ and v̂.

    >>> opt = Adam(lr=0.001)
    >>> p = np.array([1.0, -2.0])
    >>> p, state = opt.step(p, np.array([0.1, -0.2]), opt.init(p))
    >>> p.round(9).tolist()
    [0.999, -1.999]
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def init(self, params: Any) -> AdamState:
        """All means zero, no step made; the count is float64 whatever the parameters are."""
        zeros = tree_map(np.zeros_like, params)
        return AdamState(np.zeros(()), zeros, zeros)

    def step(self, params: Any, grads: Any, state: AdamState) -> tuple[Any, AdamState]:
        """One step; the two corrections are computed once, in float64."""
        b1, b2 = self.betas
        count = state.count + 1
        rate = self.lr / (1 - b1**count)
        spread = np.sqrt(1 - b2**count)
        mean = tree_map(lambda m, g: b1 * m + (1 - b1) * g, state.mean, grads)
        square = tree_map(lambda v, g: b2 * v + (1 - b2) * (g * g), state.square, grads)

        def move(p: Any, m: Any, v: Any) -> Any:
            size, root = rate.astype(p.dtype), spread.astype(p.dtype)
            return p - size * (m / (np.sqrt(v) / root + self.eps))

        return tree_map(move, params, mean, square), AdamState(count, mean, square)
