"""One step for several batches: gradients are collected, then used as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from glassgrad.optim.optimiser import Optimiser, rate_of
from glassgrad.optim.setting import Settings
from glassgrad.transform.tree import tree_map


class Collected(NamedTuple):
    """How many gradients were collected since the last step, their sum, and the inner state."""

    count: Any
    total: Any
    inner: Any


@dataclass(frozen=True)
class Accumulated(Settings):
    """An optimiser that moves at every `every`-th call, by the mean of the gradients since.

    With batches of equal size and a loss that is a mean, this is one step on all of them. The
    inner step stands in the graph at every call; what it gives is taken when it is due.

    >>> from glassgrad.optim import SGD
    >>> opt = Accumulated(SGD(lr=1.0), every=2)
    >>> p, state = np.array([0.0]), opt.init(np.array([0.0]))
    >>> p, state = opt.step(p, np.array([1.0]), state)
    >>> p.tolist(), opt.step(p, np.array([3.0]), state)[0].tolist()
    ([0.0], [-2.0])
    """

    opt: Optimiser
    every: int

    def init(self, params: Any) -> Collected:
        """Nothing collected."""
        return Collected(np.zeros(()), tree_map(np.zeros_like, params), self.opt.init(params))

    def rate(self, state: Collected) -> Any:
        """The learning rate of the move that comes next."""
        return rate_of(self.opt, state.inner)

    def step(self, params: Any, grads: Any, state: Collected) -> tuple[Any, Collected]:
        """Collect; move when it is time."""
        count = state.count + 1
        total = tree_map(lambda t, g: t + g, state.total, grads)
        due = count >= self.every
        mean = tree_map(lambda t: t / self.every, total)
        moved, inner = self.opt.step(params, mean, state.inner)

        def pick(new: Any, old: Any) -> Any:
            return np.where(due, new, old)

        kept = Collected(
            np.where(due, 0.0, count),
            tree_map(lambda t: np.where(due, np.zeros_like(t), t), total),
            tree_map(pick, inner, state.inner),
        )
        return tree_map(pick, moved, params), kept
