"""From a table to the inputs of a network, learned on training rows and saved with the model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from glassgrad.data.bad_input import BadInput, listing, near
from glassgrad.data.column import CategoryColumn, NumericColumn, is_numeric, parse_numbers
from glassgrad.data.stage import counted
from glassgrad.data.table import MISSING, Table


@dataclass(frozen=True)
class Preparation:
    """The feature columns, in the order in which they become inputs."""

    columns: tuple[NumericColumn | CategoryColumn, ...]

    @staticmethod
    def fit(
        table: Table,
        features: Sequence[int],
        rows: np.ndarray,
        *,
        categorical: Collection[str] = (),
        max_categories: int = 100,
    ) -> Preparation:
        """Learn every feature column from the training rows; empty columns are left out."""
        fitted = [
            _fit_column(table, j, rows, table.names[j] in categorical, max_categories)
            for j in counted("looking at the columns", features, len(features))
            if any(cell not in MISSING for cell in table.columns[j])
        ]
        if not fitted:
            raise BadInput(
                f"{table.path}: there is no column to predict from: the file needs others, "
                "not empty, beside the target."
            )
        return Preparation(tuple(fitted))

    @property
    def width(self) -> int:
        """How many inputs the network has."""
        return sum(c.width for c in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the feature columns."""
        return tuple(c.name for c in self.columns)

    def encode(self, table: Table) -> np.ndarray:
        """The rows of a table as float32 inputs, (rows, width); columns are found by name."""
        missing = [name for name in self.names if name not in table.names]
        if missing:
            extra = [name for name in table.names if name not in self.names]
            raise BadInput(
                f"{table.path}: the columns {listing(missing)} that the model was trained on are "
                f"missing here. {near(missing[0], extra or table.names)}"
            )
        read = counted("turning the columns into numbers", self.columns, len(self.columns))
        parts = [c.encode(table, table.names.index(c.name)) for c in read]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def validate(self) -> None:
        """Refuse a preparation without columns or with two of one name."""
        if not self.columns or len(set(self.names)) != len(self.names):
            raise BadInput("the feature columns must be at least one, and of different names")


def _fit_column(
    table: Table, column: int, rows: np.ndarray, categorical: bool, limit: int
) -> NumericColumn | CategoryColumn:
    name = table.names[column]
    if categorical or not is_numeric(table, column):
        cells = [table.columns[column][i] for i in rows]
        return CategoryColumn.fit(name, cells, table.path, limit)
    return NumericColumn.fit(name, parse_numbers(table, column)[rows])
