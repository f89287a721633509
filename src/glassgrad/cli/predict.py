"""`glassgrad predict`: apply a trained model to new rows."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from glassgrad.cli.parser import Parser

if TYPE_CHECKING:
    from glassgrad.data.table import Table
    from glassgrad.train.predictor import TablePredictor

EXAMPLES = """\
The output has one row for each row of DATA.csv: the prediction, and for a classification the
probability of every class. The target column may be in the file; it is not looked at.

example:
  glassgrad predict housing-model new-houses.csv --out predictions.csv
"""


def parser() -> Parser:
    """The options of `glassgrad predict`."""
    p = Parser(
        prog="glassgrad predict",
        description="Apply a trained model to the rows of a CSV file.",
        epilog=EXAMPLES,
    )
    p.add_argument("folder", metavar="FOLDER", help="model folder")
    p.add_argument("data", metavar="DATA.csv", help="CSV file with the columns of the training")
    p.add_argument("--out", metavar="FILE", type=Path, help="default: standard output")
    return p


def run(words: list[str]) -> int:
    """Read, predict, write."""
    given = parser().parse_all(words)
    predictor = load_predictor(given.folder)
    text = prediction_csv(predictor, predictor.read(given.data))
    if given.out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_whole(given.out, text)
    return 0


def load_predictor(folder: str) -> TablePredictor:
    """The table model of a folder; raises BadInput for a model of another kind."""
    from glassgrad.data.bad_input import BadInput
    from glassgrad.train.predictor import TablePredictor
    from glassgrad.train.store import load

    model = load(folder)
    if not isinstance(model, TablePredictor):
        raise BadInput(
            f"{folder}: this is a {type(model).__name__}, not a model trained on a table. "
            "Load it in Python with gg.load."
        )
    return model


def prediction_csv(predictor: TablePredictor, table: Table) -> str:
    """The predictions as CSV text with a header."""
    from glassgrad.data.target import ClassTarget

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    target = predictor.target
    predicted = predictor.predict(table).tolist()
    if isinstance(target, ClassTarget):
        writer.writerow([target.name, *(f"p({label})" for label in target.classes)])
        rows = predictor.probabilities(table).tolist()
        writer.writerows([label, *map(shortened, row)] for label, row in zip(predicted, rows))
    else:
        writer.writerow([target.name])
        writer.writerows([shortened(value)] for value in predicted)
    return stream.getvalue()


def shortened(value: float) -> str:
    """A number with the seven digits that single precision carries.

    >>> shortened(0.12345678901), shortened(452600.04)
    ('0.1234568', '452600')
    """
    return f"{value:.7g}"


def write_whole(path: Path, text: str) -> None:
    """Write a file completely or not at all."""
    if not path.absolute().parent.is_dir():
        from glassgrad.data.bad_input import MissingFile

        raise MissingFile(f"{path}: the folder {path.parent} does not exist. Create it first.")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
