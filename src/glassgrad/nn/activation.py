"""Activation functions, each an ordinary NumPy function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def identity(x: Any) -> Any:
    """The input itself."""
    return x


def relu(x: Any) -> Any:
    """max(x, 0); its derivative at 0 is 0.

    >>> relu(np.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return np.maximum(x, 0)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return np.tanh(x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), exact in both tails: exp only ever sees a number that is not positive.

    >>> sigmoid(np.array([-40.0, 0.0, 800.0])).tolist()
    [4.248354255291589e-18, 0.5, 1.0]
    """
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), without overflow.

    >>> softplus(np.array([-800.0, 800.0])).tolist()
    [0.0, 800.0]
    """
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    f.__name__: f for f in (identity, relu, tanh, sigmoid, softplus)
}
"""The activations by name, as model files spell them."""


def activation(name: str) -> Callable[[Any], Any]:
    """The activation of that name; raises ValueError that lists them."""
    if name not in ACTIVATIONS:
        raise ValueError(f"no activation is called {name!r}; there are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
