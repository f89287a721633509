"""Activation functions by name: those of `gg.special`, and others as ordinary NumPy functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.array.special import gelu, log_sigmoid, sigmoid, silu, softplus
from glassgrad.graph.errors import ShapeError


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


def leaky_relu(x: Any, slope: Any = 0.01) -> Any:
    """x where it is positive, slope·x below; at 0 the derivative is the slope.

    >>> leaky_relu(np.array([-1.0, 2.0])).tolist()
    [-0.01, 2.0]
    """
    return np.where(x > 0, x, slope * x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, alpha·(exp(x) - 1) below (Clevert et al. 2016).

    >>> elu(np.array([-1.0, 2.0])).round(6).tolist()
    [-0.632121, 2.0]
    """
    below = np.where(x > 0, 0, x)  # expm1 never sees a large number
    return np.where(x > 0, x, alpha * np.expm1(below))


def swish(x: Any, beta: Any = 1.0) -> Any:
    """x·sigmoid(beta·x), with a beta that may be learned (Ramachandran et al. 2017).

    >>> float(swish(np.array(2.0), 0.0))
    1.0
    """
    return x * sigmoid(beta * x)


def gelu_tanh(x: Any) -> Any:
    """The form of gelu with tanh: x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).

    >>> float(gelu_tanh(np.array(1.0)).round(6))
    0.841192
    """
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
    return x * sigmoid(2 * u)  # (1 + tanh u)/2 is the sigmoid of 2u, which does not cancel


def gelu_sigmoid(x: Any) -> Any:
    """The form of gelu with a sigmoid: x·sigmoid(1.702·x).

    >>> float(gelu_sigmoid(np.array(1.0)).round(6))
    0.845796
    """
    return swish(x, 1.702)


def _halves(name: str, x: Any) -> tuple[Any, Any]:
    n = x.shape[-1]
    if n % 2:
        raise ShapeError(f"{name} halves the last axis, which has {n} entries: an even number")
    return x[..., : n // 2], x[..., n // 2 :]


def glu(x: Any) -> Any:
    """a·sigmoid(b), with a and b the halves of the last axis (Dauphin et al. 2017).

    >>> glu(np.array([3.0, 0.0])).tolist()
    [1.5]
    """
    a, b = _halves("glu", x)
    return a * sigmoid(b)


def swiglu(x: Any, beta: Any = 1.0) -> Any:
    """a·swish(b, beta), with a and b the halves of the last axis (Shazeer 2020).

    The second half is the gate, as in glu: swap the halves of weights whose gate comes first.

    >>> swiglu(np.array([10.0, 2.0])).round(5).tolist()
    [17.61594]
    """
    a, b = _halves("swiglu", x)
    return a * swish(b, beta)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    f.__name__: f
    for f in (
        identity, relu, tanh, sigmoid, softplus, log_sigmoid, leaky_relu, elu, silu, gelu,
        gelu_tanh, gelu_sigmoid,
    )
}  # fmt: skip
"""The activations by name, as model files spell them."""

GATES: dict[str, Callable[[Any], Any]] = {"glu": glu, "swiglu": swiglu}
"""Activations that halve the last axis."""


def activation(name: str) -> Callable[[Any], Any]:
    """The activation of that name; raises ValueError that lists them."""
    known = ACTIVATIONS | GATES
    if name not in known:
        raise ValueError(f"no activation is called {name!r}; there are {', '.join(known)}")
    return known[name]
