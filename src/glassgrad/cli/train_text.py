"""`glassgrad train text`: from labelled texts to a model folder."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from glassgrad.cli.parser import count
from glassgrad.cli.training import (
    add_out,
    add_training,
    chosen,
    common_options,
    finish,
    model_folder,
)

if TYPE_CHECKING:
    from glassgrad.data.labelled_text import TextSet
    from glassgrad.train.text_job import TextOptions, TextTask

EXAMPLES = """\
DATA is one file with a text and its label on each line, a tab between (either may come first) or
as '__label__NAME text'; or a file for each label with a text on each line (reviews.pos
reviews.neg); or a folder of such files, or of a folder for each label with a .txt file a text; or
a CSV file, whose columns --text and --target name.

examples:
  glassgrad train text reviews.pos reviews.neg --out reviews-model
  glassgrad train text reviews.csv --text review --target sentiment
  glassgrad train text yelp_labelled.txt --epochs 10
"""


def add_options(p: argparse.ArgumentParser) -> None:
    """The options of `glassgrad train text`."""
    p.add_argument("data", metavar="DATA", nargs="+", help="files or a folder; see below")
    p.add_argument(
        "--label",
        choices=("first", "last", "fasttext"),
        help="where the label stands in a line (default: found by looking)",
    )
    p.add_argument("--text", metavar="COLUMN", help="of a CSV file: the column of the texts")
    p.add_argument(
        "--target",
        metavar="COLUMN",
        help="of a CSV file: the column of the labels; names, positions from 1, or 'last'",
    )
    add_out(p)
    learn = add_training(p, lr=1e-3, batch=64, epochs=30, patience=3)
    learn.add_argument("--ngrams", type=count, metavar="N", help="count runs of up to N words (2)")
    learn.add_argument(
        "--least", type=count, metavar="N", help="n-grams in fewer texts are left out (2)"
    )


def run(given: argparse.Namespace) -> int:
    """Read, train, save, and say how well it went."""
    from glassgrad.train.progress import progress
    from glassgrad.train.text_job import TextOptions, prepare_texts, train_texts

    out = model_folder(given, given.data[0])
    options = TextOptions(**chosen(given, "ngrams", "least"), **common_options(given))
    task = prepare_texts(read(given), options)
    say_task(task, options)
    new = given.data[0] if given.text else "new-texts.txt"
    return finish(train_texts(task, options, progress()), given, out, new, "texts")


def read(given: argparse.Namespace) -> TextSet:
    """The labelled texts that the words of the command line name."""
    from glassgrad.data.bad_input import BadInput
    from glassgrad.data.labelled_text import read_text_columns, read_texts

    if given.text is None and given.target is None:
        return read_texts(given.data, given.label)
    if given.text is None or given.target is None:
        raise BadInput("--text and --target go together: the columns of a CSV file.")
    if len(given.data) > 1 or given.label is not None:
        raise BadInput("--text and --target name columns of one CSV file; give nothing else.")
    named = not all(c.isdecimal() or c in ("first", "last") for c in (given.text, given.target))
    return read_text_columns(
        given.data[0], given.text, given.target, header=True if named else None
    )


def say_task(task: TextTask, options: TextOptions) -> None:
    """Say what was found, before the training."""
    labels = (c if c.isprintable() else repr(c) for c in task.classes[:8])
    more = " ..." if len(task.classes) > 8 else ""
    print(f"{task.texts.path}: {len(task.texts):,} texts")
    print(
        f"{len(task.classes)} classes ({', '.join(labels)}{more}); texts: "
        f"{len(task.parts.train):,} to train, {len(task.parts.validation):,} to validate, "
        f"{len(task.parts.test):,} held out; {len(task.vocabulary.words):,} n-grams of up to "
        f"{options.ngrams} words; engine {options.engine}",
        flush=True,
    )
