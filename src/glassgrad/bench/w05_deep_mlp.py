"""W5: a tanh MLP of 20 layers of 64, batch 64, mean squared error, one SGD step, float32."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from glassgrad.bench.classifier import Layers
from glassgrad.bench.race import Race
from glassgrad.bench.torch_threads import on_threads
from glassgrad.bench.training import (
    glassgrad_loop,
    jax_loop,
    jax_sgd,
    pytensor_sgd,
    torch_loop,
)
from glassgrad.bench.workload import Contender, Step, peer

RATE = 0.05


def error(params: Any, x: Any, y: Any, tanh: Any) -> Any:
    """The mean squared error, the same words in every library."""
    for w, b in params:
        x = tanh(x @ w + b)
    return ((x - y) ** 2).mean()


@dataclass(frozen=True)
class Deep:
    """How many layers of which width, and examples a step."""

    layers: int
    width: int
    batch: int

    def start(self) -> tuple[Layers, np.ndarray, np.ndarray]:
        """Weights and offsets of each layer, inputs, targets."""
        return _start(self.layers, self.width, self.batch)

    def glassgrad(self, budget: int | None = None) -> Step:
        """The whole step in plain NumPy."""
        import glassgrad as gg

        def train(params: Any, x: Any, y: Any) -> Any:
            value, grads = gg.value_and_grad(lambda p: error(p, x, y, np.tanh))(params)
            moved = [(w - RATE * dw, b - RATE * db) for (w, b), (dw, db) in zip(params, grads)]
            return value, moved

        params, x, y = self.start()
        return glassgrad_loop(train, params, [(x, y)], budget)

    def jax_jit(self) -> Step:
        """`jax.jit` of the whole step."""
        tanh = peer("jax.numpy").tanh
        params, x, y = self.start()
        return jax_loop(jax_sgd(lambda p, x, y: error(p, x, y, tanh), RATE), params, [(x, y)])

    def torch_eager(self) -> Step:
        """PyTorch's usual loop with the fused torch.optim.SGD."""
        torch = peer("torch")
        first, x, y = self.start()
        params = [tuple(torch.tensor(p, requires_grad=True) for p in layer) for layer in first]
        leaves = [p for layer in params for p in layer]
        optimiser = torch.optim.SGD(leaves, lr=RATE, fused=True)
        return torch_loop(lambda x, y: error(params, x, y, torch.tanh), [optimiser], [(x, y)])

    def pytensor_shared(self) -> Step:
        """Shared variables, updated in place."""
        pytensor, pt = peer("pytensor"), peer("pytensor.tensor")
        first, x, y = self.start()
        params = [tuple(map(pytensor.shared, layer)) for layer in first]
        value = error(params, pytensor.shared(x), pytensor.shared(y), pt.tanh)
        return pytensor_sgd(value, [p for layer in params for p in layer], RATE)


@cache
def _start(layers: int, width: int, batch: int) -> tuple[Layers, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    spread = np.float32(width**0.5)
    params = [(draw(width, width) / spread, 0.1 * draw(width)) for _ in range(layers)]
    return params, draw(batch, width), draw(batch, width)


DEEP = Deep(layers=20, width=64, batch=64)

WORKLOAD = Race(
    "W5",
    "tanh MLP of 20 layers x 64, batch 64, one SGD step",
    {
        "glassgrad": Contender(DEEP.glassgrad),
        "jax.jit": Contender(DEEP.jax_jit, "jax"),
        "pytensor": Contender(DEEP.pytensor_shared, "pytensor"),
        **on_threads(DEEP.torch_eager),
    },
    bar=2,
)
