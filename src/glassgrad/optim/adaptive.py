"""Optimisers that divide by a running size of the gradient: Adagrad, RMSProp, AdaDelta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.optim.optimiser import Rate, Rule, Slots


@dataclass(frozen=True)
class Adagrad(Rule):
    """Each step is p - lr·g / (√s + eps), with s the sum of all g² so far.

    Duchi, Hazan and Singer 2011; `lr_decay` divides lr by 1 + lr_decay·(steps made).

    >>> opt = Adagrad(lr=0.1)
    >>> p, _ = opt.step(np.array([1.0]), np.array([5.0]), opt.init(np.array([1.0])))
    >>> p.round(9).tolist()
    [0.9]
    """

    COUNTS = True

    lr: Rate = 1e-2
    lr_decay: float = 0.0
    eps: float = 1e-10
    weight_decay: float = 0.0

    def slots(self) -> Mapping[str, float]:
        """The sum of g²."""
        return {"sum": 0.0}

    def numbers(self, rate: Any, count: Any) -> tuple[Any, ...]:
        """The decayed learning rate."""
        return (rate / (1 + (count - 1) * self.lr_decay),)

    def move(self, p: Any, g: Any, old: Slots, *numbers: Any) -> tuple[Any, Slots]:
        """One array."""
        s = old["sum"] + g * g
        return p - numbers[0] * (g / (np.sqrt(s) + self.eps)), {"sum": s}


@dataclass(frozen=True)
class RMSProp(Rule):
    """Each step is p - lr·g / (√s + eps), with s a running mean of g².

    Hinton 2012. `centred` takes the square of the running mean of g off s; with `momentum` the
    quotients are summed up as SGD sums gradients.

    >>> opt = RMSProp(lr=0.1, alpha=0.75)
    >>> p, _ = opt.step(np.array([1.0]), np.array([5.0]), opt.init(np.array([1.0])))
    >>> p.round(6).tolist()
    [0.8]
    """

    lr: Rate = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centred: bool = False
    weight_decay: float = 0.0

    def slots(self) -> Mapping[str, float]:
        """The running mean of g², that of g, and the velocity, where they are needed."""
        wanted = {"square": True, "mean": self.centred, "velocity": bool(self.momentum)}
        return {name: 0.0 for name, used in wanted.items() if used}

    def move(self, p: Any, g: Any, old: Slots, *numbers: Any) -> tuple[Any, Slots]:
        """One array."""
        (rate,) = numbers
        new: Slots = {"square": self.alpha * old["square"] + (1 - self.alpha) * (g * g)}
        size = new["square"]
        if self.centred:
            new["mean"] = self.alpha * old["mean"] + (1 - self.alpha) * g
            size = size - new["mean"] ** 2
        way = g / (np.sqrt(size) + self.eps)
        if self.momentum:
            way = new["velocity"] = self.momentum * old["velocity"] + way
        return p - rate * way, new


@dataclass(frozen=True)
class AdaDelta(Rule):
    """Each step is p - lr·d with d = g·√(u + eps)/√(s + eps), running means s of g² and u of d².

    Zeiler 2012: the steps have the unit of the parameter, so lr is 1.

    >>> opt = AdaDelta()
    >>> p, _ = opt.step(np.array([1.0]), np.array([0.1]), opt.init(np.array([1.0])))
    >>> p.round(6).tolist()
    [0.996839]
    """

    lr: Rate = 1.0
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0

    def slots(self) -> Mapping[str, float]:
        """The running means of g² and of the squared step."""
        return {"square": 0.0, "moved": 0.0}

    def move(self, p: Any, g: Any, old: Slots, *numbers: Any) -> tuple[Any, Slots]:
        """One array."""
        rho = self.rho
        s = rho * old["square"] + (1 - rho) * (g * g)
        d = np.sqrt(old["moved"] + self.eps) / np.sqrt(s + self.eps) * g
        u = rho * old["moved"] + (1 - rho) * (d * d)
        return p - numbers[0] * d, {"square": s, "moved": u}
