"""Layers put together: one after the other, and the multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from glassgrad.graph.errors import GlassgradError, ShapeError
from glassgrad.nn.activation import activation
from glassgrad.nn.layer import Linear, needed_key
from glassgrad.nn.module import Module
from glassgrad.transform import random


class Sequential(Module):
    """Layers one after the other.

    Where a layer draws random numbers the call takes `key=`, which is split among those that do.
    Where a layer keeps running statistics the call takes `state=` and returns (y, new state);
    `nn.initial_state(model)` is the first.

    >>> from glassgrad.nn import Activation
    >>> net = Sequential((Linear(np.eye(2)), Activation("relu")))
    >>> net(np.array([[-1.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """

    layers: tuple[Module, ...]

    @property
    def draws(self) -> bool:
        """Whether any layer does."""
        return any(layer.draws for layer in self.layers)

    @property
    def remembers(self) -> bool:
        """Whether any layer does."""
        return any(layer.remembers for layer in self.layers)

    def initial_state(self) -> tuple[Any, ...]:
        """The statistics of each layer before training, None where it has none."""
        return tuple(initial_state(layer) for layer in self.layers)

    def __call__(self, x: Any, *, key: Any = None, state: Any = None) -> Any:
        """Feed x through all layers."""
        keys = iter(_keys_for(self, key))
        states = needed_state(self, state) if self.remembers else (None,) * len(self.layers)
        kept: list[Any] = []
        for layer, old in zip(self.layers, states):
            extra = {"key": next(keys)} if layer.draws else {}
            if layer.remembers:
                x, new = layer(x, state=old, **extra)  # pyright: ignore[reportCallIssue]
            else:
                x, new = layer(x, **extra), None  # pyright: ignore[reportCallIssue]
            kept.append(new)
        return (x, tuple(kept)) if self.remembers else x


def _keys_for(model: Sequential, key: Any) -> list[Any]:
    """A key for each layer that draws."""
    count = sum(layer.draws for layer in model.layers)
    if count < 2:
        return [needed_key(model, key)] if count else []
    return list(random.split(needed_key(model, key), count))


class MissingState(GlassgradError, TypeError):
    """A module that keeps running statistics was called without them."""


def needed_state(module: Module, state: Any) -> Any:
    """The state, refused where there is none."""
    if state is None:
        raise MissingState(
            f"{type(module).__name__} keeps running statistics: call y, state = model(x, "
            "state=state), the first time with state = gg.nn.initial_state(model)"
        )
    return state


def initial_state(model: Any) -> Any:
    """The running statistics of a model before training; None where it keeps none.

    >>> initial_state(Sequential((Linear(np.eye(2)),))) is None
    True
    """
    return model.initial_state() if getattr(model, "remembers", False) else None


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

    def intermediates(self, x: Any) -> dict[str, Any]:
        """What every stage gives: f0, h1, f1, h2, ... with f = linear map, h = activation of it.

        >>> net = MLP.init([1, 3, 2], key=random.key(0))
        >>> list(net.intermediates(np.ones((1, 1), np.float32)))
        ['f0', 'h1', 'f1']
        """
        bend = activation(self.activation)
        found = {"f0": self.layers[0](x)}
        for i, layer in enumerate(self.layers[1:], start=1):
            found[f"h{i}"] = bend(found[f"f{i - 1}"])
            found[f"f{i}"] = layer(found[f"h{i}"])
        return found

    def parameters(self) -> dict[str, Any]:
        """The arrays under the names of formulas: offsets β and weights Ω, layer by layer.

        >>> list(MLP.init([1, 3, 2], key=random.key(0)).parameters())
        ['β0', 'Ω0', 'β1', 'Ω1']
        """
        named = {}
        for i, layer in enumerate(self.layers):
            named |= {f"β{i}": layer.bias, f"Ω{i}": layer.weight}
        return {name: array for name, array in named.items() if array is not None}

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
