"""Initial values of parameters, drawn from explicit keys, and the rules for their size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.transform import random
from glassgrad.transform.tree import flatten, unflatten


def uniform(key: Any, shape: tuple[int, ...], bound: float, dtype: Any) -> np.ndarray:
    """Numbers uniform in (-bound, bound)."""
    draws = np.asarray(random.uniform(key, shape))
    return ((2 * draws - 1) * bound).astype(dtype)


def normal(key: Any, shape: tuple[int, ...], deviation: float, dtype: Any) -> np.ndarray:
    """Normal numbers of mean 0."""
    return (np.asarray(random.normal(key, shape)) * deviation).astype(dtype)


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


def recurrent(key: Any, inputs: int, hidden: int, gates: int, dtype: Any) -> tuple[np.ndarray, ...]:
    """weight_ih, weight_hh, bias_ih, bias_hh of a cell, uniform within 1/sqrt(hidden)."""
    rows = gates * hidden
    shapes = ((rows, inputs), (rows, hidden), (rows,), (rows,))
    keys = random.split(key, len(shapes))
    return tuple(uniform(k, s, hidden**-0.5, dtype) for k, s in zip(keys, shapes))


def xavier(key: Any, shape: tuple[int, int], gain: float = 1.0, dtype: Any = np.float32) -> Any:
    """Uniform with variance gain²·2/(inputs + outputs), for a weight (outputs, inputs).

    Glorot and Bengio 2010: signals and gradients keep their size on average.

    >>> float(abs(xavier(random.key(0), (2, 4))).max()) <= 1.0
    True
    """
    outputs, inputs = shape
    return uniform(key, shape, gain * (6 / (inputs + outputs)) ** 0.5, dtype)


def kaiming(key: Any, shape: tuple[int, int], gain: float = 2**0.5, dtype: Any = np.float32) -> Any:
    """Normal with variance gain²/inputs, for a weight (outputs, inputs) before a relu.

    He et al. 2015: relu halves the variance, gain² = 2 brings it back.

    >>> kaiming(random.key(0), (2, 4)).shape
    (2, 4)
    """
    return normal(key, shape, gain / shape[1] ** 0.5, dtype)


def reinitialised(key: Any, model: Any, draw: Callable[[Any, tuple[int, int]], Any]) -> Any:
    """The model with every matrix drawn anew by `draw(key, shape)`; vectors stay.

    >>> from glassgrad import nn
    >>> net = reinitialised(random.key(0), nn.Linear(np.zeros((2, 3))), kaiming)
    >>> bool(net.weight.any()), net.weight.dtype.name
    (True, 'float64')
    """
    leaves, tree = flatten(model)
    keys = random.split(key, max(1, len(leaves)))
    new = [
        np.asarray(draw(k, leaf.shape), leaf.dtype) if np.ndim(leaf) == 2 else leaf
        for k, leaf in zip(keys, leaves)
    ]
    return unflatten(tree, new)
