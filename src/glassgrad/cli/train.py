"""`glassgrad train`: from a file to a model folder."""

from __future__ import annotations

import importlib

from glassgrad.cli.parser import Parser

KINDS = {
    "table": (
        "a CSV file: predict one column from the others",
        "Train a network that predicts one column of a CSV file from the others.",
    ),
    "text": (
        "labelled texts: predict the label of a text",
        "Train a classifier of texts on words and pairs of words.",
    ),
    "tags": (
        "a CoNLL file: predict a tag for every word",
        "Train a network that tags every word of a sentence from the words around it.",
    ),
    "images": (
        "labelled images: predict the label of an image",
        "Train a network that predicts the label of an image from its pixels.",
    ),
}


def parser() -> Parser:
    """The options of `glassgrad train`."""
    top = Parser(prog="glassgrad train", description="Train a model on a file of yours.")
    kinds = top.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, (help_, description) in KINDS.items():
        module = importlib.import_module(f"glassgrad.cli.train_{name}")
        p = kinds.add_parser(name, help=help_, description=description, epilog=module.EXAMPLES)
        module.add_options(p)
    return top


def run(words: list[str]) -> int:
    """Train, save, and say how well it went."""
    given = parser().parse_all(words)
    return importlib.import_module(f"glassgrad.cli.train_{given.what}").run(given)
