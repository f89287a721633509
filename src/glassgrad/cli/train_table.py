"""`glassgrad train table`: from a CSV file to a model folder."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from glassgrad.cli.parser import count, widths
from glassgrad.cli.training import add_out, add_training, common_options, finish, model_folder

if TYPE_CHECKING:
    from glassgrad.data.table import Table
    from glassgrad.train.table_job import TableOptions, TableTask

EXAMPLES = """\
examples:
  glassgrad train table housing.csv.gz --target median_house_value
  glassgrad train table iris.csv --target last --out iris-model
"""


def add_options(p: argparse.ArgumentParser) -> None:
    """The options of `glassgrad train table`."""
    p.add_argument("data", metavar="DATA.csv", help="CSV file, plain or .gz; see --separator")
    p.add_argument(
        "--target",
        required=True,
        metavar="COLUMN",
        help="column to predict: its name, its position from 1, or 'last'",
    )
    add_out(p)
    data = p.add_argument_group("the data")
    data.add_argument(
        "--kind",
        choices=("auto", "regression", "classification"),
        default="auto",
        help="auto: words and few distinct whole numbers are classes",
    )
    data.add_argument(
        "--header",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether the first row holds names; auto: found by looking",
    )
    data.add_argument("--separator", metavar="CHARACTER", help="of the fields (found by looking)")
    data.add_argument(
        "--drop", action="append", default=[], metavar="COLUMN", help="leave out; repeatable"
    )
    data.add_argument(
        "--group",
        metavar="COLUMN",
        help="rows with the same COLUMN go to the same part, such as those of one patient",
    )
    data.add_argument(
        "--categorical",
        action="append",
        default=[],
        metavar="COLUMN",
        help="treat numbers as categories; repeatable",
    )
    data.add_argument(
        "--max-categories",
        type=count,
        default=100,
        metavar="N",
        help="words of a column beyond which it is refused (100)",
    )
    learn = add_training(p, lr=2e-3, batch="by size", epochs="by size", patience="by size")
    learn.add_argument(
        "--hidden", type=widths, default=(64, 64), metavar="N,N", help="layer widths (64,64)"
    )


def run(given: argparse.Namespace) -> int:
    """Read, train, save, and say how well it went."""
    from glassgrad.data.csv_file import read_csv
    from glassgrad.train.progress import progress
    from glassgrad.train.table_job import prepare, train_table

    out = model_folder(given, given.data)
    header = {"auto": None, "yes": True, "no": False}[given.header]
    table = read_csv(given.data, header=header, separator=separator(given.separator))
    options = table_options(given)
    task = prepare(table, options)
    say_task(table, task, options)
    result = train_table(task, options, progress())
    return finish(result, given, out, given.data)


def separator(text: str | None) -> str | None:
    """The separator that an option spells; `tab` and a backslash with t stand for a tab."""
    from glassgrad.data.bad_input import BadInput

    text = {"tab": "\t", "\\t": "\t"}.get(text or "", text)
    if text is not None and (len(text) != 1 or text in '"\r\n'):
        raise BadInput(f"--separator takes one character (or 'tab'), not {text!r}.")
    return text


def table_options(given: argparse.Namespace) -> TableOptions:
    """The options of the job, as the command line gave them."""
    from glassgrad.train.table_job import TableOptions

    return TableOptions(
        target=given.target,
        kind=given.kind,
        hidden=given.hidden,
        group=given.group,
        drop=tuple(given.drop),
        categorical=tuple(given.categorical),
        max_categories=given.max_categories,
        **common_options(given),
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
