"""Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), with PyTorch's arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.optim.optimiser import Rate, Rule, Slots
from glassgrad.optim.rows import where_touched

ROWS = ("dense", "lazy")


@dataclass(frozen=True)
class Adam(Rule):
    """Each step is p - lr·m̂ / (√v̂ + eps), with bias-corrected running means m̂ of g and v̂ of g².

    With `rows="lazy"` only the rows of an array move whose gradient is not all zero, and only their
    means; rows that were not used stay as they are to the bit. That is SparseAdam, which adds eps
    before the correction: p - lr·√(1-β₂ᵗ)/(1-β₁ᵗ) · m / (√v + eps).

    >>> opt = Adam(lr=0.001)
    >>> p = np.array([1.0, -2.0])
    >>> p, state = opt.step(p, np.array([0.1, -0.2]), opt.init(p))
    >>> p.round(9).tolist()
    [0.999, -1.999]
    """

    COUNTS = True

    lr: Rate = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    rows: str = "dense"

    def __post_init__(self) -> None:
        """Refuse a way to treat rows that is not known, and decay of rows that are not touched."""
        if self.rows not in ROWS:
            raise ValueError(
                f"rows={self.rows!r}: it is {' or '.join(map(repr, ROWS))}. "
                "Rows that are caught up to what dense steps would give ('exact') are not there "
                "yet; use 'dense' for those numbers."
            )
        if self.rows == "lazy" and self.weight_decay:
            raise ValueError(
                "weight_decay moves every row, rows='lazy' only those that were used: choose one, "
                "or add a decay of the used rows to the loss"
            )

    def slots(self) -> Mapping[str, float]:
        """The running means of g and g²."""
        return {"mean": 0.0, "square": 0.0}

    def numbers(self, rate: Any, count: Any) -> tuple[Any, ...]:
        """The step size and the root of the correction of v."""
        b1, b2 = self.betas
        return rate / (1 - b1**count), np.sqrt(1 - b2**count)

    def move(self, p: Any, g: Any, old: Slots, *numbers: Any) -> tuple[Any, Slots]:
        """One array."""
        size, root = numbers
        b1, b2 = self.betas
        m = b1 * old["mean"] + (1 - b1) * g
        v = b2 * old["square"] + (1 - b2) * (g * g)
        if self.rows == "dense":
            return p - size * (m / (np.sqrt(v) / root + self.eps)), {"mean": m, "square": v}
        moved = p - size * root * (m / (np.sqrt(v) + self.eps))
        before = {"p": p, **old}
        after = where_touched(g, {"p": moved, "mean": m, "square": v}, before)
        return after.pop("p"), after


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weight decay is no part of the gradient: p shrinks by the factor 1 - lr·decay.

    >>> opt = AdamW(lr=0.1, weight_decay=0.5)
    >>> p, _ = opt.step(np.array([1.0]), np.array([0.0]), opt.init(np.array([1.0])))
    >>> p.tolist()
    [0.95]
    """

    weight_decay: float = 1e-2

    def decay(self, p: Any, g: Any, rate: Any) -> tuple[Any, Any]:
        """The parameter shrunk; its gradient as it is."""
        return p * (1 - rate * self.weight_decay), g


def SparseAdam(  # the name that users know
    lr: Rate = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> Adam:
    """Adam for tables of which a step uses few rows: `Adam(rows="lazy")`.

    >>> opt = SparseAdam(lr=0.1)
    >>> table, g = np.ones((2, 1)), np.array([[0.0], [1.0]])
    >>> opt.step(table, g, opt.init(table))[0].round(6).tolist()
    [[1.0], [0.9]]
    """
    return Adam(lr, betas, eps, rows="lazy")
