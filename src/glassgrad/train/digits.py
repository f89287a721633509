"""The handwritten digits of scikit-learn, and a network that learns them in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.column import NumericColumn
from glassgrad.data.preparation import Preparation
from glassgrad.data.split import split_rows
from glassgrad.data.target import ClassTarget
from glassgrad.nn import MLP, cross_entropy, log_softmax
from glassgrad.optim import Adam
from glassgrad.train.history import Watcher
from glassgrad.train.predictor import TablePredictor
from glassgrad.train.report import TrainingReport
from glassgrad.train.scores import class_scores
from glassgrad.train.trainer import Trainer
from glassgrad.transform import random

MEAN, SCALE = 4.8, 8.0  # pixels run from 0 to 16
HIDDEN = 256
BATCH = 64
STAGES = ((2e-3, 8), (2e-4, 4))
"""Learning rate and epochs: big steps first, then small ones that settle."""

SHADES = " .:-=+*#%@"

COPIES, NOISE = 4, 0.5
"""Noisy copies of every training image, so that no single pixel decides."""


@dataclass(frozen=True, eq=False)
class Digits:
    """1797 images of 8 x 8 pixels, scaled, as rows of 64; and their labels 0 to 9."""

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class DigitsRun:
    """The trained predictor and its accuracy on the images held out."""

    predictor: TablePredictor
    stopped: str
    accuracy: float


def load_digits(seed: int) -> Digits:
    """The digits, a fifth of each class held out for the test; needs scikit-learn."""
    try:
        from sklearn.datasets import load_digits as load
    except ImportError:
        raise BadInput(
            "the demo takes its digits from scikit-learn, which is not installed. "
            "Install it with: pip install scikit-learn"
        ) from None
    pixels, labels = load(return_X_y=True)
    split = split_rows(len(labels), seed=seed, labels=labels)
    train = np.concatenate([split.train, split.validation])
    inputs = ((pixels - MEAN) / SCALE).astype(np.float32)
    return Digits((inputs[train], labels[train]), (inputs[split.test], labels[split.test]))


def digits_loss(model: MLP, images: Any, labels: Any) -> Any:
    """The mean cross-entropy of the network on some images."""
    return cross_entropy(model(images), labels)


def image_loss(image: Any, model: MLP, label: Any) -> Any:
    """The cross-entropy of one image, as a function of its pixels, shape (1, 64)."""
    return cross_entropy(model(image), label)


def hardest(model: MLP, images: np.ndarray, labels: np.ndarray) -> int:
    """The number of the image whose label surprises the network most."""
    chance = log_softmax(model(images))[np.arange(len(labels)), labels]
    return int(chance.argmin())


def drawing(image: np.ndarray) -> str:
    """A scaled image of 64 pixels as 8 lines of characters, the darker the fuller."""
    ink = np.clip((image * SCALE + MEAN) / 16 * (len(SHADES) - 1), 0, len(SHADES) - 1)
    rows = ink.round().astype(int).reshape(8, 8)
    return "\n".join("".join(2 * SHADES[i] for i in row).rstrip() for row in rows)


def train_digits(
    digits: Digits, *, seed: int, engine: str, watch: Watcher | None = None
) -> DigitsRun:
    """Train in two stages and test on the images held out."""
    images, labels = digits.train
    noise = np.random.default_rng(seed).standard_normal((COPIES, *images.shape))
    noisy = (images + NOISE * noise).reshape(-1, images.shape[1])
    data = np.concatenate([images, noisy.astype(np.float32)]), np.tile(labels, 1 + COPIES)
    model = MLP.init([images.shape[1], HIDDEN, 10], key=random.key(seed))
    epochs, stopped = 0, "epochs"
    for rate, passes in STAGES:
        fit = Trainer(model, digits_loss, Adam(lr=rate), engine=engine).fit(
            data, passes, batch=BATCH, seed=seed, watch=watch
        )
        model, stopped = fit.model, fit.stopped
        epochs += len(fit.history)
        if stopped != "epochs":
            break
    accuracy = class_scores(model(digits.test[0]), digits.test[1])["accuracy"]
    report = TrainingReport(
        seed, engine, epochs, epochs, len(labels), 0, len(digits.test[1]), "accuracy", accuracy
    )
    return DigitsRun(_predictor(model, report), stopped, accuracy)


def _predictor(model: MLP, report: TrainingReport) -> TablePredictor:
    """The network as a predictor of the column `digit` of a table of 64 pixels."""
    names = tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8))
    pixels = (NumericColumn(n, 0.0, "identity", MEAN, SCALE, indicator=False) for n in names)
    target = ClassTarget("digit", tuple("0123456789"))
    columns = (*names, "digit")
    return TablePredictor(model, Preparation(tuple(pixels)), target, columns, True, report)
