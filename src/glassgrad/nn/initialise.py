"""Initial values of parameters, drawn from explicit keys."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.transform import random


def uniform(key: Any, shape: tuple[int, ...], bound: float, dtype: Any) -> np.ndarray:
    """Numbers uniform in (-bound, bound)."""
    draws = np.asarray(random.uniform(key, shape))
    return ((2 * draws - 1) * bound).astype(dtype)


def linear(
    key: Any, inputs: int, outputs: int, dtype: Any = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Weight (outputs, inputs) and bias (outputs,) of a linear layer, as PyTorch draws them.

    Both are uniform within 1/sqrt(inputs): Kaiming's rule with a = sqrt(5).
    """
    bound = inputs**-0.5 if inputs else 0.0
    first, second = random.split(key, 2)
    weight = uniform(first, (outputs, inputs), bound, dtype)
    return weight, uniform(second, (outputs,), bound, dtype)
