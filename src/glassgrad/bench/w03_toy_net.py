"""W3: a 2-2-1 sigmoid network on the four rows of XOR, one SGD step, float32."""

from __future__ import annotations

from typing import Any

import numpy as np

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

RATE = 0.5


def start() -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """Parameters, inputs, targets."""
    rng = np.random.default_rng(0)
    shapes = [(2, 2), (2,), (2, 1), (1,)]
    params = tuple(rng.standard_normal(s).astype(np.float32) for s in shapes)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)
    return params, x, y


def error(params: Any, x: Any, y: Any, sigmoid: Any) -> Any:
    """The mean squared error, the same words in every library."""
    w1, b1, w2, b2 = params
    return ((sigmoid(sigmoid(x @ w1 + b1) @ w2 + b2) - y) ** 2).mean()


def glassgrad() -> Step:
    """The whole step in plain NumPy."""
    import glassgrad as gg

    def loss(params: Any, x: Any, y: Any) -> Any:
        return error(params, x, y, lambda z: 1 / (1 + np.exp(-z)))

    def train(params: Any, x: Any, y: Any) -> Any:
        value, grads = gg.value_and_grad(loss)(params, x, y)
        return value, tuple(p - RATE * g for p, g in zip(params, grads))

    params, x, y = start()
    return glassgrad_loop(train, params, [(x, y)])


def jax_jit() -> Step:
    """`jax.jit` of the whole step."""
    sigmoid = peer("jax").nn.sigmoid
    params, x, y = start()
    return jax_loop(jax_sgd(lambda p, x, y: error(p, x, y, sigmoid), RATE), params, [(x, y)])


def torch_eager() -> Step:
    """PyTorch's usual loop with torch.optim.SGD."""
    torch = peer("torch")
    first, x, y = start()
    params = [torch.tensor(p, requires_grad=True) for p in first]
    optimiser = torch.optim.SGD(params, lr=RATE)
    return torch_loop(lambda x, y: error(params, x, y, torch.sigmoid), [optimiser], [(x, y)])


def pytensor_shared() -> Step:
    """Shared variables, updated in place."""
    pytensor, pt = peer("pytensor"), peer("pytensor.tensor")
    first, x, y = start()
    shared = [pytensor.shared(p) for p in first]
    value = error(shared, pytensor.shared(x), pytensor.shared(y), pt.sigmoid)
    return pytensor_sgd(value, shared, RATE)


WORKLOAD = Race(
    "W3",
    "toy 2-2-1 sigmoid net on XOR, one SGD step",
    {
        "glassgrad": Contender(glassgrad),
        "jax.jit": Contender(jax_jit, "jax"),
        "pytensor": Contender(pytensor_shared, "pytensor"),
        **on_threads(torch_eager, 1),
    },
    bar=100,
)
