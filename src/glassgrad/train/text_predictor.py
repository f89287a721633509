"""A trained classifier with all it takes to go from texts to labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassgrad.data.bad_input import BadInput, listing
from glassgrad.data.labelled_text import (
    Form,
    TextSet,
    read_plain_texts,
    read_text_columns,
    read_texts,
)
from glassgrad.text.bag_classifier import BagClassifier
from glassgrad.text.tokens import ngrams, tokenise
from glassgrad.text.vocabulary import SPECIAL, Vocabulary, pad
from glassgrad.train.label_predictor import LabelPredictor, in_pieces
from glassgrad.train.report import TrainingReport

CHUNK = 1024


@dataclass(frozen=True, eq=False)
class TextPredictor(LabelPredictor):
    """Says which class a text belongs to; saved whole in a model folder.

    `longest` is how many words an n-gram has at most; `form` is where the training file had its
    labels; of a CSV file `columns` names those of text and
    label, and `header` says whether the names are written in it.
    """

    network: BagClassifier
    vocabulary: Vocabulary
    longest: int
    form: Form
    columns: tuple[str, ...]
    header: bool
    classes: tuple[str, ...]
    report: TrainingReport

    def read(self, *paths: str | Path, answers: bool = False) -> TextSet:
        """The texts of a file, one a line; with `answers` their labels, as `train` reads them.

        A model trained on a CSV file reads the same columns of another one.
        """
        if self.columns:
            path, *more = paths
            if more:
                raise BadInput(f"{more[0]}: one CSV file is read at a time; give {path} only.")
            text, label = self.columns
            return read_text_columns(path, text, label if answers else None, header=self.header)
        if answers:
            return read_texts(paths, None if self.form == "files" else self.form)
        (path,) = paths
        return read_plain_texts(path, self.form)

    def outputs(self, data: TextSet) -> np.ndarray:
        """What the classifier gives for every text, (n, classes)."""
        words = data.texts
        pieces = in_pieces(lambda s: self.network(self._bags(words[s])), len(words), CHUNK)
        return np.concatenate(pieces)

    def _bags(self, texts: Sequence[str]) -> np.ndarray:
        rows = [self.vocabulary.known(ngrams(tokenise(t), self.longest)) for t in texts]
        return pad(rows, max(1, *map(len, rows)))

    def reasons(self, text: str, most: int = 5) -> list[tuple[str, float]]:
        """The n-grams of a text that speak loudest for the predicted class, with their votes.

        A vote is how much the n-gram adds to the logit of the class, compared with its mean over
        the classes; negative ones speak against it.
        """
        known = self.vocabulary.known(ngrams(tokenise(text), self.longest))
        votes = self.network.votes[known]
        winner = int((votes.sum(axis=0) + self.network.bias).argmax())
        weights = votes[:, winner] - votes.mean(axis=1)
        order = np.argsort(-np.abs(weights), kind="stable")[:most]
        return [(self.vocabulary.words[known[i] - SPECIAL], float(weights[i])) for i in order]

    def validate(self) -> None:
        """Refuse parts that do not fit together."""
        rows, classes = self.network.votes.shape
        if rows != len(self.vocabulary):
            raise BadInput(f"{len(self.vocabulary)} words do not fit {rows} rows of votes")
        self.check_classes(classes)
        if len(self.columns) != (2 if self.form == "csv" else 0):
            raise BadInput(f"the columns {listing(self.columns)} do not fit the form {self.form!r}")
        if not 1 <= self.longest <= 10:
            raise BadInput(f"n-grams have 1 to 10 words, not {self.longest}")
