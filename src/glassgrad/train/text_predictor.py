"""A trained classifier with all it takes to go from texts to labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.labelled_text import Form, TextSet, read_plain_texts, read_texts
from glassgrad.data.labels import encode_labels
from glassgrad.nn import softmax
from glassgrad.text.bag_classifier import BagClassifier
from glassgrad.text.tokens import ngrams, tokenise
from glassgrad.text.vocabulary import SPECIAL, Vocabulary, pad
from glassgrad.train.outcome import TrainingReport
from glassgrad.train.scores import class_scores

CHUNK = 1024


@dataclass(frozen=True, eq=False)
class TextPredictor:
    """Says which class a text belongs to; saved whole in a model folder.

    `longest` is how many words an n-gram has at most; `form` is where the training file had its
    labels.
    """

    network: BagClassifier
    vocabulary: Vocabulary
    longest: int
    form: Form
    classes: tuple[str, ...]
    report: TrainingReport

    def read(self, *paths: str | Path, answers: bool = False) -> TextSet:
        """The texts of a file, one a line; with `answers` their labels, as `train` reads them."""
        if answers:
            return read_texts(paths, None if self.form == "files" else self.form)
        (path,) = paths
        return read_plain_texts(path, self.form)

    def outputs(self, texts: TextSet) -> np.ndarray:
        """What the classifier gives for every text, (n, classes)."""
        pieces = [texts.texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
        return np.concatenate([np.asarray(self.network(self._bags(p))) for p in pieces])

    def _bags(self, texts: Sequence[str]) -> np.ndarray:
        rows = [self.vocabulary.known(ngrams(tokenise(t), self.longest)) for t in texts]
        return pad(rows, max(1, *map(len, rows)))

    def predict(self, texts: TextSet) -> np.ndarray:
        """The label of every text."""
        return np.array(self.classes)[self.outputs(texts).argmax(axis=1)]

    def probabilities(self, texts: TextSet) -> np.ndarray:
        """The probability of each class for every text."""
        return np.asarray(softmax(self.outputs(texts).astype(float)))

    def evaluate(self, texts: TextSet) -> dict[str, float]:
        """The scores of the predictions against the texts' own labels."""
        truth = encode_labels(texts.labels or (), self.classes, lambda i: texts.places[i])
        return class_scores(self.outputs(texts), truth)

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
        if classes != len(self.classes) or len(set(self.classes)) != classes or classes < 2:
            raise BadInput(f"{len(self.classes)} classes do not fit {classes} columns of votes")
        if not 1 <= self.longest <= 10:
            raise BadInput(f"n-grams have 1 to 10 words, not {self.longest}")
