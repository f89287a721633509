"""Reads CoNLL files: a token and its tag on each line, an empty line after each sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.stage import counted
from glassgrad.data.text_file import read_lines


@dataclass(frozen=True)
class TaggedText:
    """Sentences of tokens, their tags (empty where the file has none), and the file's lines.

    `lines[i][j]` is the line on which token j of sentence i stands.
    """

    path: str
    tokens: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    lines: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def count(self) -> int:
        """How many tokens there are."""
        return sum(map(len, self.tokens))

    def place(self, sentence: int, token: int = 0) -> str:
        """Where a token stands, as file:line."""
        return f"{self.path}:{self.lines[sentence][token]}"

    def rows(self, chosen: np.ndarray) -> TaggedText:
        """The text with these sentences only, in this order."""
        parts = ((column[i] for i in chosen) for column in (self.tokens, self.tags, self.lines))
        tokens, tags, lines = (tuple(part) for part in parts)
        return replace(self, tokens=tokens, tags=tags, lines=lines)


def read_conll(path: str | Path, *, tagged: bool = True) -> TaggedText:
    """Read a file whose lines hold a token first and its tag last, between tabs or spaces.

    A line without text, also one that holds a lone tab, ends a sentence; `-DOCSTART-` lines are
    skipped. With `tagged` false only the tokens are read. Raises BadInput by file and line for a
    line with one column, and for a table.
    """
    shown = str(path)
    sentences: list[list[tuple[str, str, int]]] = [[]]
    lines = read_lines(path, "CoNLL")
    if Path(path).suffix.lower() == ".csv" and any("," in line for line in lines[:1]):
        raise BadInput(
            f"{shown}: this is a table; here a token stands on each line, and an empty line after "
            "each sentence."
        )
    read = counted(f"reading the lines of {shown}", lines, len(lines))
    for number, line in enumerate(read, start=1):
        cells = _cells(line)
        if not any(cells):
            sentences.append([])
        elif cells[0] != "-DOCSTART-":
            sentences[-1].append((*_token_and_tag(cells, f"{shown}:{number}", tagged), number))
    kept = [s for s in sentences if s]
    if not kept:
        raise BadInput(f"{shown}: the file has no tokens.")
    columns = [tuple(tuple(row[k] for row in s) for s in kept) for k in range(3)]
    return TaggedText(shown, *columns)  # pyright: ignore[reportArgumentType]


def _cells(line: str) -> list[str]:
    """The columns of a line; a byte order mark inside a file is no text."""
    separator = "\t" if "\t" in line else " "
    cells = [cell.strip(" \ufeff") or cell.strip() for cell in line.strip(" ").split(separator)]
    return cells if separator == "\t" else [c for c in cells if c] or [""]


def _token_and_tag(cells: list[str], place: str, tagged: bool) -> tuple[str, str]:
    if not tagged:
        return cells[0], ""
    if len(cells) < 2 or not cells[0] or not cells[-1]:
        raise BadInput(
            f"{place}: this line has one column ({(cells[0] or cells[-1])[:60]!r}); a token and "
            "its tag are needed, with a tab or a space between. An empty line ends a sentence."
        )
    return cells[0], cells[-1]


def check_same_tokens(predicted: TaggedText, truth: TaggedText) -> None:
    """Raise BadInput, by file and line, where two files do not hold the same sentences.

    Where one file spells a token in another way the tags still belong together; it is the number
    of tokens in each sentence that must agree.
    """
    for i, (a, b) in enumerate(zip(predicted.tokens, truth.tokens)):
        if len(a) != len(b):
            raise BadInput(
                f"{predicted.place(i)}: this sentence has {len(a)} tokens, the one at "
                f"{truth.place(i)} has {len(b)}. Both files must hold the same sentences."
            )
    if len(predicted) != len(truth):
        raise BadInput(
            f"{predicted.path} has {len(predicted)} sentences, {truth.path} has {len(truth)}. "
            "Both files must hold the same sentences."
        )
