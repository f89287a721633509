"""A vocabulary: every known word has a number, all others share one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glassgrad.graph.errors import ShapeError

SPECIAL = 2
PADDING, UNKNOWN = range(SPECIAL)
"""The numbers of the empty place beside a text and of all words not known; words follow."""


@dataclass(frozen=True)
class Vocabulary:
    """Words in a fixed order; the first has number 2.

    >>> v = Vocabulary.fit(["a", "b", "b"])
    >>> v.encode(["b", "x", "a"]).tolist(), len(v)
    ([2, 1, 3], 4)
    """

    words: tuple[str, ...]

    @staticmethod
    def fit(words: Iterable[str], least: int = 1, most: int | None = None) -> Vocabulary:
        """The words that occur at least `least` times, the commonest first, at most `most`."""
        counts = Counter(words)
        kept = sorted((w for w, n in counts.items() if n >= least), key=lambda w: (-counts[w], w))
        return Vocabulary(tuple(kept[:most]))

    def __len__(self) -> int:
        return len(self.words) + SPECIAL

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each word."""
        return {word: i for i, word in enumerate(self.words, start=SPECIAL)}

    def encode(self, words: Iterable[str]) -> np.ndarray:
        """The number of each word, 1 for those not known."""
        return np.array([self.numbers.get(w, UNKNOWN) for w in words], dtype=np.int64)

    def known(self, words: Iterable[str]) -> list[int]:
        """The numbers of the words that are known, each once, in order."""
        return sorted({self.numbers[w] for w in words if w in self.numbers})

    def validate(self) -> None:
        """Refuse a word that stands twice."""
        if len(set(self.words)) != len(self.words):
            raise ShapeError("a vocabulary holds each word once")


def pad(rows: list[list[int]], width: int) -> np.ndarray:
    """Rows of numbers as one matrix: cut after `width`, and filled with 0 up to it.

    >>> pad([[5, 6, 7], [8]], 2).tolist()
    [[5, 6], [8, 0]]
    """
    matrix = np.full((len(rows), width), PADDING, dtype=np.int64)
    for i, row in enumerate(rows):
        cut = row[:width]
        matrix[i, : len(cut)] = cut
    return matrix
