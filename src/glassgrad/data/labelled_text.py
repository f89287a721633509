"""Reads labelled texts: lines with a label, or a file or folder for each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from glassgrad.data.bad_input import BadInput, MissingFile, listing
from glassgrad.data.csv_file import read_csv
from glassgrad.data.stage import counted
from glassgrad.data.text_file import decode, read_bytes, read_lines

Form = Literal["first", "last", "fasttext", "files", "csv"]
"""Where labels are: before or after a tab, in `__label__x` words, in the files' names, a column."""

MARK = "__label__"


@dataclass(frozen=True)
class TextSet:
    """Texts, their labels (None where there are none), and the place of each.

    Those of a CSV file know the columns of text and label, and whether a header names them.
    """

    path: str
    form: Form
    texts: tuple[str, ...]
    labels: tuple[str, ...] | None
    places: tuple[str, ...]
    columns: tuple[str, ...] = ()
    header: bool = False

    def __len__(self) -> int:
        return len(self.texts)

    def place(self, i: int) -> str:
        """Where text i stands."""
        return self.places[i]

    def rows(self, chosen: np.ndarray) -> TextSet:
        """The set with these texts only, in this order."""
        labels = None if self.labels is None else tuple(self.labels[i] for i in chosen)
        texts, places = (tuple(c[i] for i in chosen) for c in (self.texts, self.places))
        return replace(self, texts=texts, labels=labels, places=places)


def read_texts(paths: Sequence[str | Path], form: Form | None = None) -> TextSet:
    """Read labelled texts from one file, one folder, or a file for each label.

    One file holds `text<TAB>label` or `label<TAB>text` on each line, or fastText's
    `__label__x text`; `form` None finds out which. Several files hold a text a line, and the
    ending of a name (rt-polarity.pos), or else the name itself, is the label. A folder holds such
    files, or a folder for each label with a .txt file for each text.
    """
    places = [Path(p) for p in paths]
    for path in places:
        if not path.exists():
            raise MissingFile(f"{path}: there is no such file or folder. Check the path.")
    if len(places) == 1 and places[0].is_dir():
        return _read_folder(places[0])
    if len(places) > 1:
        return _read_files(places, ", ".join(map(str, places)))
    return _read_lines(places[0], form)


def read_plain_texts(path: str | Path, form: Form) -> TextSet:
    """Read texts to be labelled: one a line; labels in the training file's form are left out."""
    numbered = _numbered(Path(path))
    if form == "fasttext" and all(line.startswith(MARK) for _, line in numbered):
        texts = [_fasttext(line, "")[0] for _, line in numbered]
    elif form in ("first", "last") and all("\t" in line for _, line in numbered):
        texts = [_cut(line, form)[0] for _, line in numbered]
    else:
        texts = [line.strip() for _, line in numbered]
    return TextSet(str(path), form, tuple(texts), None, _places(path, numbered))


def read_text_columns(
    path: str | Path, text: str, label: str | None, *, header: bool | None = None
) -> TextSet:
    """Read texts, and labels if a column is named, from the columns of a CSV file.

    A column is named as in the header, by its position from 1, or as `first` or `last`. Raises
    BadInput by file and line for a text or label that is empty.
    """
    table = read_csv(path, header=header)
    wanted = [table.find(c) for c in (text, label) if c is not None]
    if len(set(wanted)) < len(wanted):
        raise BadInput(f"{path}: text and label are both in the column {text!r}: name two columns.")
    for j in wanted:
        empty = next((i for i, cell in enumerate(table.columns[j]) if not cell), None)
        if empty is not None:
            raise BadInput(
                f"{table.place(empty)}: the column {table.names[j]!r} is empty here. Remove the "
                "row, or fill the cell."
            )
    texts, *labels = (table.columns[j] for j in wanted)
    places = tuple(table.place(i) for i in range(len(table)))
    names = tuple(table.names[j] for j in wanted)
    known = labels[0] if labels else None
    return TextSet(str(path), "csv", texts, known, places, names, table.header)


def _read_lines(path: Path, form: Form | None) -> TextSet:
    numbered = _numbered(path)
    form = form or _detect(numbered)
    pairs = [
        _fasttext(line, f"{path}:{n}") if form == "fasttext" else _tabbed(line, form, path, n)
        for n, line in counted(f"reading the lines of {path}", numbered, len(numbered))
    ]
    texts, labels = zip(*pairs)
    return TextSet(str(path), form, texts, labels, _places(path, numbered))


def _numbered(path: Path) -> list[tuple[int, str]]:
    lines = enumerate(read_lines(path, "labelled"), start=1)
    return [(n, line) for n, line in lines if line.strip()]


def _places(path: str | Path, numbered: list[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(f"{path}:{n}" for n, _ in numbered)


def _detect(numbered: list[tuple[int, str]]) -> Form:
    """Where the labels are: there are fewer different labels than texts."""
    if numbered[0][1].startswith(MARK):
        return "fasttext"
    cut = [line for _, line in numbered if "\t" in line]
    first = {_cut(line, "first")[1] for line in cut}
    last = {_cut(line, "last")[1] for line in cut}
    return "first" if len(first) < len(last) else "last"


def _cut(line: str, form: Form) -> tuple[str, str]:
    """Text and label of a line with a tab."""
    before, _, after = line.partition("\t") if form == "first" else line.rpartition("\t")
    text, label = (after, before) if form == "first" else (before, after)
    return text.strip(), label.strip()


def _tabbed(line: str, form: Form, path: Path, number: int) -> tuple[str, str]:
    text, label = _cut(line, form) if "\t" in line else (line, "")
    if not text or not label:
        remedy = "For a file a label, name all the files."
        if ".csv" in path.suffixes:
            remedy = "For a CSV file name the columns: --text COLUMN --target COLUMN."
        raise BadInput(
            f"{path}:{number}: this line has no {'label' if text else 'text'}: a text and its "
            f"label are needed, with a tab between (or '__label__NAME text'). {remedy}"
        )
    return text, label


def _fasttext(line: str, place: str) -> tuple[str, str]:
    label, _, text = line.partition(" ")
    if not label.startswith(MARK) or len(label) == len(MARK) or not text.strip():
        raise BadInput(
            f"{place}: this line is not of the form '{MARK}NAME text' of the lines before it."
        )
    if text.startswith(MARK):
        raise BadInput(f"{place}: this line has two labels; one is needed.")
    return text.strip(), label.removeprefix(MARK)


def _read_files(files: Sequence[Path], shown: str) -> TextSet:
    """One text a line; the label is what tells the names apart."""
    endings = [f.suffix.removeprefix(".") for f in files]
    distinct = len(set(endings)) == len(files) and all(endings)
    names = endings if distinct else [f.name.split(".")[0] for f in files]
    if len(set(names)) < len(files):
        raise BadInput(
            f"{shown}: the names do not tell the labels apart: {listing(names)}. Rename a file."
        )
    texts: list[str] = []
    labels: list[str] = []
    places: list[str] = []
    for file, name in zip(files, names):
        numbered = _numbered(file)
        texts += [line.strip() for _, line in numbered]
        labels += [name] * len(numbered)
        places += _places(file, numbered)
    return TextSet(shown, "files", tuple(texts), tuple(labels), tuple(places))


def _read_folder(folder: Path) -> TextSet:
    groups = {d.name: sorted(d.glob("*.txt")) for d in sorted(folder.iterdir()) if d.is_dir()}
    groups = {name: files for name, files in groups.items() if files}
    if len(groups) > 1:
        return _read_tree(folder, groups)
    stems: dict[str, list[Path]] = {}
    for file in sorted(f for f in folder.iterdir() if f.is_file() and f.suffix):
        stems.setdefault(file.stem, []).append(file)
    families = [files for files in stems.values() if len(files) > 1]
    if len(families) != 1:
        raise BadInput(
            f"{folder}: this folder holds neither a folder of .txt files for each label nor one "
            "set of files such as reviews.pos and reviews.neg. Name the files."
        )
    return _read_files(families[0], str(folder))


def _read_tree(folder: Path, groups: dict[str, list[Path]]) -> TextSet:
    found = [(file, name) for name, files in groups.items() for file in files]
    files = counted(f"reading the files of {folder}", [f for f, _ in found], len(found))
    texts = [decode(read_bytes(f, str(f), "text file"), str(f), "plain").strip() for f in files]
    empty = next((f for (f, _), text in zip(found, texts) if not text), None)
    if empty is not None:
        raise BadInput(f"{empty}: the file is empty. Remove it, or write the text into it.")
    labels = tuple(name for _, name in found)
    return TextSet(str(folder), "files", tuple(texts), labels, tuple(f"{f}:1" for f, _ in found))
