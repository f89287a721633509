"""The whole job on tagged sentences: windows of features, network, training, test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.conll import TaggedText
from glassgrad.data.split import Split
from glassgrad.data.stage import counted
from glassgrad.data.vectors import WordVectors
from glassgrad.optim import Adam
from glassgrad.text.entities import marks_entities
from glassgrad.text.entity_scores import entity_scores
from glassgrad.text.spelling import features, word_feature
from glassgrad.text.tag_dictionary import TagDictionary
from glassgrad.text.vocabulary import Vocabulary
from glassgrad.text.window_tagger import WindowTagger
from glassgrad.train.class_loss import ACCURACY, class_loss
from glassgrad.train.history import Watcher
from glassgrad.train.job import JobOptions, Outcome, Pace, conclude, fit_parts, split_examples
from glassgrad.train.metric import Score
from glassgrad.train.tag_predictor import FEATURES, TagPredictor, encode_sentence, likeliest_tags
from glassgrad.train.trainer import Trainer
from glassgrad.transform import random

MAX_TAGS = 1000


@dataclass(frozen=True)
class TagOptions(JobOptions):
    """What may be chosen; `vectors` give words a start, and their length is the dimension."""

    _: KW_ONLY
    window: int = 2
    dimension: int = 25
    vectors: WordVectors | None = None
    hidden: tuple[int, ...] = (100,)
    least: int = 2
    words: int = 100_000
    epochs: int = 12
    batch: int = 64
    patience: int = 2


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
        sentences = [self.text.tokens[i] for i in rows]
        read = counted("looking up the words", sentences, len(sentences))
        x = [encode_sentence(s, self.vocabulary, self.reach) for s in read]
        y = [number[tag] for i in rows for tag in self.text.tags[i]]
        return np.concatenate(x), np.array(y, dtype=np.int64)


def prepare_tags(text: TaggedText, options: TagOptions) -> TagTask:
    """Find the tags, split the sentences, and learn the vocabulary from the training part."""
    flat = [tag for sentence in text.tags for tag in sentence]
    tags = sorted(set(flat))
    if len(tags) < 2:
        raise BadInput(
            f"{text.path}: every tag is {tags[0]!r}: there is nothing to learn. The tag is the "
            "last column of a line."
        )
    if len(tags) > min(MAX_TAGS, max(2, len(flat) // 2)):
        raise BadInput(
            f"{text.path}: {len(tags)} different tags for {len(flat)} tokens, such as "
            f"{tags[0][:40]!r}. Is the tag the last column?"
        )
    parts = split_examples(len(text), seed=options.seed, tested=False, shown=text.path)
    seen = (f for i in parts.train for token in text.tokens[i] for f in features(token))
    vocabulary = Vocabulary.fit(seen, options.least, options.words)
    if options.vectors is not None:
        known = dict.fromkeys([*vocabulary.words, *map(word_feature, options.vectors.words)])
        vocabulary = Vocabulary(tuple(known))
    return TagTask(text, tuple(tags), parts, vocabulary, options.window)


def train_tags(task: TagTask, options: TagOptions, watch: Watcher | None = None) -> Outcome:
    """Train a tagger on prepared sentences and test it on those held out.

    The model of the best validation loss is kept: on WNUT-17 that of the best entity F1 is worse.
    """
    opt = Adam(lr=options.lr)
    trainer = Trainer(_start(task, options), class_loss, opt, engine=options.engine)
    pace = Pace(options.batch, options.epochs, options.patience)
    parts = task.parts
    train, held, test = map(task.text.rows, (parts.train, parts.validation, parts.test))
    metric, guess = ACCURACY, _commonest(train, test)
    if marks_entities(task.tags):
        metric, guess = _entity_f1(task, held), _looked_up(train, test)
    fit = fit_parts(trainer, task, options, pace, metric, watch)
    return conclude(
        lambda report: TagPredictor(
            fit.model, task.vocabulary, options.window, task.tags, report
        ),
        fit, task, options, test, metric.name, guess,
    )  # fmt: skip


def _entity_f1(task: TagTask, held: TaggedText) -> Score:
    """The F1 of the entities that a model finds in held sentences."""

    def f1(network: WindowTagger) -> float:
        found = likeliest_tags(network, held.tokens, task.vocabulary, task.reach, task.tags)
        return entity_scores(found, held.tags)["all"].f1

    return Score("F1", f1)


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


def _looked_up(known: TaggedText, held: TaggedText) -> tuple[str, Callable[[], float]]:
    """The guess that the entities are those of the training part, word by word."""

    def f1() -> float:
        dictionary = TagDictionary.fit(known.tokens, known.tags)
        return entity_scores([dictionary.tag(s) for s in held.tokens], held.tags)["all"].f1

    return "looking up the entities of the training part", f1


def _commonest(known: TaggedText, held: TaggedText) -> tuple[str, Callable[[], float]]:
    """The guess that every token has the commonest tag of the training part."""

    def share() -> float:
        seen = Counter(tag for s in known.tags for tag in s)
        tag = max(sorted(seen), key=seen.__getitem__)
        return float(np.mean([t == tag for s in held.tags for t in s]))

    return "always answering the commonest tag", share
