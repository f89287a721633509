"""`glassgrad evaluate`: score a trained model, or a file of tags, against known answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from glassgrad.cli.parser import Parser

EXAMPLES = """\
What DATA is depends on the model, as for 'glassgrad predict', and it must hold the answers. Data
that the model was trained on flatter it; give others. Instead of a model, a CoNLL file of
predicted tags may be scored: an entity counts when its kind and both its ends are right.

examples:
  glassgrad evaluate housing-model more-houses.csv
  glassgrad evaluate reviews-model more.pos more.neg
  glassgrad evaluate predicted.conll truth.conll
"""


def parser() -> Parser:
    """The options of `glassgrad evaluate`."""
    p = Parser(
        prog="glassgrad evaluate",
        description="Score a trained model on data whose answers are known.",
        epilog=EXAMPLES,
    )
    p.add_argument("folder", metavar="MODEL", help="model folder, or a CoNLL file of tags")
    p.add_argument(
        "data", metavar="DATA", nargs="+", help="data with their answers; several files for texts"
    )
    return p


def run(words: list[str]) -> int:
    """Print how much was scored, and one line a score."""
    from glassgrad.cli.predict import load_predictor
    from glassgrad.train.text_predictor import TextPredictor

    given = parser().parse_all(words)
    if Path(given.folder).is_file():
        return compare_tags(given.folder, only(given.data))
    predictor: Any = load_predictor(given.folder)
    several = isinstance(predictor, TextPredictor)
    paths = given.data if several else [only(given.data)]
    data = predictor.read(*paths, answers=True)
    for note in getattr(data, "notes", ()):
        print(f"note: {note}", file=sys.stderr)
    say_scores(len(data), UNITS[type(predictor).__name__], predictor.evaluate(data))
    return 0


def only(paths: list[str]) -> str:
    """The one path that was given; only texts may stand in several files."""
    from glassgrad.data.bad_input import BadInput

    if len(paths) > 1:
        raise BadInput(f"{paths[1]}: one file or folder is scored at a time; give {paths[0]} only.")
    return paths[0]


UNITS = {
    "TablePredictor": "rows",
    "TextPredictor": "texts",
    "TagPredictor": "sentences",
    "ImagePredictor": "images",
}


def compare_tags(predicted: str, truth: str) -> int:
    """Score the tags of one CoNLL file against those of another."""
    from glassgrad.data.conll import check_same_tokens, read_conll
    from glassgrad.train.tag_predictor import tag_scores

    guess, answer = read_conll(predicted), read_conll(truth)
    check_same_tokens(guess, answer)
    say_scores(len(answer), "sentences", tag_scores(guess.tags, answer.tags))
    return 0


def say_scores(count: int, unit: str, scores: dict[str, Any]) -> None:
    """Print how much was scored, and one line a score."""
    from glassgrad.train.progress import score

    print(f"{count:,} {unit}")
    for name, value in scores.items():
        print(score(name, value))
