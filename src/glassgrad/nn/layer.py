"""Layers and the networks made of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from glassgrad.graph.errors import ShapeError
from glassgrad.nn import initialise
from glassgrad.nn.activation import activation
from glassgrad.nn.module import Module
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


class Sequential(Module):
    """Layers one after the other.

    >>> net = Sequential((Linear(np.eye(2)), Activation("relu")))
    >>> net(np.array([[-1.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """

    layers: tuple[Module, ...]

    def __call__(self, x: Any) -> Any:
        """Feed x through all layers."""
        for layer in self.layers:
            x = layer(x)  # pyright: ignore[reportCallIssue]
        return x


class MLP(Module):
    """Linear layers with an activation between them; none after the last.

    >>> net = MLP.init([64, 32, 10], key=random.key(0))
    >>> net(np.zeros((5, 64), np.float32)).shape
    (5, 10)
    """

    layers: tuple[Linear, ...]
    activation: str = "relu"

    @staticmethod
    def init(
        sizes: Sequence[int], *, key: Any, activation: str = "relu", dtype: Any = np.float32
    ) -> MLP:
        """A network with sizes[0] inputs, sizes[-1] outputs and the hidden layers between."""
        if len(sizes) < 2:
            raise ShapeError(f"an MLP needs at least two sizes, inputs and outputs: got {sizes}")
        keys = random.split(key, len(sizes) - 1)
        pairs = pairwise(sizes)
        layers = (Linear.init(m, n, key=k, dtype=dtype) for (m, n), k in zip(pairs, keys))
        return MLP(tuple(layers), activation)

    def __call__(self, x: Any) -> Any:
        """Feed x through all layers."""
        bend = activation(self.activation)
        for layer in self.layers[:-1]:
            x = bend(layer(x))
        return self.layers[-1](x)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The widths: inputs, hidden layers, outputs."""
        return (self.layers[0].weight.shape[1], *(layer.weight.shape[0] for layer in self.layers))

    def validate(self) -> None:
        """Refuse layers that do not fit onto each other."""
        activation(self.activation)
        if not self.layers:
            raise ShapeError("an MLP has at least one layer")
        for i, (a, b) in enumerate(pairwise(self.layers)):
            if a.weight.shape[0] != b.weight.shape[1]:
                raise ShapeError(
                    f"layer {i} has {a.weight.shape[0]} outputs but layer {i + 1} takes "
                    f"{b.weight.shape[1]} inputs"
                )
