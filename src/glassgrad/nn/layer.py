"""Layers that map features: linear maps, table look-up, activations, dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.graph.errors import DTypeError, GlassgradError, ShapeError
from glassgrad.nn import initialise
from glassgrad.nn.activation import activation, swish
from glassgrad.nn.module import Module, floats_of, static
from glassgrad.transform import random


class Linear(Module):
    """x @ weight.T + bias, with weight of shape (outputs, inputs) as in PyTorch.

    >>> layer = Linear(np.array([[1.0, 2.0]]), np.array([0.5]))
    >>> layer(np.array([[3.0, 4.0]])).tolist()
    [[11.5]]
    """

    weight: np.ndarray
    bias: np.ndarray | None = None

    @staticmethod
    def init(
        inputs: int, outputs: int, *, key: Any, bias: bool = True, dtype: Any = np.float32
    ) -> Linear:
        """A layer with PyTorch's default initial values."""
        weight, offset = initialise.linear(key, inputs, outputs, dtype)
        return Linear(weight, offset if bias else None)

    def __call__(self, x: Any) -> Any:
        """Map the last axis of x from inputs to outputs."""
        if x.shape[-1] != self.weight.shape[1]:
            raise ShapeError(
                f"Linear takes {self.weight.shape[1]} inputs (its weight is "
                f"{tuple(self.weight.shape)}: outputs, inputs), but x has shape {tuple(x.shape)}. "
                "Examples stand in rows, one feature a column."
            )
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias

    def validate(self) -> None:
        """Refuse arrays that make no layer."""
        weight, bias = self.weight.shape, self.bias
        if len(weight) != 2 or 0 in weight:
            raise ShapeError(f"weight has shape {weight}; a (outputs, inputs) matrix is needed")
        if self.weight.dtype.kind != "f":
            raise ShapeError(f"weight has dtype {self.weight.dtype}; a float is needed")
        if bias is not None and (bias.shape != weight[:1] or bias.dtype != self.weight.dtype):
            raise ShapeError(
                f"bias is {bias.dtype}{list(bias.shape)}; the weight, "
                f"{self.weight.dtype}{list(weight)}, needs {self.weight.dtype}[{weight[0]}]"
            )


class Embedding(Module):
    """A table of vectors, read by whole numbers: weight[ids], shape (*ids.shape, width).

    The gradient of the table is zero but for the rows that were read; a row that was read twice
    gets the sum.

    >>> Embedding(np.array([[1.0, 2.0], [3.0, 4.0]]))(np.array([1, 1])).tolist()
    [[3.0, 4.0], [3.0, 4.0]]
    """

    weight: np.ndarray

    @staticmethod
    def init(count: int, width: int, *, key: Any, dtype: Any = np.float32) -> Embedding:
        """A table of standard normal numbers, as PyTorch draws it."""
        return Embedding(initialise.normal(key, (count, width), 1.0, dtype))

    def __call__(self, ids: Any) -> Any:
        """The rows of the table."""
        kind = np.asarray(ids).dtype.kind if not hasattr(ids, "dtype") else ids.dtype.kind
        if kind not in "iu":
            raise DTypeError(f"an Embedding is read by whole numbers, not by {ids!r}")
        return self.weight[ids]

    def validate(self) -> None:
        """Refuse what is no table."""
        if self.weight.ndim != 2 or 0 in self.weight.shape or self.weight.dtype.kind != "f":
            raise ShapeError(
                f"weight is {self.weight.dtype}{list(self.weight.shape)}; an embedding needs a "
                "matrix of floats, one row an entry"
            )


class Activation(Module):
    """An activation function as a layer, by name.

    >>> Activation("relu")(np.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    name: str

    def __call__(self, x: Any) -> Any:
        """Apply it to every element."""
        return activation(self.name)(x)

    def validate(self) -> None:
        """Refuse an unknown name."""
        activation(self.name)


class PReLU(Module):
    """x where it is positive, weight·x below, with a slope that is learned (He et al. 2015).

    >>> PReLU(np.array([0.5]))(np.array([-2.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    weight: np.ndarray

    @staticmethod
    def init(channels: int = 1, slope: float = 0.25, dtype: Any = np.float32) -> PReLU:
        """One slope for all, or one for each entry of the last axis; PyTorch starts at 0.25."""
        return PReLU(np.full(channels, slope, dtype))

    def __call__(self, x: Any) -> Any:
        """Apply it to every element."""
        return np.where(x > 0, x, self.weight * x)

    def validate(self) -> None:
        """Refuse what is no row of slopes."""
        floats_of("PReLU", self.weight, weight=(self.weight, (self.weight.size,)))


class Swish(Module):
    """x·sigmoid(beta·x) with a beta that is learned (Ramachandran et al. 2017).

    >>> Swish(np.array(0.0))(np.array([2.0])).tolist()
    [1.0]
    """

    beta: np.ndarray

    @staticmethod
    def init(beta: float = 1.0, dtype: Any = np.float32) -> Swish:
        """One beta for all; 1 is silu."""
        return Swish(np.asarray(beta, dtype))

    def __call__(self, x: Any) -> Any:
        """Apply it to every element."""
        return swish(x, self.beta)

    def validate(self) -> None:
        """Refuse what is no float."""
        floats_of("Swish", self.beta, beta=(self.beta, self.beta.shape))


class Dropout(Module):
    """Each number becomes 0 with probability `rate`; the others are divided by 1 - rate.

    In training a call needs a key and drops what the key says: the same key, the same numbers.
    Evaluating, x passes as it is.

    >>> layer = Dropout(0.5)
    >>> sorted(set(layer(np.ones(64), key=random.key(0)).tolist()))
    [0.0, 2.0]
    """

    rate: float = static(default=0.5)
    training: bool = static(default=True)

    def __post_init__(self) -> None:
        """Refuse a rate that is none."""
        self.validate()

    @property
    def draws(self) -> bool:
        """Only in training."""
        return self.training and self.rate > 0

    def __call__(self, x: Any, *, key: Any = None) -> Any:
        """Drop numbers of x."""
        if not self.draws:
            return x
        keep = random.uniform(needed_key(self, key), np.shape(x), x.dtype) >= self.rate
        return np.where(keep, x / (1 - self.rate), 0)

    def validate(self) -> None:
        """Refuse what is no probability below 1."""
        if not 0 <= self.rate < 1:
            raise ShapeError(f"the rate is {self.rate}; it lies in 0 <= rate < 1")


def needed_key(module: Module, key: Any) -> Any:
    """The key, refused where there is none."""
    if key is None:
        raise MissingKey(
            f"{type(module).__name__} draws random numbers in training: call "
            "model(x, key=gg.random.key(seed)) with a new key for each step, or use "
            "gg.nn.evaluating(model)"
        )
    return key


class MissingKey(GlassgradError, TypeError):
    """A module that draws random numbers was called without a key."""
