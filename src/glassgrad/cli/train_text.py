"""`glassgrad train text`: from labelled texts to a model folder."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from glassgrad.cli.parser import count
from glassgrad.cli.training import add_out, add_training, chosen, finish, keeping, model_folder

if TYPE_CHECKING:
    from glassgrad.train.text_job import TextOptions, TextTask

EXAMPLES = """\
DATA is one file with a text and its label on each line, a tab between (either may come first) or
as '__label__NAME text'; or a file for each label with a text on each line (reviews.pos
reviews.neg); or a folder of such files, or of a folder for each label with a .txt file a text.

examples:
  glassgrad train text reviews.pos reviews.neg --out reviews-model
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
    add_out(p)
    learn = add_training(p, lr=1e-3, batch=64, epochs=30, patience=3)
    learn.add_argument("--ngrams", type=count, metavar="N", help="count runs of up to N words (2)")
    learn.add_argument(
        "--least", type=count, metavar="N", help="n-grams in fewer texts are left out (2)"
    )


def run(given: argparse.Namespace) -> int:
    """Read, train, save, and say how well it went."""
    from glassgrad.data.labelled_text import read_texts
    from glassgrad.train.progress import progress
    from glassgrad.train.text_job import TextOptions, prepare_texts, train_texts

    out = model_folder(given, given.data[0])
    options = TextOptions(
        **chosen(given, "ngrams", "least", "lr", "epochs", "batch", "patience", "seed", "engine"),
        **keeping(given),
    )
    texts = read_texts(given.data, given.label)
    task = prepare_texts(texts, options)
    say_task(task, options)
    return finish(train_texts(task, options, progress()), given, out, "new-texts.txt", "texts")


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
