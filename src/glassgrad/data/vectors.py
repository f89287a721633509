"""Reads word vectors as text: a word and its numbers on each line, as GloVe and word2vec write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.numbers import number
from glassgrad.data.stage import counted
from glassgrad.data.text_file import read_lines

FORM = "Word vectors are text: a word and its numbers on each line, as GloVe's."


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words, each once, and their vectors as rows of a float32 matrix (words, dimension)."""

    path: str
    words: tuple[str, ...]
    vectors: np.ndarray

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        return self.vectors.shape[1]


def read_vectors(path: str | Path) -> WordVectors:
    """Read `word v1 ... vn` lines, plain or gzip; a first line with two counts is passed over.

    Of a word that stands twice the first vector is taken. Raises BadInput by file and line for a
    line of another width and for what is no finite number.
    """
    shown = str(path)
    rows: dict[str, np.ndarray] = {}
    width = 0
    lines = read_lines(path, "word-vector")
    read = counted(f"reading the vectors of {shown}", lines, len(lines))
    for line_number, line in enumerate(read, start=1):
        word, *cells = line.rstrip().split(" ")
        if line_number == 1 and len(cells) == 1 and word.isdecimal() and cells[0].isdecimal():
            continue
        width = width or len(cells)
        if not cells or len(cells) != width:
            raise BadInput(
                f"{shown}:{line_number}: a word and {width or 'some'} numbers belong here, with "
                f"one space between; there are {len(cells)} after the word."
            )
        if word not in rows:
            rows[word] = _vector(cells, f"{shown}:{line_number}")
    if not rows:
        raise BadInput(f"{shown}: the file has no vectors. {FORM}")
    return WordVectors(shown, tuple(rows), np.stack(list(rows.values())))


def _vector(cells: list[str], place: str) -> np.ndarray:
    try:
        vector = np.array(cells, dtype=np.float32)
    except ValueError:
        wrong = next(c for c in cells if number(c) is None)
        raise BadInput(f"{place}: {wrong[:40]!r} is not a number. {FORM}") from None
    if not np.isfinite(vector).all():
        raise BadInput(f"{place}: a number of the vector is not finite. Leave the word out.")
    return vector
