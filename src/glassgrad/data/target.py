"""The column to predict: classes with their labels, or a number with its scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from glassgrad.data.bad_input import BadInput, listing, near
from glassgrad.data.column import parse_numbers, scale_of
from glassgrad.data.numbers import number
from glassgrad.data.table import MISSING, Table

Kind = Literal["auto", "regression", "classification"]
MAX_CLASSES = 1000


@dataclass(frozen=True)
class ClassTarget:
    """A target of classes; the label of class i is `classes[i]`."""

    name: str
    classes: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many outputs the network has: one logit a class."""
        return len(self.classes)

    def encode(self, table: Table, column: int) -> np.ndarray:
        """The class numbers of a column; an unknown label raises BadInput by file and line."""
        known = {_key(label): i for i, label in enumerate(self.classes)}
        numbers = np.empty(len(table), dtype=np.int64)
        for i, cell in enumerate(table.columns[column]):
            found = known.get(_key(cell))
            if found is None:
                raise BadInput(
                    f"{table.place(i)}: the label {cell!r} in column {table.names[column]!r} is "
                    f"none of the classes the model knows. {near(cell, self.classes)}"
                )
            numbers[i] = found
        return numbers

    def without_dots(self, table: Table, column: int) -> Table:
        """The table with its labels' last dots taken off, where that alone makes them known.

        So in the test file of the Adult data, `>50K.` is the class `>50K`. It is done when every
        label ends in a dot, none is known as it stands, and all are without it; a note says so.
        """
        cells = set(table.columns[column])
        known = {_key(label) for label in self.classes}
        bare = {_key(cell.removesuffix(".")) for cell in cells}
        if any(_key(c) in known or not c.endswith(".") for c in cells) or not bare <= known:
            return table
        columns = list(table.columns)
        columns[column] = tuple(cell.removesuffix(".") for cell in columns[column])
        note = f"{table.path}: all labels end in a dot here; they were read without it."
        return replace(table, columns=tuple(columns), notes=(*table.notes, note))

    def validate(self) -> None:
        """Refuse fewer than two classes, or two of one name."""
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise BadInput("the classes must be at least two, and different")


@dataclass(frozen=True)
class NumberTarget:
    """A target of numbers; the network predicts (value - mean) / scale."""

    name: str
    mean: float
    scale: float

    @property
    def width(self) -> int:
        """How many outputs the network has."""
        return 1

    @staticmethod
    def fit(name: str, values: np.ndarray) -> NumberTarget:
        """Learn mean and scale from training values; a constant gets scale 1."""
        return NumberTarget(name, float(values.mean()), scale_of(values))

    def encode(self, table: Table, column: int) -> np.ndarray:
        """The column in its own units."""
        return parse_numbers(table, column)

    def standard(self, values: np.ndarray) -> np.ndarray:
        """From own units to the network's, float32 of shape (rows, 1)."""
        return ((values - self.mean) / self.scale).astype(np.float32)[:, None]

    def restore(self, outputs: np.ndarray) -> np.ndarray:
        """From the network's outputs, (rows, 1), to own units."""
        return outputs[:, 0].astype(float) * self.scale + self.mean

    def validate(self) -> None:
        """Refuse a scale that is not above 0."""
        if not self.scale > 0:
            raise BadInput(f"the target's scale must be above 0, not {self.scale}")


def refuse_missing(table: Table, column: int) -> None:
    """Raise BadInput, by file and line, when a target has missing values."""
    missing = [i for i, cell in enumerate(table.columns[column]) if cell in MISSING]
    if missing:
        others = len(missing) - 1
        more = f" and in {others} other row{'s' * (others > 1)}" if others else ""
        raise BadInput(
            f"{table.place(missing[0])}: the target {table.names[column]!r} is missing here{more}. "
            "Remove what has none: a network cannot learn from a row without an answer."
        )


def find_classes(table: Table, column: int, kind: Kind) -> tuple[str, ...] | None:
    """The labels of a classification target in order, or None for a regression.

    With kind "auto", words are classes, and so are whole numbers of at most 20 different values
    that occur at least 5 times on average.
    """
    cells = table.columns[column]
    labels: dict[str | float, str] = {}
    for cell in cells:
        labels.setdefault(_key(cell), cell)
    words = [k for k in labels if isinstance(k, str)]
    if kind == "regression" or (kind == "auto" and not words and not _few(labels, len(cells))):
        return None
    name = table.names[column]
    if len(labels) < 2:
        raise BadInput(
            f"{table.path}: the target {name!r} is {cells[0]!r} in every row. Name another column."
        )
    if len(labels) > min(MAX_CLASSES, max(2, len(cells) // 2)):
        raise BadInput(
            f"{table.path}: the target {name!r} has {len(labels)} different values in "
            f"{len(cells)} rows ({listing(labels.values(), 3)}): too many for classes. "
            "Name another column, or say --kind regression if they are numbers."
        )
    return tuple(labels[k] for k in sorted(labels, key=_order))


def _few(labels: dict[str | float, str], rows: int) -> bool:
    whole = all(isinstance(k, float) and k.is_integer() for k in labels)
    return whole and len(labels) <= 20 and rows >= 5 * len(labels)


def _key(cell: str) -> str | float:
    """Labels that spell one number are one label: `1`, `1.0` and `01`."""
    value = number(cell)
    return cell if value is None or value != value else value


def _order(key: str | float) -> tuple[bool, float, str]:
    return (True, 0.0, key) if isinstance(key, str) else (False, key, "")
