"""Recurrent cells, and their run over a sequence by `gg.scan`."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.graph.errors import ShapeError
from glassgrad.nn import initialise
from glassgrad.nn.activation import activation, sigmoid
from glassgrad.nn.module import Module, floats_of
from glassgrad.transform import loop


class RNNCell(Module):
    """Elman's cell: h' = tanh(weight_ih·x + bias_ih + weight_hh·h + bias_hh).

    >>> from glassgrad import random
    >>> cell = RNNCell.init(3, 5, key=random.key(0))
    >>> cell(np.ones((2, 3), np.float32)).shape
    (2, 5)
    """

    weight_ih: np.ndarray
    weight_hh: np.ndarray
    bias_ih: np.ndarray
    bias_hh: np.ndarray
    activation: str = "tanh"

    @staticmethod
    def init(
        inputs: int, hidden: int, *, key: Any, activation: str = "tanh", dtype: Any = np.float32
    ) -> RNNCell:
        """A cell with PyTorch's default initial values: uniform within 1/sqrt(hidden)."""
        weights = initialise.recurrent(key, inputs, hidden, 1, dtype)
        return RNNCell(*weights, activation=activation)

    @property
    def hidden(self) -> int:
        """The width of the state."""
        return self.weight_hh.shape[1]

    def __call__(self, x: Any, h: Any = None) -> Any:
        """The next state from x (..., inputs) and the last, zeros where there is none."""
        h = first_state(self, x) if h is None else h
        z = x @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh
        return activation(self.activation)(z)

    def validate(self) -> None:
        """Refuse arrays that do not belong together."""
        activation(self.activation)
        _check(self, 1)


class GRUCell(Module):
    """The gated recurrent unit (Cho et al. 2014) with PyTorch's order of gates: r, z, n.

    r and z are sigmoids of x and h; n = tanh(x-part + r·h-part); h' = (1 - z)·n + z·h.

    >>> from glassgrad import random
    >>> cell = GRUCell.init(3, 5, key=random.key(0))
    >>> cell.weight_ih.shape, cell(np.ones((2, 3), np.float32)).shape
    ((15, 3), (2, 5))
    """

    weight_ih: np.ndarray
    weight_hh: np.ndarray
    bias_ih: np.ndarray
    bias_hh: np.ndarray

    @staticmethod
    def init(inputs: int, hidden: int, *, key: Any, dtype: Any = np.float32) -> GRUCell:
        """A cell with PyTorch's default initial values: uniform within 1/sqrt(hidden)."""
        return GRUCell(*initialise.recurrent(key, inputs, hidden, 3, dtype))

    @property
    def hidden(self) -> int:
        """The width of the state."""
        return self.weight_hh.shape[1]

    def __call__(self, x: Any, h: Any = None) -> Any:
        """The next state from x (..., inputs) and the last, zeros where there is none."""
        h = first_state(self, x) if h is None else h
        n = self.hidden
        a = x @ self.weight_ih.T + self.bias_ih
        b = h @ self.weight_hh.T + self.bias_hh
        reset = sigmoid(a[..., :n] + b[..., :n])
        keep = sigmoid(a[..., n : 2 * n] + b[..., n : 2 * n])
        new = np.tanh(a[..., 2 * n :] + reset * b[..., 2 * n :])
        return (1 - keep) * new + keep * h

    def validate(self) -> None:
        """Refuse arrays that do not belong together."""
        _check(self, 3)


def _check(cell: Any, gates: int) -> None:
    if cell.weight_ih.ndim != 2 or cell.weight_hh.ndim != 2 or 0 in cell.weight_hh.shape:
        raise ShapeError(f"the weights of {type(cell).__name__} are matrices")
    hidden, inputs = cell.weight_hh.shape[1], cell.weight_ih.shape[1]
    rows = gates * hidden
    floats_of(
        type(cell).__name__, cell.weight_ih, weight_ih=(cell.weight_ih, (rows, inputs)),
        weight_hh=(cell.weight_hh, (rows, hidden)), bias_ih=(cell.bias_ih, (rows,)),
        bias_hh=(cell.bias_hh, (rows,)),
    )  # fmt: skip


def first_state(cell: Any, x: Any) -> Any:
    """Zeros, one state an example of x."""
    inputs = cell.weight_ih.shape[1]
    if x.shape[-1] != inputs:
        raise ShapeError(
            f"{type(cell).__name__} takes {inputs} inputs, but x has shape {tuple(x.shape)}: "
            "features stand on the last axis"
        )
    return np.zeros((*x.shape[:-1], cell.hidden), cell.weight_hh.dtype)


class Recurrent(Module):
    """A cell run along a sequence: (time, ..., inputs) -> (states of all times, the last state).

    The body is traced once, however long the sequence is; gradients go back through time.

    >>> from glassgrad import random
    >>> net = Recurrent(RNNCell.init(3, 5, key=random.key(0)))
    >>> states, last = net(np.ones((7, 2, 3), np.float32))
    >>> states.shape, last.shape
    ((7, 2, 5), (2, 5))
    """

    cell: RNNCell | GRUCell

    def __call__(self, xs: Any, h: Any = None) -> Any:
        """All states and the last one, from the first, which is zero where it is not given."""
        if xs.ndim < 2:
            raise ShapeError(
                f"a sequence has the axes (time, ..., inputs); it has shape {tuple(xs.shape)}"
            )
        first = first_state(self.cell, xs[0]) if h is None else h

        def body(h: Any, x: Any) -> tuple[Any, Any]:
            new = self.cell(x, h)
            return new, new

        last, states = loop.scan(body, first, xs)
        return states, last
