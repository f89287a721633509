"""Reads a CSV file, plain or gzip, into a table; every failure names file and line."""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import Path

from glassgrad.data.bad_input import BadInput
from glassgrad.data.numbers import number
from glassgrad.data.stage import counted
from glassgrad.data.table import MISSING, Table
from glassgrad.data.text_file import decode, read_bytes

SEPARATORS = (",", ";", "\t")
Record = tuple[int, list[str]]


def read_csv(
    path: str | Path, *, header: bool | None = None, separator: str | None = None
) -> Table:
    """Read a CSV file whose fields are separated by a comma, a semicolon or a tab.

    `header` says whether the first row holds the column names; None decides by looking, and so
    does `separator` None. Fields are stripped, blank lines skipped. Raises BadInput that names the
    line for a ragged row, an open quote, bytes that are no text, an empty file, a file with a
    header only, and columns of the same name.
    """
    shown = str(path)
    text = decode(read_bytes(Path(path), shown, "CSV file"), shown, "CSV")
    if separator is None:
        separator = _detect_separator(text)
    records = _records(text, separator, shown)
    if not records:
        raise BadInput(f"{shown}: the file is empty: it has no rows at all. Check the path.")
    _check_widths(records, separator, shown)
    if header is None:
        header = _looks_like_header([cells for _, cells in records])
    names = _names(records, header, shown)
    rows = records[1:] if header else records
    if not rows:
        raise BadInput(
            f"{shown}:{records[0][0]}: the file has a header and no rows below it. "
            "If this line holds data, say so with --header no."
        )
    columns = tuple(zip(*(cells for _, cells in rows)))
    return Table(shown, names, columns, tuple(line for line, _ in rows), header, separator)


def _detect_separator(text: str) -> str:
    """The separator that cuts the first rows most evenly: same width, more than one field."""

    def evenness(separator: str) -> tuple[bool, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        try:
            widths = [len(row) for row in islice(reader, 50) if row]
        except csv.Error:
            return False, 0
        first = widths[0] if widths else 0
        return first > 1 and len(set(widths)) == 1, first

    return max(SEPARATORS, key=evenness)


def _records(text: str, separator: str, shown: str) -> list[Record]:
    """Every record that is not blank, with the line it begins on."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    records: list[Record] = []
    begins = 1
    try:
        for row in counted(f"reading the rows of {shown}", reader, text.count("\n") + 1):
            cells = [cell.strip() for cell in row]
            if any(cells) or len(cells) > 1:
                records.append((begins, cells))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(
            f"{shown}:{begins}: this row cannot be read as CSV ({error}). "
            "Look for a quotation mark that is never closed."
        ) from None
    return records


def _check_widths(records: list[Record], separator: str, shown: str) -> None:
    first, cells = records[0]
    width = len(cells)
    for line, row in records:
        if len(row) != width:
            named = "a tab" if separator == "\t" else repr(separator)
            raise BadInput(
                f"{shown}:{line}: this row has {len(row)} fields where line {first} has {width} "
                f"(the separator is {named}). Mend the row, quote fields that contain the "
                "separator, or name another one with --separator."
            )


def _looks_like_header(rows: list[list[str]], sample: int = 1000) -> bool:
    """Whether the first row names the columns.

    It does when a word stands above a column of numbers; in a table without numbers, when all its
    cells differ and none is seen again below itself.
    """
    first, below = rows[0], rows[1 : sample + 1]
    columns = [[row[j] for row in below if row[j] not in MISSING] for j in range(len(first))]
    numeric = [bool(c) and all(number(cell) is not None for cell in c) for c in columns]
    if any(numeric):
        return any(
            is_number and cell not in MISSING and number(cell) is None
            for cell, is_number in zip(first, numeric)
        )
    if any(number(cell) is not None for cell in first):
        return False
    fresh = all(cell not in column for cell, column in zip(first, columns))
    return fresh and len(set(first)) == len(first) and "" not in first


def _names(records: list[Record], header: bool, shown: str) -> tuple[str, ...]:
    line, first = records[0]
    if not header:
        return positional_names(len(first))
    names = tuple(name or f"column_{j}" for j, name in enumerate(first, start=1))
    for j, name in enumerate(names):
        if name in names[:j]:
            raise BadInput(
                f"{shown}:{line}: two columns are called {name!r} (columns "
                f"{names.index(name) + 1} and {j + 1}). Rename one, or say --header no."
            )
    return names


def positional_names(width: int) -> tuple[str, ...]:
    """The names of columns that have none.

    >>> positional_names(2)
    ('column_1', 'column_2')
    """
    return tuple(f"column_{j}" for j in range(1, width + 1))
