"""Stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glassgrad.transform.tree import tree_map


@dataclass(frozen=True)
class SGD:
    """Each step is p - lr·g.

    >>> import numpy as np
    >>> opt = SGD(lr=0.1)
    >>> params, state = opt.step(np.array([1.0]), np.array([2.0]), opt.init(np.array([1.0])))
    >>> params.tolist()
    [0.8]
    """

    lr: float

    def init(self, params: Any) -> tuple[()]:
        """Plain descent remembers nothing."""
        return ()

    def step(self, params: Any, grads: Any, state: tuple[()]) -> tuple[Any, tuple[()]]:
        """One step downhill."""
        return tree_map(lambda p, g: p - self.lr * g, params, grads), state
