"""The whole job on labelled texts: n-grams, votes by log-count ratio, training, test."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.labelled_text import TextSet
from glassgrad.data.labels import encode_labels, find_label_classes
from glassgrad.data.split import Split
from glassgrad.data.stage import counted
from glassgrad.optim import Adam
from glassgrad.text.bag_classifier import BagClassifier
from glassgrad.text.tokens import ngrams, tokenise
from glassgrad.text.vocabulary import Vocabulary, pad
from glassgrad.train.class_loss import ACCURACY, class_loss
from glassgrad.train.history import Watcher
from glassgrad.train.job import (
    JobOptions,
    Outcome,
    Pace,
    commonest_class,
    conclude,
    fit_parts,
    split_examples,
)
from glassgrad.train.report import TrainingReport
from glassgrad.train.text_predictor import TextPredictor
from glassgrad.train.trainer import Trainer

WIDEST = 4000
"""N-grams of one text that training looks at; the rest of a longer text is left out."""


@dataclass(frozen=True)
class TextOptions(JobOptions):
    """What may be chosen: the longest n-grams, and how many texts an n-gram must be in."""

    _: KW_ONLY
    ngrams: int = 2
    least: int = 2
    words: int = 200_000
    epochs: int = 30
    batch: int = 64
    patience: int = 3


@dataclass(frozen=True, eq=False)
class TextTask:
    """Texts made ready: the classes, the parts, the vocabulary of the training part, the bags."""

    texts: TextSet
    classes: tuple[str, ...]
    parts: Split
    truth: np.ndarray
    vocabulary: Vocabulary
    bags: np.ndarray

    def arrays(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of n-gram numbers, and class numbers."""
        return self.bags[rows], self.truth[rows]


def prepare_texts(texts: TextSet, options: TextOptions) -> TextTask:
    """Find the classes, split the texts, and learn the vocabulary from the training texts."""
    labels = texts.labels or ()
    classes = find_label_classes(labels, texts.path)
    if len(labels) >= 20 and labels.count(labels[0]) == 1:
        raise BadInput(
            f"{texts.places[0]}: the label {labels[0][:60]!r} of the first text is that of no "
            "other. If this line is a header, remove it."
        )
    truth = encode_labels(labels, classes, texts.place)
    parts = split_examples(
        len(texts), seed=options.seed, tested=False, shown=texts.path, labels=truth
    )
    read = counted("cutting the texts into words", texts.texts, len(texts))
    grams = [ngrams(tokenise(text), options.ngrams) for text in read]
    seen = (gram for i in parts.train for gram in set(grams[i]))
    vocabulary = Vocabulary.fit(seen, options.least, options.words)
    if not vocabulary.words:
        raise BadInput(
            f"{texts.path}: no word occurs in {options.least} texts or more, so there is nothing "
            "to learn from. Give more texts, or say --least 1."
        )
    rows = [vocabulary.known(g) for g in grams]
    width = min(WIDEST, max(len(rows[i]) for i in parts.train))
    return TextTask(texts, classes, parts, truth, vocabulary, pad(rows, width))


def train_texts(task: TextTask, options: TextOptions, watch: Watcher | None = None) -> Outcome:
    """Train a classifier on prepared texts and test it on those held out."""
    start = BagClassifier.init(
        *task.arrays(task.parts.train), len(task.vocabulary), len(task.classes)
    )
    trainer = Trainer(start, class_loss, Adam(lr=options.lr), engine=options.engine)
    pace = Pace(options.batch, options.epochs, options.patience)
    fit = fit_parts(trainer, task, options, pace, ACCURACY, watch)
    parts, texts = task.parts, task.texts

    def make(report: TrainingReport) -> TextPredictor:
        form = texts.form, texts.columns, texts.header
        return TextPredictor(
            fit.model, task.vocabulary, options.ngrams, *form, task.classes, report
        )

    guess = commonest_class(task.truth[parts.train], task.truth[parts.test])
    held = texts.rows(parts.test)
    return conclude(make, fit, task, options, held, "accuracy", guess)
