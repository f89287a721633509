"""The whole job on images: pixels as inputs, split, network, training, test."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.column import scale_of
from glassgrad.data.images import ImageSet
from glassgrad.data.labels import encode_labels, find_label_classes
from glassgrad.data.split import Split
from glassgrad.nn import MLP
from glassgrad.optim import Adam, Cosine
from glassgrad.train.class_loss import ACCURACY, class_loss
from glassgrad.train.history import Fit, Watcher
from glassgrad.train.image_predictor import ImagePredictor, image_inputs
from glassgrad.train.outcome import Outcome, draft_report, share_of_commonest, split_examples
from glassgrad.train.trainer import Trainer
from glassgrad.transform import random

STEPS = 6000
"""A run by default makes about so many steps."""


@dataclass(frozen=True)
class ImageOptions:
    """What may be chosen; None lets the number of images decide."""

    hidden: tuple[int, ...] = (128,)
    lr: float = 2e-3
    epochs: int | None = None
    batch: int = 128
    patience: int | None = None
    seed: int = 0
    engine: str = "native"
    checkpoint: Path | None = None
    resume: bool = False


@dataclass(frozen=True, eq=False)
class ImageTask:
    """Images made ready: the classes, the parts of the training images, and the test images."""

    images: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    parts: Split
    truth: np.ndarray
    mean: float
    scale: float

    def arrays(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and class numbers of some of the images."""
        return image_inputs(self.images.pixels[rows], self.mean, self.scale), self.truth[rows]


def prepare_images(images: ImageSet, test: ImageSet | None, options: ImageOptions) -> ImageTask:
    """Find the classes, split the images, and measure mean and scale of the training pixels."""
    if images.labels is None:
        raise BadInput(
            f"{images.path}: these images have no labels to learn from. Name the file of the "
            "labels with --labels, or lay it beside the images."
        )
    classes = find_label_classes(images.labels, images.path)
    truth = encode_labels(images.labels, classes, images.place)
    if test is not None and test.shape != images.shape:
        raise BadInput(f"{test.path}: images of shape {test.shape}, to train {images.shape}.")
    tested = test is not None and test.labels is not None
    parts = split_examples(len(images), seed=options.seed, tested=tested, labels=truth)
    held = test if test is not None and tested else images.rows(parts.test)
    pixels = images.pixels[parts.train]
    mean = float(pixels.mean(dtype=float))
    # A sample is enough for the spread, and spares a copy of all pixels as floats.
    sample = pixels[:: max(1, len(pixels) // 5000)].astype(float)
    return ImageTask(images, held, classes, parts, truth, mean, scale_of(sample))


def train_images(task: ImageTask, options: ImageOptions, watch: Watcher | None = None) -> Outcome:
    """Train a network on prepared images and test it on those held out."""
    inputs = math.prod(task.images.shape)
    sizes = [inputs, *options.hidden, len(task.classes)]
    network = MLP.init(sizes, key=random.key(options.seed))
    steps = max(1, len(task.parts.train) // options.batch)
    epochs = options.epochs or min(300, max(12, STEPS // steps))
    opt = Adam(lr=Cosine(options.lr, steps=epochs * steps, final=options.lr / 100))
    fit = Trainer(network, class_loss, opt, engine=options.engine).fit(
        task.arrays(task.parts.train),
        epochs,
        batch=options.batch,
        validation=task.arrays(task.parts.validation),
        patience=options.patience,
        metric=ACCURACY,
        seed=options.seed,
        watch=watch,
        checkpoint=options.checkpoint,
        resume=options.resume,
    )
    return _test(task, options, fit)


def _test(task: ImageTask, options: ImageOptions, fit: Fit) -> Outcome:
    draft = draft_report(
        fit, task.parts, len(task.test),
        seed=options.seed, engine=options.engine, metric="accuracy",
    )  # fmt: skip
    shape = tuple(map(int, task.images.shape))
    predictor = ImagePredictor(fit.model, shape, task.mean, task.scale, task.classes, draft)
    scores = predictor.evaluate(task.test)
    predictor = replace(predictor, report=replace(draft, test_score=scores["accuracy"]))
    held = encode_labels(task.test.labels or (), task.classes, task.test.place)
    baseline = share_of_commonest(task.truth[task.parts.train], held)
    return Outcome(predictor, fit, scores, baseline, "always answering the commonest class")
