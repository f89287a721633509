"""The whole job on tagged sentences: windows of features, network, training, test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.conll import TaggedText
from glassgrad.data.split import Split
from glassgrad.data.vectors import WordVectors
from glassgrad.optim import Adam
from glassgrad.text.entities import marks_entities
from glassgrad.text.spelling import features, word_feature
from glassgrad.text.tag_dictionary import TagDictionary
from glassgrad.text.vocabulary import Vocabulary
from glassgrad.text.window_tagger import WindowTagger
from glassgrad.train.class_loss import ACCURACY, class_loss
from glassgrad.train.history import Fit, Watcher
from glassgrad.train.outcome import Outcome, draft_report, split_examples
from glassgrad.train.tag_predictor import FEATURES, TagPredictor, encode_sentence, tag_scores
from glassgrad.train.trainer import Trainer
from glassgrad.transform import random

MAX_TAGS = 1000


@dataclass(frozen=True)
class TagOptions:
    """What may be chosen; `vectors` give words a start, and their length is the dimension."""

    window: int = 2
    dimension: int = 25
    vectors: WordVectors | None = None
    hidden: tuple[int, ...] = (100,)
    least: int = 2
    words: int = 100_000
    lr: float = 1e-3
    epochs: int = 12
    batch: int = 64
    patience: int = 2
    seed: int = 0
    engine: str = "native"
    checkpoint: Path | None = None
    resume: bool = False


@dataclass(frozen=True, eq=False)
class TagTask:
    """Sentences made ready: the tags, the parts, and the vocabulary of the training part."""

    text: TaggedText
    tags: tuple[str, ...]
    parts: Split
    vocabulary: Vocabulary
    reach: int

    def arrays(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Windows and tag numbers of all tokens of some sentences."""
        number = {tag: i for i, tag in enumerate(self.tags)}
        sentences = (self.text.tokens[i] for i in rows)
        x = [encode_sentence(s, self.vocabulary, self.reach) for s in sentences]
        y = [number[tag] for i in rows for tag in self.text.tags[i]]
        return np.concatenate(x), np.array(y, dtype=np.int64)


def prepare_tags(text: TaggedText, options: TagOptions) -> TagTask:
    """Find the tags, split the sentences, and learn the vocabulary from the training part."""
    flat = [tag for sentence in text.tags for tag in sentence]
    tags = sorted(set(flat))
    if len(tags) < 2:
        raise BadInput(f"{text.path}: every tag is {tags[0]!r}: there is nothing to learn.")
    if len(tags) > min(MAX_TAGS, max(2, len(flat) // 2)):
        raise BadInput(
            f"{text.path}: {len(tags)} different tags for {len(flat)} tokens, such as "
            f"{tags[0][:40]!r}. Is the tag the last column?"
        )
    parts = split_examples(len(text), seed=options.seed, tested=False)
    seen = (f for i in parts.train for token in text.tokens[i] for f in features(token))
    vocabulary = Vocabulary.fit(seen, options.least, options.words)
    if options.vectors is not None:
        known = dict.fromkeys([*vocabulary.words, *map(word_feature, options.vectors.words)])
        vocabulary = Vocabulary(tuple(known))
    return TagTask(text, tuple(tags), parts, vocabulary, options.window)


def train_tags(task: TagTask, options: TagOptions, watch: Watcher | None = None) -> Outcome:
    """Train a tagger on prepared sentences and test it on those held out."""
    fit = Trainer(
        _start(task, options), class_loss, Adam(lr=options.lr), engine=options.engine
    ).fit(
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


def _start(task: TagTask, options: TagOptions) -> WindowTagger:
    """The tagger before training, with the known vectors in place."""
    known = options.vectors
    tagger = WindowTagger.init(
        len(task.vocabulary),
        options.dimension if known is None else known.dimension,
        (2 * options.window + 1) * FEATURES,
        options.hidden,
        len(task.tags),
        key=random.key(options.seed),
    )
    if known is None:
        return tagger
    return tagger.with_vectors(
        task.vocabulary.encode(map(word_feature, known.words)), known.vectors
    )


def _test(task: TagTask, options: TagOptions, fit: Fit) -> Outcome:
    parts = task.parts
    metric = "F1" if marks_entities(task.tags) else "accuracy"
    draft = draft_report(
        fit, parts, len(parts.test), seed=options.seed, engine=options.engine, metric=metric
    )
    predictor = TagPredictor(fit.model, task.vocabulary, options.window, task.tags, draft)
    held, known = task.text.rows(parts.test), task.text.rows(parts.train)
    scores = predictor.evaluate(held)
    predictor = replace(predictor, report=replace(draft, test_score=scores[metric]))
    if metric == "F1":
        guess = "looking up the entities of the training part"
        looked_up = TagDictionary.fit(known.tokens, known.tags)
        tags = tuple(looked_up.tag(s) for s in held.tokens)
        baseline = tag_scores(tags, held.tags)["F1"]
    else:
        guess, baseline = "always answering the commonest tag", _commonest(known, held)
    return Outcome(predictor, fit, scores, baseline, guess)


def _commonest(known: TaggedText, held: TaggedText) -> float:
    seen = [tag for s in known.tags for tag in s]
    tag = max(sorted(set(seen)), key=seen.count)
    return float(np.mean([t == tag for s in held.tags for t in s]))
