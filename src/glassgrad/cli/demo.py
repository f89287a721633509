"""`glassgrad demo`: train on handwritten digits, test, and explain one gradient."""

from __future__ import annotations

import sys
from pathlib import Path

from glassgrad.cli.parser import Parser, natural


def parser() -> Parser:
    """The options of `glassgrad demo`."""
    p = Parser(
        prog="glassgrad demo",
        description="Train a network on the handwritten digits of scikit-learn, test it on a "
        "fifth held out, and explain one of its gradients.",
    )
    p.add_argument("--seed", type=natural, default=0, metavar="N", help="of split and weights (0)")
    p.add_argument("--engine", choices=("native", "reference"), default="native")
    p.add_argument("--out", type=Path, default=Path("digits-model"), metavar="FOLDER")
    return p


def run(words: list[str]) -> int:
    """Train, test, explain, save."""
    from glassgrad.train.digits import load_digits, train_digits
    from glassgrad.train.folder import check_target
    from glassgrad.train.progress import progress
    from glassgrad.train.store import save

    given = parser().parse_all(words)
    check_target(given.out)
    digits = load_digits(given.seed)
    print(
        f"{len(digits.train[1])} images of 8 x 8 pixels to train, {len(digits.test[1])} held out; "
        f"network 64 -> 256 -> 10; engine {given.engine}",
        flush=True,
    )
    result = train_digits(digits, seed=given.seed, engine=given.engine, watch=progress())
    if result.stopped == "interrupted":
        print("interrupted; the demo is not finished and nothing was saved.", file=sys.stderr)
        return 130
    print(f"test accuracy {result.accuracy:.1%}")
    save(result.predictor, given.out)
    print(f"model saved in {given.out} (config.json and model.safetensors)")
    return 0
