"""A trained tagger with all it takes to go from sentences to tags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.conll import TaggedText, read_conll
from glassgrad.data.stage import counted
from glassgrad.text.entities import best_path, marks_entities, may_follow
from glassgrad.text.entity_scores import entity_scores
from glassgrad.text.spelling import features
from glassgrad.text.vocabulary import Vocabulary
from glassgrad.text.window_tagger import WindowTagger
from glassgrad.text.windows import windows
from glassgrad.train.report import TrainingReport

CHUNK = 512
FEATURES = len(features("a"))


def encode_sentence(tokens: tuple[str, ...], vocabulary: Vocabulary, reach: int) -> np.ndarray:
    """The window of every token as numbers, (tokens, (2·reach + 1)·features)."""
    numbers = vocabulary.encode(f for token in tokens for f in features(token))
    return windows(numbers.reshape(len(tokens), FEATURES), reach)


def likeliest_tags(
    network: WindowTagger,
    sentences: tuple[tuple[str, ...], ...],
    vocabulary: Vocabulary,
    reach: int,
    tags: tuple[str, ...],
) -> tuple[tuple[str, ...], ...]:
    """The tags of every sentence: of all sequences that are well formed the likeliest."""
    allowed = may_follow(tags)
    found: list[tuple[str, ...]] = []
    starts = range(0, len(sentences), CHUNK)
    for start in counted("tagging", starts, len(starts)):
        piece = sentences[start : start + CHUNK]
        rows = [encode_sentence(s, vocabulary, reach) for s in piece]
        logits = np.asarray(network(np.concatenate(rows)), dtype=float)
        cuts = np.cumsum([len(s) for s in piece])[:-1]
        paths = [best_path(part, allowed) for part in np.split(logits, cuts)]
        found += [tuple(tags[k] for k in path) for path in paths]
    return tuple(found)


def tag_scores(
    predicted: tuple[tuple[str, ...], ...], truth: tuple[tuple[str, ...], ...]
) -> dict[str, float]:
    """F1, precision and recall of entities, then F1 of each kind; and the accuracy of the tags.

    For tags that mark no entities, such as word classes, the accuracy alone.

    >>> tag_scores((("B-a", "O"),), (("B-a", "O"),))["F1"]
    1.0
    """
    flat = [t for s in truth for t in s]
    right = sum(a == b for p, t in zip(predicted, truth) for a, b in zip(p, t))
    accuracy = {"accuracy": right / len(flat)}
    if not marks_entities(flat):
        return accuracy
    scores = entity_scores(predicted, truth)
    total = scores.pop("all")
    found = {"F1": total.f1, "precision": total.precision, "recall": total.recall}
    return found | {f"F1 of {kind}": s.f1 for kind, s in scores.items()} | accuracy


@dataclass(frozen=True, eq=False)
class TagPredictor:
    """Tags every token of a sentence from its window; saved whole in a model folder."""

    network: WindowTagger
    vocabulary: Vocabulary
    reach: int
    tags: tuple[str, ...]
    report: TrainingReport

    def read(self, path: str | Path, *, answers: bool = False) -> TaggedText:
        """The sentences of a CoNLL file; tags are needed with `answers` only."""
        return read_conll(path, tagged=answers)

    def predict(self, text: TaggedText) -> tuple[tuple[str, ...], ...]:
        """The tags of every sentence: of all sequences that are well formed the likeliest."""
        return likeliest_tags(self.network, text.tokens, self.vocabulary, self.reach, self.tags)

    def evaluate(self, text: TaggedText) -> dict[str, float]:
        """The scores of the predicted tags against the file's own."""
        return tag_scores(self.predict(text), text.tags)

    def validate(self) -> None:
        """Refuse parts that do not fit together."""
        rows, dimension = self.network.vectors.shape
        width = (2 * self.reach + 1) * FEATURES * dimension
        sizes = self.network.network.sizes
        if rows != len(self.vocabulary):
            raise BadInput(f"{len(self.vocabulary)} words do not fit {rows} vectors")
        if not 0 <= self.reach <= 100 or width != sizes[0]:
            raise BadInput(f"windows that reach {self.reach} need {width} inputs, not {sizes[0]}")
        if sizes[-1] != len(self.tags) or len(set(self.tags)) != len(self.tags):
            raise BadInput(f"{len(self.tags)} tags do not fit {sizes[-1]} outputs")
