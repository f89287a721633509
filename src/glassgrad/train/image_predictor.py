"""A trained network with all it takes to go from images to labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.images import ImageSet, read_images
from glassgrad.data.labels import encode_labels
from glassgrad.nn import MLP, softmax
from glassgrad.train.outcome import TrainingReport
from glassgrad.train.scores import class_scores

CHUNK = 8192


def image_inputs(pixels: np.ndarray, mean: float, scale: float) -> np.ndarray:
    """Images as rows of standardised float32 numbers, (n, pixels of an image)."""
    rows = pixels.reshape(len(pixels), -1).astype(np.float32)
    rows -= np.float32(mean)
    rows /= np.float32(scale)
    return rows


@dataclass(frozen=True, eq=False)
class ImagePredictor:
    """Says which class an image of a fixed shape belongs to; saved whole in a model folder."""

    network: MLP
    shape: tuple[int, ...]
    mean: float
    scale: float
    classes: tuple[str, ...]
    report: TrainingReport

    def read(self, path: str | Path, *, answers: bool = False) -> ImageSet:
        """The images at a path; of a folder or NPZ with test images these."""
        train, test = read_images(path)
        images = test or train
        if answers and images.labels is None:
            raise BadInput(
                f"{images.path}: these images have no labels, so there is nothing to compare "
                "with. Use 'glassgrad predict' instead."
            )
        return images

    def outputs(self, images: ImageSet) -> np.ndarray:
        """What the network gives for every image, (n, classes)."""
        if images.shape != self.shape:
            raise BadInput(
                f"{images.path}: the images have shape {images.shape}; the model was trained on "
                f"{self.shape}. Cut or scale them to that shape."
            )
        pieces = [images.pixels[i : i + CHUNK] for i in range(0, len(images), CHUNK)]
        return np.concatenate(
            [np.asarray(self.network(image_inputs(p, self.mean, self.scale))) for p in pieces]
        )

    def predict(self, images: ImageSet) -> np.ndarray:
        """The label of every image."""
        return np.array(self.classes)[self.outputs(images).argmax(axis=1)]

    def probabilities(self, images: ImageSet) -> np.ndarray:
        """The probability of each class for every image."""
        return np.asarray(softmax(self.outputs(images).astype(float)))

    def evaluate(self, images: ImageSet) -> dict[str, float]:
        """The scores of the predictions against the images' own labels."""
        truth = encode_labels(images.labels or (), self.classes, images.place)
        return class_scores(self.outputs(images), truth)

    def validate(self) -> None:
        """Refuse parts that do not fit together."""
        inputs, outputs = self.network.sizes[0], self.network.sizes[-1]
        if min(self.shape, default=0) < 1 or inputs != np.prod([float(n) for n in self.shape]):
            raise BadInput(f"images of shape {self.shape} do not fill {inputs} inputs")
        if outputs != len(self.classes) or len(set(self.classes)) != outputs or outputs < 2:
            raise BadInput(f"{len(self.classes)} classes do not fit {outputs} outputs")
        if not self.scale > 0:
            raise BadInput(f"the scale must be above 0, not {self.scale}")
