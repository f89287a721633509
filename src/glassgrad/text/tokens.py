"""Cuts text into words and marks, and words into n-grams."""

from __future__ import annotations

import re
from collections.abc import Sequence

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


def tokenise(text: str) -> list[str]:
    """The words and punctuation marks of a text, in lower case.

    >>> tokenise("It's GOOD, isn't it?")
    ["it's", 'good', ',', "isn't", 'it', '?']
    """
    return WORD.findall(text.lower())


def ngrams(tokens: Sequence[str], longest: int) -> list[str]:
    """All runs of 1 to `longest` neighbouring tokens, joined by spaces.

    >>> ngrams(["not", "so", "good"], 2)
    ['not', 'so', 'good', 'not so', 'so good']
    """
    return [
        " ".join(tokens[i : i + n])
        for n in range(1, longest + 1)
        for i in range(len(tokens) - n + 1)
    ]
