"""Stochastic gradient descent, with momentum where it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glassgrad.optim.optimiser import Rate, Rule, Slots


@dataclass(frozen=True)
class SGD(Rule):
    """Each step is p - lr·g; with momentum p - lr·v, where v ← momentum·v + g.

    Nesterov's form looks ahead: p - lr·(g + momentum·v). The gradient is used as it is: of a loss
    that sums over the batch it is the sum of the gradients of the examples.

    >>> import numpy as np
    >>> opt = SGD(lr=0.1, momentum=0.9)
    >>> params, state = np.array([1.0]), opt.init(np.array([1.0]))
    >>> for _ in range(2):
    ...     params, state = opt.step(params, np.array([1.0]), state)
    >>> params.round(12).tolist()
    [0.71]
    """

    lr: Rate
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a look ahead without a direction."""
        super().__post_init__()
        if self.nesterov and not self.momentum:
            raise ValueError("SGD(nesterov=True) needs a momentum, for instance momentum=0.9")

    def slots(self) -> Mapping[str, float]:
        """The velocity, where there is momentum."""
        return {"velocity": 0.0} if self.momentum else {}

    def move(self, p: Any, g: Any, old: Slots, *numbers: Any) -> tuple[Any, Slots]:
        """One array."""
        (rate,) = numbers
        if not self.momentum:
            return p - rate * g, {}
        v = self.momentum * old["velocity"] + g
        ahead = g + self.momentum * v if self.nesterov else v
        return p - rate * ahead, {"velocity": v}
