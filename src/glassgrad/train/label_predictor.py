"""What predictors of labels share: from logits to labels, probabilities and scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.data.labels import encode_labels
from glassgrad.data.stage import counted
from glassgrad.nn import softmax
from glassgrad.train.scores import class_scores


class Labelled(Protocol):
    """Examples, perhaps with their labels, each of which stands somewhere."""

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The known answers."""
        ...

    def place(self, i: int) -> str:
        """Where example i stands."""
        ...


class LabelPredictor(ABC):
    """Says which of some classes an example belongs to."""

    classes: tuple[str, ...]

    @abstractmethod
    def outputs(self, data: Any) -> np.ndarray:
        """The logits of every example, (n, classes)."""

    def predict(self, data: Any) -> np.ndarray:
        """The label of every example."""
        return np.array(self.classes)[self.outputs(data).argmax(axis=1)]

    def probabilities(self, data: Any) -> np.ndarray:
        """The probability of each class for every example."""
        return np.asarray(softmax(self.outputs(data).astype(float)))

    def evaluate(self, data: Labelled) -> dict[str, float]:
        """The scores of the predictions against the examples' own labels."""
        truth = encode_labels(data.labels or (), self.classes, data.place)
        return class_scores(self.outputs(data), truth)

    def check_classes(self, outputs: int) -> None:
        """Refuse classes that are not as many as the outputs of the network, or not different."""
        if outputs != len(self.classes) or len(set(self.classes)) != outputs or outputs < 2:
            raise BadInput(f"{len(self.classes)} classes do not fit {outputs} outputs")


def in_pieces(f: Callable[[slice], Any], rows: int, size: int) -> list[np.ndarray]:
    """What f gives for pieces of so many rows, one piece after the other."""
    starts = range(0, rows, size)
    return [
        np.asarray(f(slice(start, start + size)))
        for start in counted("predicting", starts, len(starts))
    ]
