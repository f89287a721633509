"""`glassgrad evaluate`: score a trained model on rows whose answers are known."""

from __future__ import annotations

from glassgrad.cli.parser import Parser


def parser() -> Parser:
    """The options of `glassgrad evaluate`."""
    p = Parser(
        prog="glassgrad evaluate",
        description="Score a trained model on a CSV file that contains the target column. "
        "Rows that the model was trained on flatter it; give others.",
    )
    p.add_argument("folder", metavar="FOLDER", help="model folder")
    p.add_argument("data", metavar="DATA.csv", help="CSV file with the target column")
    return p


def run(words: list[str]) -> int:
    """Print one line a score."""
    from glassgrad.cli.predict import load_predictor
    from glassgrad.train.progress import score

    given = parser().parse_all(words)
    predictor = load_predictor(given.folder)
    table = predictor.read(given.data)
    scores = predictor.evaluate(table)
    print(f"{len(table):,} rows")
    for name, value in scores.items():
        print(score(name, value))
    return 0
