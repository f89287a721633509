"""Columns of a table as numbers: how each was fitted, and how it is applied to new rows."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.numbers import number
from glassgrad.data.table import MISSING, Table

CLIP = 8.0
"""Standardised values are kept within this distance of the mean."""

LARGEST = 1e100
"""Numbers above are refused: their third powers would overflow."""

RARE = 5
"""A category seen in fewer training rows shares the slot `other`."""

Transform = Literal["identity", "log1p", "sqrt"]
TRANSFORMS = {
    "identity": lambda x: x,
    "log1p": lambda x: np.log1p(np.maximum(x, 0.0)),
    "sqrt": lambda x: np.sqrt(np.maximum(x, 0.0)),
}


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers: missing -> median, transformed, standardised; perhaps an indicator.

    With `indicator` the column becomes two: the value, and 1 where it was missing.
    """

    name: str
    median: float
    transform: Transform
    mean: float
    scale: float
    indicator: bool

    @staticmethod
    def fit(name: str, values: np.ndarray) -> NumericColumn:
        """Learn the column from training values, where nan stands for missing."""
        present = values[~np.isnan(values)]
        if not present.size:
            return NumericColumn(name, 0.0, "identity", 0.0, 1.0, indicator=False)
        transform = _straighten(present)
        straight = TRANSFORMS[transform](present)
        return NumericColumn(
            name,
            median=float(np.median(present)),
            transform=transform,
            mean=float(straight.mean()),
            scale=scale_of(straight),
            indicator=present.size < values.size,
        )

    @property
    def width(self) -> int:
        """How many inputs of the network the column becomes."""
        return 2 if self.indicator else 1

    def encode(self, table: Table, column: int) -> np.ndarray:
        """The column of a table as (rows, width) standardised numbers."""
        values = parse_numbers(table, column)
        missing = np.isnan(values)
        filled = np.where(missing, self.median, values)
        straight = TRANSFORMS[self.transform](filled)
        standard = np.clip((straight - self.mean) / self.scale, -CLIP, CLIP)
        parts = [standard, missing.astype(float)] if self.indicator else [standard]
        return np.stack(parts, axis=1)

    def validate(self) -> None:
        """Refuse a column that could not have been fitted."""
        if not self.scale > 0:
            raise BadInput(f"column {self.name!r}: scale must be above 0, not {self.scale}")


@dataclass(frozen=True)
class CategoryColumn:
    """A column of words as one slot a category and a last slot `other` for rare ones.

    A category that was never seen goes to `other`; where training had no rare ones, so that
    nothing was learned for `other`, it becomes `shares`, the mean of the training rows.
    """

    name: str
    categories: tuple[str, ...]
    shares: tuple[float, ...]

    @staticmethod
    def fit(name: str, cells: list[str], place: str, limit: int) -> CategoryColumn:
        """Learn the categories; a missing value is one of them. At most `limit` categories."""
        counts = Counter("" if cell in MISSING else cell for cell in cells)
        if len(counts) > limit:
            common, _ = counts.most_common(1)[0]
            raise BadInput(
                f"{place}: column {name!r} has {len(counts)} different words (such as "
                f"{common!r}), more than the {limit} that make sense as categories. Leave it "
                f"out with --drop {name!r}, or raise --max-categories."
            )
        kept = tuple(sorted(c for c, n in counts.items() if n >= RARE))
        shares = [counts[c] / len(cells) for c in kept]
        return CategoryColumn(name, kept, (*shares, max(0.0, 1.0 - sum(shares))))

    @property
    def width(self) -> int:
        """How many inputs of the network the column becomes."""
        return len(self.categories) + 1

    def encode(self, table: Table, column: int) -> np.ndarray:
        """The column of a table as (rows, width) numbers from 0 to 1."""
        slots = {c: i for i, c in enumerate(self.categories)}
        rows = np.eye(self.width)
        if self.shares[-1] < 1e-12:
            rows[-1] = self.shares
        other = len(self.categories)
        cells = table.columns[column]
        chosen = [slots.get("" if cell in MISSING else cell, other) for cell in cells]
        return rows[np.array(chosen, dtype=int)]

    def validate(self) -> None:
        """Refuse categories and shares that do not belong together."""
        if len(self.shares) != self.width or len(set(self.categories)) != len(self.categories):
            raise BadInput(
                f"column {self.name!r}: {len(self.categories)} distinct categories need "
                f"{self.width} shares, not {len(self.shares)}"
            )


def scale_of(values: np.ndarray) -> float:
    """The standard deviation; for what is constant but for rounding its size, or 1 for zeros.

    >>> scale_of(np.array([1.0, 3.0])), scale_of(np.array([0.1] * 3)), scale_of(np.zeros(2))
    (1.0, 0.1, 1.0)
    """
    spread, largest = float(values.std()), float(np.abs(values).max())
    if spread > max(1e-100, 1e-9 * largest):
        return spread
    return largest if largest > 1e-100 else 1.0


def skewness(values: np.ndarray) -> float:
    """The third standardised moment, 0 for a constant.

    >>> skewness(np.array([0.0, 0.0, 3.0])) > 0, skewness(np.ones(3))
    (True, 0.0)
    """
    centred = values - values.mean()
    spread = centred.std()
    return float((centred**3).mean() / spread**3) if spread > 0 else 0.0


def _straighten(values: np.ndarray) -> Transform:
    """The transform that leaves the least skew; only for skewed columns without negatives."""
    if values.min() < 0 or skewness(values) <= 1.0:
        return "identity"
    names: tuple[Transform, ...] = ("identity", "sqrt", "log1p")
    return min(names, key=lambda name: abs(skewness(TRANSFORMS[name](values))))


def is_numeric(table: Table, column: int) -> bool:
    """Whether a column holds numbers.

    It does when every cell is a number or missing. Raises BadInput when all but a few cells are
    numbers: that is a slip in the file, not a category.
    """
    cells = table.columns[column]
    words = [i for i, c in enumerate(cells) if c not in MISSING and number(c) is None]
    present = sum(c not in MISSING for c in cells)
    if not words or not present:
        return True
    if len(words) > 0.02 * present:
        return False
    raise BadInput(
        _not_a_number(table, words[0], column)
        + (
            f" Of the {present} cells of this column {len(words)} hold no number. "
            f"Mend or empty the cell, or say --categorical {table.names[column]!r}."
        )
    )


def parse_numbers(table: Table, column: int) -> np.ndarray:
    """A column as float64 with nan for missing; other words raise BadInput by file and line."""
    values = np.empty(len(table))
    for i, cell in enumerate(table.columns[column]):
        value = math.nan if cell in MISSING else number(cell)
        if value is None:
            raise BadInput(_not_a_number(table, i, column) + " Mend or empty the cell.")
        if abs(value) > LARGEST:
            raise BadInput(
                f"{table.place(i)}: column {table.names[column]!r} holds {cell!r}, which is not "
                f"finite or above {LARGEST:g}. Empty the cell to mark it as missing."
            )
        values[i] = value
    return values


def _not_a_number(table: Table, row: int, column: int) -> str:
    cell = table.columns[column][row]
    hint = ""
    if number(cell.replace(",", ".")) is not None:
        hint = " (numbers are written with a decimal point here)"
    return (
        f"{table.place(row)}: column {table.names[column]!r} holds {cell!r}, "
        f"which is not a number{hint}."
    )
