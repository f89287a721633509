"""A trained network with all it takes to go from images to labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.images import ImageSet, read_images
from glassgrad.nn import MLP
from glassgrad.train.label_predictor import LabelPredictor, in_pieces
from glassgrad.train.report import TrainingReport

CHUNK = 8192


def image_inputs(pixels: np.ndarray, mean: float, scale: float) -> np.ndarray:
    """Images as rows of standardised float32 numbers, (n, pixels of an image)."""
    rows = pixels.reshape(len(pixels), -1).astype(np.float32)
    rows -= np.float32(mean)
    rows /= np.float32(scale)
    return rows


@dataclass(frozen=True, eq=False)
class ImagePredictor(LabelPredictor):
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

    def outputs(self, data: ImageSet) -> np.ndarray:
        """What the network gives for every image, (n, classes)."""
        if data.shape != self.shape:
            raise BadInput(
                f"{data.path}: the images have shape {data.shape}; the model was trained on "
                f"{self.shape}. Cut or scale them to that shape."
            )

        def logits(piece: slice) -> np.ndarray:
            return self.network(image_inputs(data.pixels[piece], self.mean, self.scale))

        return np.concatenate(in_pieces(logits, len(data), CHUNK))

    def validate(self) -> None:
        """Refuse parts that do not fit together."""
        inputs = self.network.sizes[0]
        if min(self.shape, default=0) < 1 or inputs != np.prod([float(n) for n in self.shape]):
            raise BadInput(f"images of shape {self.shape} do not fill {inputs} inputs")
        self.check_classes(self.network.sizes[-1])
        if not self.scale > 0:
            raise BadInput(f"the scale must be above 0, not {self.scale}")
