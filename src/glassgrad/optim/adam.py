"""Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), with PyTorch's arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.optim.optimiser import Rate, Rule, Slots
from glassgrad.optim.rows import change_rows, used_rows, where_touched

ROWS = ("dense", "lazy", "exact")


@dataclass(frozen=True)
class Adam(Rule):
    """Each step is p - lr·m̂ / (√v̂ + eps), with bias-corrected running means m̂ of g and v̂ of g².

    `rows` says what becomes of the rows of a table that a step did not use:

    - "dense": they are moved by what their means remember, as every array is;
    - "exact": the same numbers as "dense"; of a row-sparse gradient in a compiled step only the
      used rows are added to the means, and the gradient need not be made dense;
    - "lazy": they stay as they are to the bit, and so do their means. That is SparseAdam, which
      adds eps before the correction: p - lr·√(1-β₂ᵗ)/(1-β₁ᵗ) · m / (√v + eps). Used are, in a
      compiled step, the rows that were read; of a gradient that is an array of numbers, those that
      are not all zero.

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
        super().__post_init__()
        if self.rows not in ROWS:
            raise ValueError(f"rows={self.rows!r}: it is one of {', '.join(map(repr, ROWS))}")
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
        rows = None if self.rows == "dense" else used_rows(g)
        now = {"p": p, "g": g, **old}
        if self.rows != "lazy":
            after = self._remembered(g, old) if rows is None else self._scattered(rows, g, old)
            after["p"] = self._dense(p, after, *numbers)
        elif rows is None:
            after = where_touched(g, self._lazily(now, *numbers), now)
        else:
            after = change_rows(rows, now, lambda part: self._lazily(part, *numbers))
        return after.pop("p"), after

    def _remembered(self, g: Any, old: Slots) -> Slots:
        b1, b2 = self.betas
        mean, square = b1 * old["mean"], b2 * old["square"]
        return {"mean": mean + (1 - b1) * g, "square": square + (1 - b2) * (g * g)}

    def _scattered(self, rows: Any, g: Any, old: Slots) -> Slots:
        """The same means, to which only the used rows of the gradient are added."""
        b1, b2 = self.betas
        faded = {"g": g, "mean": b1 * old["mean"], "square": b2 * old["square"]}
        return change_rows(rows, faded, lambda part: {
            "mean": part["mean"] + (1 - b1) * part["g"],
            "square": part["square"] + (1 - b2) * (part["g"] * part["g"]),
        })  # fmt: skip

    def _dense(self, p: Any, means: Slots, size: Any, root: Any) -> Any:
        return p - size * (means["mean"] / (np.sqrt(means["square"]) / root + self.eps))

    def _lazily(self, now: Slots, size: Any, root: Any) -> Slots:
        new = self._remembered(now["g"], now)
        step = size * root * (new["mean"] / (np.sqrt(new["square"]) + self.eps))
        return {"p": now["p"] - step, **new}


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
