"""The whole job on images: pixels as inputs, split, network, training, test."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.column import scale_of
from glassgrad.data.images import ImageSet
from glassgrad.data.labels import encode_labels, find_label_classes
from glassgrad.data.split import Split
from glassgrad.nn import MLP
from glassgrad.optim import Adam, Cosine
from glassgrad.train.class_loss import ACCURACY, class_loss
from glassgrad.train.history import Watcher
from glassgrad.train.image_predictor import ImagePredictor, image_inputs
from glassgrad.train.job import (
    JobOptions,
    Outcome,
    Pace,
    commonest_class,
    conclude,
    fit_parts,
    split_examples,
)
from glassgrad.train.trainer import Trainer
from glassgrad.transform import random

STEPS = 6000
"""A run by default makes about so many steps."""


@dataclass(frozen=True)
class ImageOptions(JobOptions):
    """What may be chosen; None lets the number of images decide."""

    _: KW_ONLY
    hidden: tuple[int, ...] = (128,)
    lr: float = 2e-3
    batch: int = 128


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
    parts = split_examples(
        len(images), seed=options.seed, tested=tested, shown=images.path, labels=truth
    )
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
    steps = max(1, -(-len(task.parts.train) // options.batch))
    epochs = options.epochs or min(300, max(12, STEPS // steps))
    opt = Adam(lr=Cosine(options.lr, steps=epochs * steps, final=options.lr / 100))
    trainer = Trainer(network, class_loss, opt, engine=options.engine)
    pace = Pace(options.batch, epochs, options.patience)
    fit = fit_parts(trainer, task, options, pace, ACCURACY, watch)
    shape = tuple(map(int, task.images.shape))
    held = encode_labels(task.test.labels or (), task.classes, task.test.place)
    return conclude(
        lambda report: ImagePredictor(
            fit.model, shape, task.mean, task.scale, task.classes, report
        ),
        fit, task, options, task.test, "accuracy",
        commonest_class(task.truth[task.parts.train], held),
    )  # fmt: skip
