"""`glassgrad predict`: apply a trained model to new rows."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassgrad.cli.output import check_output, write_whole
from glassgrad.cli.parser import Parser

if TYPE_CHECKING:
    from glassgrad.train.kinds import Predictor

EXAMPLES = """\
What DATA is depends on the model: a CSV file for a table model (the target column may be in it and
is not looked at), a text on each line for a text model, a CoNLL file (tags are not looked at) for
a tag model, and images as 'glassgrad train images' reads them.

The output is CSV with one row for each row, text or image: the prediction, and for classes the
probability of every one; of a tag model it is CoNLL text, token and tag.

example:
  glassgrad predict housing-model new-houses.csv --out predictions.csv
"""


def parser() -> Parser:
    """The options of `glassgrad predict`."""
    p = Parser(
        prog="glassgrad predict",
        description="Apply a trained model to new data.",
        epilog=EXAMPLES,
    )
    p.add_argument("folder", metavar="FOLDER", help="model folder")
    p.add_argument("data", metavar="DATA", help="data of the kind that the model was trained on")
    p.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="a file for the predictions (default: standard output)",
    )
    p.add_argument(
        "--why",
        action="store_true",
        help="also the words that decided (text models)",
    )
    return p


def run(words: list[str]) -> int:
    """Read, predict, write."""
    given = parser().parse_all(words)
    if given.out is not None:
        check_output(given.out)
    predictor = load_predictor(given.folder)
    text = prediction_text(predictor, predictor.read(given.data), given.why)
    if given.out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_whole(given.out, text)
    return 0


def load_predictor(folder: str) -> Predictor:
    """The model of a folder; raises BadInput for one that was not trained by `glassgrad train`."""
    from typing import get_args

    from glassgrad.data.bad_input import BadInput
    from glassgrad.train.kinds import Predictor
    from glassgrad.train.store import load

    model = load(folder)
    if not isinstance(model, get_args(Predictor)):
        raise BadInput(
            f"{folder}: this is a {type(model).__name__}, not a model that 'glassgrad train' "
            "wrote. Load it in Python with gg.load."
        )
    return model


def prediction_text(predictor: Predictor, data: Any, why: bool = False) -> str:
    """The predictions as text: CSV with a header, or CoNLL for tags."""
    from glassgrad.data.bad_input import BadInput
    from glassgrad.data.stage import counted
    from glassgrad.data.target import NumberTarget
    from glassgrad.train.predictor import TablePredictor
    from glassgrad.train.tag_predictor import TagPredictor
    from glassgrad.train.text_predictor import TextPredictor

    if why and not isinstance(predictor, TextPredictor):
        raise BadInput("--why tells of the words of a text; this is no text model.")
    if isinstance(predictor, TagPredictor):
        return tagged_text(data.tokens, predictor.predict(data))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    predicted = predictor.predict(data).tolist()
    name, classes = "label", ()
    if isinstance(predictor, TablePredictor):
        target = predictor.target
        name = target.name
        if isinstance(target, NumberTarget):
            writer.writerow([name])
            writer.writerows([shortened(value)] for value in predicted)
            return stream.getvalue()
        classes = target.classes
    else:
        classes = predictor.classes
    reasons = [[]] * len(predicted)
    if isinstance(predictor, TextPredictor) and why:
        texts = counted("looking for reasons", data.texts, len(data))
        reasons = [[_reasons(predictor.reasons(text))] for text in texts]
    head = [name, *(f"p({label})" for label in classes), *(["because"] if why else [])]
    writer.writerow(head)
    rows = predictor.probabilities(data).tolist()
    writer.writerows(
        [label, *map(shortened, row), *because]
        for label, row, because in zip(predicted, rows, reasons)
    )
    return stream.getvalue()


def _reasons(votes: Sequence[tuple[str, float]]) -> str:
    """Words with their votes: lovely +1.2; dull -0.4."""
    return "; ".join(f"{word} {vote:+.2g}" for word, vote in votes)


def tagged_text(tokens: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> str:
    """Sentences as CoNLL text.

    >>> tagged_text([["a", "b"]], [["O", "B-x"]])
    'a\\tO\\nb\\tB-x\\n\\n'
    """
    sentences = (zip(*pair) for pair in zip(tokens, tags))
    return "".join("".join(f"{t}\t{tag}\n" for t, tag in s) + "\n" for s in sentences)


def shortened(value: float) -> str:
    """A number with the seven digits that single precision carries.

    >>> shortened(0.12345678901), shortened(452600.04)
    ('0.1234568', '452600')
    """
    return f"{value:.7g}"
