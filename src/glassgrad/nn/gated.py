"""Gated linear units: one linear map of the input, scaled by an activation of another."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.graph.errors import ShapeError
from glassgrad.nn.layer import Activation, Linear, Swish
from glassgrad.nn.module import Module
from glassgrad.transform import random


class Gated(Module):
    """value(x) · act(gate(x)): GLU with a sigmoid (Dauphin 2017), SwiGLU with swish (Shazeer 2020).

    >>> one, two = (Linear(np.array([[w]])) for w in (1.0, 2.0))
    >>> Gated(one, two, Activation("relu"))(np.array([[-1.0], [3.0]])).tolist()
    [[-0.0], [18.0]]
    """

    value: Linear
    gate: Linear
    act: Activation | Swish

    @staticmethod
    def init(
        inputs: int,
        outputs: int,
        act: str | Swish = "silu",
        *,
        key: Any,
        bias: bool = True,
        dtype: Any = np.float32,
    ) -> Gated:
        """Two new linear maps; `act` names the gate's activation, or is a Swish that learns beta.

        >>> Gated.init(4, 3, "sigmoid", key=random.key(0))(np.ones((2, 4), np.float32)).shape
        (2, 3)
        """
        keys = random.split(key, 2)
        value, gate = (Linear.init(inputs, outputs, key=k, bias=bias, dtype=dtype) for k in keys)
        return Gated(value, gate, Activation(act) if isinstance(act, str) else act)

    def __call__(self, x: Any) -> Any:
        """Map the last axis of x from inputs to outputs."""
        return self.value(x) * self.act(self.gate(x))

    def validate(self) -> None:
        """Refuse two maps that do not have the same shape."""
        value, gate = self.value.weight.shape, self.gate.weight.shape
        if value != gate:
            raise ShapeError(f"value {list(value)} and gate {list(gate)} need one shape")
