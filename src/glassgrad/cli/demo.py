"""`glassgrad demo`: train on handwritten digits, test, and explain one gradient."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from glassgrad.cli.parser import Parser, natural

if TYPE_CHECKING:
    import numpy as np

    from glassgrad.nn import MLP


def parser() -> Parser:
    """The options of `glassgrad demo`."""
    p = Parser(
        prog="glassgrad demo",
        description="Train a network on the handwritten digits of scikit-learn, test it on a "
        "fifth held out, and explain one of its gradients.",
    )
    p.add_argument("--seed", type=natural, default=0, metavar="N", help="of split and weights (0)")
    p.add_argument(
        "--engine",
        choices=("native", "reference"),
        default="native",
        help="native: machine code (default); reference: NumPy, slow",
    )
    p.add_argument(
        "--out",
        type=Path,
        default=Path("digits-model"),
        metavar="FOLDER",
        help="model folder (digits-model)",
    )
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
    print(f"test accuracy {result.accuracy:.1%}\n")
    explain_hardest(result.predictor.network, *digits.test)
    save(result.predictor, given.out)
    print(f"\nmodel saved in {given.out} (config.json and model.safetensors)")
    return 0


def explain_hardest(network: MLP, images: np.ndarray, labels: np.ndarray) -> None:
    """Show the image that surprises the network most, and explain the gradient of one pixel."""
    from glassgrad.nn import softmax
    from glassgrad.train.digits import drawing, hardest

    i = hardest(network, images, labels)
    image, label = images[i : i + 1].astype(float), labels[i : i + 1]
    chances = softmax(network(image))[0]
    print(
        f"The hardest of the held-out images shows {label[0]}; the network says "
        f"{chances.argmax()} (probability {chances.max():.1%}, of {label[0]} "
        f"{chances[label[0]]:.1%}):\n\n{drawing(image)}\n"
    )
    explain_pixel(image, network, label)


def explain_pixel(image: np.ndarray, network: MLP, label: np.ndarray) -> None:
    """Explain the largest entry of the gradient by the pixels, and check it by two small steps."""
    import numpy as np

    from glassgrad.reading.story import explain
    from glassgrad.train.digits import image_loss
    from glassgrad.transform.gradient import grad

    slope = grad(image_loss)(image, network, label)
    pixel = int(abs(slope).argmax())
    print(
        f"The pixel that its loss depends on most is number {pixel} (row {pixel // 8 + 1}, column "
        f"{pixel % 8 + 1}).\n\n{explain(image_loss, image, network, label, at=(0, (0, pixel)))}\n"
    )
    step = np.zeros_like(image)
    step[0, pixel] = 1e-5
    up, down = (image_loss(image + s, network, label) for s in (step, -step))
    print(f"Check: moving the pixel by 0.00001 both ways gives {(up - down) / 2e-5:.6g}.")
