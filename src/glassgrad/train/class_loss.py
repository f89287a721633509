"""Loss and accuracy of any model whose outputs are logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.nn import cross_entropy
from glassgrad.train.metric import Metric


def class_loss(model: Any, x: Any, labels: Any) -> Any:
    """The mean cross-entropy of a model's logits with class numbers."""
    return cross_entropy(model(x), labels)


def accuracy(model: Any, x: Any, labels: Any) -> Any:
    """The share of rows whose highest logit is that of the label."""
    logits = model(x)
    chosen = np.arange(logits.shape[1]) == labels[:, None]
    return np.mean(np.sum(np.where(chosen, logits, 0), axis=1) == np.max(logits, axis=1))


ACCURACY = Metric("accuracy", accuracy)
