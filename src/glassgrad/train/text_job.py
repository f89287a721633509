"""The whole job on labelled texts: n-grams, votes by log-count ratio, training, test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.labelled_text import TextSet
from glassgrad.data.labels import encode_labels, find_label_classes
from glassgrad.data.split import Split
from glassgrad.optim import Adam
from glassgrad.text.bag_classifier import BagClassifier
from glassgrad.text.tokens import ngrams, tokenise
from glassgrad.text.vocabulary import Vocabulary, pad
from glassgrad.train.class_loss import ACCURACY, class_loss
from glassgrad.train.history import Fit, Watcher
from glassgrad.train.outcome import Outcome, draft_report, share_of_commonest, split_examples
from glassgrad.train.text_predictor import TextPredictor
from glassgrad.train.trainer import Trainer

WIDEST = 4000
"""N-grams of one text that training looks at; the rest of a longer text is left out."""


@dataclass(frozen=True)
class TextOptions:
    """What may be chosen."""

    ngrams: int = 2
    least: int = 2
    words: int = 200_000
    lr: float = 1e-3
    epochs: int = 30
    batch: int = 64
    patience: int = 3
    seed: int = 0
    engine: str = "native"
    checkpoint: Path | None = None
    resume: bool = False


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
    truth = encode_labels(labels, classes, lambda i: texts.places[i])
    parts = split_examples(len(texts), seed=options.seed, tested=False, labels=truth)
    grams = [ngrams(tokenise(text), options.ngrams) for text in texts.texts]
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
    fit = Trainer(start, class_loss, Adam(lr=options.lr), engine=options.engine).fit(
        task.arrays(task.parts.train),
        options.epochs,
        batch=options.batch,
        validation=task.arrays(task.parts.validation),
        patience=options.patience,
        metric=ACCURACY,
        seed=options.seed,
        watch=watch,
        checkpoint=options.checkpoint,
        resume=options.resume,
    )
    return _test(task, options, fit)


def _test(task: TextTask, options: TextOptions, fit: Fit) -> Outcome:
    parts = task.parts
    draft = draft_report(
        fit, parts, len(parts.test), seed=options.seed, engine=options.engine, metric="accuracy"
    )
    predictor = TextPredictor(
        fit.model, task.vocabulary, options.ngrams, task.texts.form, task.classes, draft
    )
    scores = predictor.evaluate(task.texts.rows(parts.test))
    predictor = replace(predictor, report=replace(draft, test_score=scores["accuracy"]))
    baseline = share_of_commonest(task.truth[parts.train], task.truth[parts.test])
    return Outcome(predictor, fit, scores, baseline, "always answering the commonest class")
