"""`glassgrad train`: from a file to a model folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from glassgrad.cli.parser import Parser, count, natural, positive, widths

if TYPE_CHECKING:
    from glassgrad.data.table import Table
    from glassgrad.train.table_job import TableOptions, TableRun, TableTask

EXAMPLES = """\
examples:
  glassgrad train table housing.csv.gz --target median_house_value
  glassgrad train table iris.csv --target last --out iris-model
"""


def parser() -> Parser:
    """The options of `glassgrad train`."""
    top = Parser(prog="glassgrad train", description="Train a model on a file of yours.")
    kinds = top.add_subparsers(dest="what", metavar="WHAT", required=True)
    table = kinds.add_parser(
        "table",
        help="a CSV file: predict one column from the others",
        description="Train a network that predicts one column of a CSV file from the others.",
        epilog=EXAMPLES,
    )
    _add_table_options(table)
    return top


def _add_table_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("data", metavar="DATA.csv", help="CSV file, plain or .gz; see --separator")
    p.add_argument(
        "--target",
        required=True,
        metavar="COLUMN",
        help="column to predict: its name, its position from 1, or 'last'",
    )
    p.add_argument(
        "--out", metavar="FOLDER", type=Path, help="model folder (default: DATA-model, here)"
    )
    data = p.add_argument_group("the data")
    data.add_argument(
        "--kind",
        choices=("auto", "regression", "classification"),
        default="auto",
        help="auto: words and few distinct whole numbers are classes",
    )
    data.add_argument("--header", choices=("auto", "yes", "no"), default="auto")
    data.add_argument("--separator", metavar="CHARACTER", help="default: found by looking")
    data.add_argument(
        "--drop", action="append", default=[], metavar="COLUMN", help="leave out; repeatable"
    )
    data.add_argument(
        "--categorical",
        action="append",
        default=[],
        metavar="COLUMN",
        help="treat numbers as categories; repeatable",
    )
    data.add_argument("--max-categories", type=count, default=100, metavar="N")
    learn = p.add_argument_group("the training")
    learn.add_argument(
        "--hidden", type=widths, default=(64, 64), metavar="N,N", help="layer widths (64,64)"
    )
    learn.add_argument("--epochs", type=count, metavar="N", help="at most; default: by size")
    learn.add_argument("--lr", type=positive, default=2e-3, metavar="X", help="(0.002)")
    learn.add_argument("--batch", type=count, metavar="N", help="rows a step; default: by size")
    learn.add_argument(
        "--patience",
        type=count,
        metavar="N",
        help="stop after N epochs without a better validation loss; default: by size",
    )
    learn.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="of split and weights (0)"
    )
    learn.add_argument(
        "--engine",
        choices=("native", "reference"),
        default="native",
        help="native: machine code (default); reference: NumPy, slow",
    )


def run(words: list[str]) -> int:
    """Train, save, and say how well it went."""
    options = parser().parse_all(words)
    return train_table_file(options)


def train_table_file(given: argparse.Namespace) -> int:
    """The job of `glassgrad train table`."""
    from glassgrad.data.csv_file import read_csv
    from glassgrad.train.folder import check_target
    from glassgrad.train.progress import progress
    from glassgrad.train.table_job import prepare, train_table

    out = given.out or Path(default_folder(given.data))
    check_target(out)  # before an hour of training, not after it
    header = {"auto": None, "yes": True, "no": False}[given.header]
    table = read_csv(given.data, header=header, separator=separator(given.separator))
    options = table_options(given)
    task = prepare(table, options)
    say_task(table, task, options)
    result = train_table(task, options, progress())
    return finish(result, out, given.data)


def separator(text: str | None) -> str | None:
    """The separator that an option spells; `tab` and a backslash with t stand for a tab."""
    from glassgrad.data.bad_input import BadInput

    text = {"tab": "\t", "\\t": "\t"}.get(text or "", text)
    if text is not None and (len(text) != 1 or text in '"\r\n'):
        raise BadInput(f"--separator takes one character (or 'tab'), not {text!r}.")
    return text


def default_folder(data: str) -> str:
    """The model folder for a data file: its name without endings, in the current folder.

    >>> default_folder("data/housing.csv.gz")
    'housing-model'
    """
    return Path(data).name.removesuffix(".gz").rsplit(".", 1)[0] + "-model"


def table_options(given: argparse.Namespace) -> TableOptions:
    """The options of the job, as the command line gave them."""
    from glassgrad.train.table_job import TableOptions

    return TableOptions(
        target=given.target,
        kind=given.kind,
        hidden=given.hidden,
        lr=given.lr,
        epochs=given.epochs,
        batch=given.batch,
        patience=given.patience,
        seed=given.seed,
        engine=given.engine,
        drop=tuple(given.drop),
        categorical=tuple(given.categorical),
        max_categories=given.max_categories,
    )


def say_task(table: Table, task: TableTask, options: TableOptions) -> None:
    """Say what was found in the file, before the training."""
    from glassgrad.data.column import CategoryColumn
    from glassgrad.data.target import ClassTarget

    columns = task.preparation.columns
    words = sum(isinstance(c, CategoryColumn) for c in columns)
    print(
        f"{table.path}: {len(table):,} rows, "
        f"{len(columns) - words} numeric and {words} category columns"
    )
    if isinstance(task.target, ClassTarget):
        labels = (c if c.isprintable() else repr(c) for c in task.target.classes[:8])
        shown = ", ".join(labels) + (" ..." if task.target.width > 8 else "")
        print(f"target {task.target.name}: classification, {task.target.width} classes ({shown})")
    else:
        print(f"target {task.target.name}: regression")
    parts = task.parts
    sizes = " -> ".join(map(str, [task.preparation.width, *options.hidden, task.target.width]))
    print(
        f"rows: {len(parts.train):,} to train, {len(parts.validation):,} to validate, "
        f"{len(parts.test):,} held out; network {sizes}; engine {options.engine}",
        flush=True,
    )


def finish(result: TableRun, out: Path, data: str) -> int:
    """Save the model, say how good it is and what to do next; 130 after Ctrl-C."""
    from glassgrad.train.store import save

    fit = result.fit
    if not fit.best:
        print("interrupted before the first epoch was done; nothing was saved.", file=sys.stderr)
        return 130
    print(ENDINGS[fit.stopped].format(last=len(fit.history), best=fit.best))
    save(result.predictor, out)
    print(f"test {describe_scores(result.scores)} on {result.predictor.report.rows_test:,} rows")
    print(f"({describe_baseline(result)})")
    print(f"model saved in {out}; next: glassgrad predict {out} {data}")
    return 130 if fit.stopped == "interrupted" else 0


ENDINGS = {
    "epochs": "all {last} epochs done; kept the weights of epoch {best}",
    "early": "stopped after epoch {last}; kept the weights of epoch {best}, the best",
    "interrupted": "interrupted; kept the best so far, epoch {best}",
    "diverged": "the loss left the finite numbers in epoch {last}; kept epoch {best}. Lower --lr",
}


def describe_scores(scores: dict[str, float]) -> str:
    """Scores in one line: RMSE 50,123  MAE 33,456  R2 0.81."""
    from glassgrad.train.progress import score

    return "  ".join(score(name, value) for name, value in scores.items())


def describe_baseline(result: TableRun) -> str:
    """What a guess without any input would score."""
    from glassgrad.train.progress import score

    metric = result.predictor.report.metric
    guess = "the commonest class" if metric == "accuracy" else "the mean"
    return f"always answering {guess} would give {score(metric, result.baseline)}"
