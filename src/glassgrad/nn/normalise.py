"""Layers that give activations mean 0 and variance 1: by example, or by batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from glassgrad.graph.errors import ShapeError
from glassgrad.nn.module import Module, floats_of, static
from glassgrad.nn.network import needed_state


class LayerNorm(Module):
    """Each example to mean 0 and variance 1 over its last axes, then scaled and moved.

    (x - mean)/√(variance + eps)·weight + bias, over as many axes as weight has (Ba, Kiros and
    Hinton 2016).

    >>> layer = LayerNorm.init(2, dtype=np.float64)
    >>> layer(np.array([[1.0, 3.0]])).round(4).tolist()
    [[-1.0, 1.0]]
    """

    weight: np.ndarray
    bias: np.ndarray
    eps: float = static(default=1e-5)

    @staticmethod
    def init(
        shape: int | tuple[int, ...], *, eps: float = 1e-5, dtype: Any = np.float32
    ) -> LayerNorm:
        """A layer for examples of that shape: weight 1, bias 0."""
        return LayerNorm(np.ones(shape, dtype), np.zeros(shape, dtype), eps)

    def __call__(self, x: Any) -> Any:
        """Normalise the last axes."""
        count = len(self.weight.shape)
        if tuple(x.shape[x.ndim - count :]) != tuple(self.weight.shape):
            raise ShapeError(
                f"LayerNorm is for examples of shape {tuple(self.weight.shape)}, but x has shape "
                f"{tuple(x.shape)}"
            )
        axes = tuple(range(x.ndim - count, x.ndim))
        centred = x - np.mean(x, axis=axes, keepdims=True)
        variance = np.mean(centred**2, axis=axes, keepdims=True)
        return centred / np.sqrt(variance + self.eps) * self.weight + self.bias

    def validate(self) -> None:
        """Refuse arrays that do not belong together."""
        shape = self.weight.shape
        floats_of("LayerNorm", self.weight, weight=(self.weight, shape), bias=(self.bias, shape))
        _positive("LayerNorm", self.eps)


def _positive(kind: str, eps: float) -> None:
    if not eps > 0:
        raise ShapeError(f"eps of {kind} is {eps}; it is positive, since one divides by its root")


class BatchStatistics(NamedTuple):
    """What a BatchNorm has seen: running mean and variance of each channel, and of how many."""

    running_mean: Any
    running_var: Any
    num_batches_tracked: Any


class BatchNorm(Module):
    """Each channel (axis 1) to mean 0 and variance 1 over the batch, then scaled and moved.

    The running statistics are no part of the module: `y, state = layer(x, state=state)`. Training,
    x is normalised by its own batch and the state moves by `momentum` towards it, the variance
    without bias; evaluating, by the state, which comes back as it was (Ioffe and Szegedy 2015).

    >>> layer = BatchNorm.init(1, dtype=np.float64)
    >>> y, state = layer(np.array([[1.0], [3.0]]), state=layer.initial_state())
    >>> y.round(4).tolist(), state.running_mean.tolist()
    ([[-1.0], [1.0]], [0.2])
    """

    weight: np.ndarray
    bias: np.ndarray
    eps: float = static(default=1e-5)
    momentum: float = static(default=0.1)
    training: bool = static(default=True)

    @staticmethod
    def init(
        channels: int, *, eps: float = 1e-5, momentum: float = 0.1, dtype: Any = np.float32
    ) -> BatchNorm:
        """A layer for that many channels: weight 1, bias 0."""
        return BatchNorm(np.ones(channels, dtype), np.zeros(channels, dtype), eps, momentum)

    @property
    def remembers(self) -> bool:
        """Always: evaluating, too, takes the statistics and gives them back."""
        return True

    def initial_state(self) -> BatchStatistics:
        """Mean 0 and variance 1, of no batch."""
        shape, dtype = self.weight.shape, self.weight.dtype
        return BatchStatistics(
            np.zeros(shape, dtype), np.ones(shape, dtype), np.zeros((), np.int64)
        )

    def __call__(self, x: Any, *, state: BatchStatistics | None = None) -> Any:
        """The normalised x, and the new statistics."""
        old: BatchStatistics = needed_state(self, state)
        if x.ndim < 2 or x.shape[1] != self.weight.shape[0]:
            raise ShapeError(
                f"BatchNorm has {self.weight.shape[0]} channels, which stand on axis 1, but x has "
                f"shape {tuple(x.shape)}"
            )
        mean, variance, new = old.running_mean, old.running_var, old
        if self.training:
            mean, variance, new = self._of_batch(x, old)
        shape = (1, -1, *[1] * (x.ndim - 2))
        centred = x - np.reshape(mean, shape)
        scale = self.weight / np.sqrt(variance + self.eps)
        return centred * np.reshape(scale, shape) + np.reshape(self.bias, shape), new

    def _of_batch(self, x: Any, old: BatchStatistics) -> tuple[Any, Any, BatchStatistics]:
        """The mean and variance of a batch, and the statistics moved towards them."""
        axes = (0, *range(2, x.ndim))
        count = x.size // x.shape[1]
        if count < 2:
            raise ShapeError(
                f"BatchNorm in training needs more than one number a channel; x has shape "
                f"{tuple(x.shape)}. Use larger batches, or gg.nn.evaluating(model)."
            )
        mean = np.mean(x, axis=axes)
        variance = np.mean((x - np.mean(x, axis=axes, keepdims=True)) ** 2, axis=axes)
        part = self.momentum
        new = BatchStatistics(
            (1 - part) * old.running_mean + part * mean,
            (1 - part) * old.running_var + part * (variance * (count / (count - 1))),
            old.num_batches_tracked + 1,
        )
        return mean, variance, new

    def validate(self) -> None:
        """Refuse arrays that do not belong together, and a momentum that is no part."""
        shape = (self.weight.size,)
        floats_of("BatchNorm", self.weight, weight=(self.weight, shape), bias=(self.bias, shape))
        _positive("BatchNorm", self.eps)
        if not 0 <= self.momentum <= 1:
            raise ShapeError(f"the momentum is {self.momentum}; it lies between 0 and 1")
