"""Numbers written as text."""

from __future__ import annotations


def number(cell: str) -> float | None:
    """The number that a cell spells, or None.

    >>> number("1e3"), number("12o"), number("1_000")
    (1000.0, None, None)
    """
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
