"""Learning rates that change from step to step.

A schedule is a function of t, the number of steps made before this one (the first step has t = 0),
in plain NumPy: in a compiled step it is a part of the graph. Steps are counted, not epochs: where
there are k batches an epoch, give lengths in multiples of k.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.optim.setting import Settings


@dataclass(frozen=True)
class Constant(Settings):
    """Always the same.

    >>> Constant(0.1)(7.0)
    0.1
    """

    lr: float

    def __call__(self, t: Any) -> Any:
        """The rate of step t."""
        return self.lr + 0 * t


@dataclass(frozen=True)
class Step(Settings):
    """Multiplied by `factor` after every `every` steps.

    >>> [round(float(Step(1.0, every=2, factor=0.1)(t)), 12) for t in range(5)]
    [1.0, 1.0, 0.1, 0.1, 0.01]
    """

    lr: float
    every: int
    factor: float = 0.1

    def __call__(self, t: Any) -> Any:
        """The rate of step t."""
        return self.lr * self.factor ** np.floor(t / self.every)


@dataclass(frozen=True)
class Exponential(Settings):
    """Multiplied by `factor` at every step.

    >>> Exponential(1.0, factor=0.5)(3.0)
    0.125
    """

    lr: float
    factor: float

    def __call__(self, t: Any) -> Any:
        """The rate of step t."""
        return self.lr * self.factor**t


@dataclass(frozen=True)
class Inverse(Settings):
    """lr / (1 + decay·t), which falls as 1/t.

    >>> Inverse(1.0, decay=1.0)(3.0)
    0.25
    """

    lr: float
    decay: float = 1.0

    def __call__(self, t: Any) -> Any:
        """The rate of step t."""
        return self.lr / (1 + self.decay * t)


def _cosine(start: float, end: float, part: Any) -> Any:
    """Half a wave of a cosine: `start` at part 0, `end` at part 1."""
    return end + (start - end) * (1 + np.cos(math.pi * part)) / 2


@dataclass(frozen=True)
class Cosine(Settings):
    """From lr to `final` along half a wave of a cosine in `steps` steps, `final` afterwards.

    >>> [round(float(Cosine(1.0, steps=4)(t)), 4) for t in (0.0, 2.0, 4.0, 9.0)]
    [1.0, 0.5, 0.0, 0.0]
    """

    lr: float
    steps: int
    final: float = 0.0

    def __call__(self, t: Any) -> Any:
        """The rate of step t."""
        return _cosine(self.lr, self.final, np.minimum(t, self.steps) / self.steps)


@dataclass(frozen=True)
class WarmUp(Settings):
    """Evenly up from `first` times a schedule's start in `steps` steps; then the schedule itself.

    >>> [round(float(WarmUp(Constant(1.0), steps=4)(t)), 4) for t in (0.0, 2.0, 9.0)]
    [0.0, 0.5, 1.0]
    """

    then: float | Callable[[Any], Any]
    steps: int
    first: float = 0.0

    def __call__(self, t: Any) -> Any:
        """The rate of step t."""
        then = self.then if callable(self.then) else Constant(self.then)
        rise = self.first + (1 - self.first) * np.minimum(t, self.steps) / self.steps
        return rise * then(np.maximum(t - self.steps, 0))


@dataclass(frozen=True)
class OneCycle(Settings):
    """Up to `lr` in the part `rise` of `steps` steps, then down to almost nothing, along cosines.

    It starts at lr/`low` and ends at lr/(`low`·`end`), as PyTorch's does (Smith and Topin 2018).

    >>> [round(float(OneCycle(1.0, steps=11)(t)), 4) for t in (0.0, 2.3, 10.0)]
    [0.04, 1.0, 0.0]
    """

    lr: float
    steps: int
    rise: float = 0.3
    low: float = 25.0
    end: float = 1e4

    def __post_init__(self) -> None:
        """Refuse settings that make no sense, such as a rise that takes no step."""
        super().__post_init__()
        if not 0 < self.rise * self.steps - 1 < self.steps - 1:
            raise ValueError(
                f"OneCycle: rise={self.rise} of steps={self.steps} leaves no steps for the way up "
                "or for the way down: rise·steps is above 1 and below steps"
            )

    def __call__(self, t: Any) -> Any:
        """The rate of step t."""
        first = self.lr / self.low
        top, last = self.rise * self.steps - 1, self.steps - 1
        up = _cosine(first, self.lr, np.minimum(t, top) / top)
        down = _cosine(self.lr, first / self.end, (np.minimum(t, last) - top) / (last - top))
        return np.where(t <= top, up, down)
