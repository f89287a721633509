"""The error for input that cannot be used: a file, a column or an option of the user."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from glassgrad.graph.errors import GlassgradError


class BadInput(GlassgradError, ValueError):
    """Input that cannot be used; the message says where, why and what to do."""


class MissingFile(BadInput, FileNotFoundError):
    """A file or folder that is not there."""

    def __str__(self) -> str:
        return str(self.args[0])


def near(name: str, names: Iterable[str]) -> str:
    """A sentence that offers the names closest to `name`, or lists the first few.

    >>> near("prize", ["price", "rooms"])
    "Did you mean 'price'?"
    """
    known = list(names)
    folded = {k.casefold(): k for k in known}
    close = difflib.get_close_matches(name[:200].casefold(), folded, n=3, cutoff=0.5)
    if close:
        return "Did you mean " + " or ".join(repr(folded[c]) for c in close) + "?"
    return "There are: " + listing(known) + "."


def listing(names: Iterable[str], limit: int = 12) -> str:
    """The names in quotes, cut after `limit`.

    >>> listing("abcd", limit=2)
    "'a', 'b' and 2 more"
    """
    known = list(names)
    shown = ", ".join(repr(n) for n in known[:limit])
    rest = len(known) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown
