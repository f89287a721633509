"""`glassgrad train tags`: from tagged sentences to a model folder."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from glassgrad.cli.parser import count, natural, widths
from glassgrad.cli.training import (
    add_out,
    add_training,
    chosen,
    common_options,
    finish,
    model_folder,
)

if TYPE_CHECKING:
    from glassgrad.train.tag_job import TagOptions, TagTask

EXAMPLES = """\
DATA is a CoNLL file: a token and its tag on each line, a tab or space between, and an empty line
after each sentence. Tags such as B-person, I-person and O mark entities; any other tags will do.

examples:
  glassgrad train tags wnut17train.conll --out entities-model
  glassgrad train tags words.conll --window 3 --vectors glove.25d.txt.gz
"""


def add_options(p: argparse.ArgumentParser) -> None:
    """The options of `glassgrad train tags`."""
    p.add_argument("data", metavar="DATA", help="CoNLL file; see below")
    add_out(p)
    learn = add_training(p, lr=1e-3, batch=64, epochs=12, patience=2)
    learn.add_argument("--window", type=natural, metavar="N", help="words on each side (2)")
    learn.add_argument(
        "--dimension", type=count, metavar="N", help="numbers in a word's vector (25)"
    )
    learn.add_argument(
        "--vectors",
        metavar="FILE",
        help="start from word vectors: a word and its numbers on each line, .gz or plain",
    )
    learn.add_argument(
        "--hidden", type=widths, default=(100,), metavar="N,N", help="layer widths (100)"
    )


def run(given: argparse.Namespace) -> int:
    """Read, train, save, and say how well it went."""
    from glassgrad.data.bad_input import BadInput
    from glassgrad.data.conll import read_conll
    from glassgrad.data.vectors import read_vectors
    from glassgrad.train.progress import progress
    from glassgrad.train.tag_job import TagOptions, prepare_tags, train_tags

    out = model_folder(given, given.data)
    if (given.window or 0) > 100:
        raise BadInput("--window reaches 100 words at most.")
    if given.vectors is not None and given.dimension is not None:
        raise BadInput("--vectors bring their own dimension; leave out --dimension.")
    known = None if given.vectors is None else read_vectors(given.vectors)
    options = TagOptions(
        **chosen(given, "window", "dimension", "hidden"), vectors=known, **common_options(given)
    )
    task = prepare_tags(read_conll(given.data), options)
    say_task(task, options)
    return finish(train_tags(task, options, progress()), given, out, given.data, "sentences")


def say_task(task: TagTask, options: TagOptions) -> None:
    """Say what was found, before the training."""
    print(f"{task.text.path}: {len(task.text):,} sentences, {task.text.count:,} tokens")
    print(
        f"{len(task.tags)} tags; sentences: {len(task.parts.train):,} to train, "
        f"{len(task.parts.validation):,} to validate, {len(task.parts.test):,} held out; "
        f"{len(task.vocabulary.words):,} words and spellings; window {options.window}; "
        f"engine {options.engine}",
        flush=True,
    )
