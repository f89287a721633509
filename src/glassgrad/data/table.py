"""A table of text cells that remembers which line of which file each row came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glassgrad.data.bad_input import BadInput, near

MISSING = frozenset({"", "?", "NA", "N/A", "NaN", "nan", "null", "NULL"})
"""Cells that stand for a missing value."""


@dataclass(frozen=True)
class Table:
    """Columns of stripped text, their names, and the line of each row.

    `columns[j][i]` is row i of column j; `lines[i]` is the line on which row i begins; `header`
    says whether the names were read from the file or made from positions; `notes` say what was read
    otherwise than written.

    >>> t = Table("t.csv", ("a", "b"), (("1", "2"), ("x", "y")), (2, 3), header=True)
    >>> t.place(1), t.find("last"), len(t)
    ('t.csv:3', 1, 2)
    """

    path: str
    names: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    header: bool
    separator: str = ","
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """Where a row stands, as file:line."""
        return f"{self.path}:{self.lines[row]}"

    def find(self, column: str) -> int:
        """The index of a column given by name, by 1-based position, or as `first` or `last`.

        Raises BadInput, with the nearest names, when there is no such column.
        """
        if column in self.names:
            return self.names.index(column)
        named = {"first": 0, "last": len(self.names) - 1}
        if column in named:
            return named[column]
        if column.isdecimal() and 1 <= int(column) <= len(self.names):
            return int(column) - 1
        raise BadInput(
            f"{self.path}: no column is called {column!r}. {near(column, self.names)} "
            f"A column may also be given by its position, 1 to {len(self.names)}, or as 'last'."
        )

    def rows(self, chosen: Sequence[int] | np.ndarray) -> Table:
        """The table with these rows only, in this order."""
        columns = tuple(tuple(column[i] for i in chosen) for column in self.columns)
        return replace(self, columns=columns, lines=tuple(self.lines[i] for i in chosen))

    def renamed(self, names: Sequence[str]) -> Table:
        """The table with other column names."""
        return replace(self, names=tuple(names))
