"""W3: a 2-2-1 sigmoid network on the four rows of XOR, one SGD step, float32, one thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from race import Step, race

RATE = 0.5


def start() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Parameters, inputs, targets."""
    rng = np.random.default_rng(0)
    shapes = [(2, 2), (2,), (2, 1), (1,)]
    params = [rng.standard_normal(s).astype(np.float32) for s in shapes]
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)
    return params, x, y


def functional_step(np_: Any, value_and_grad: Any) -> Any:
    """The step in NumPy's words, for libraries that differentiate functions."""

    def sigmoid(z: Any) -> Any:
        return 1 / (1 + np_.exp(-z))

    def loss(params: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2 = params
        hidden = sigmoid(x @ w1 + b1)
        return np_.mean((sigmoid(hidden @ w2 + b2) - y) ** 2)

    def step(params: Any, x: Any, y: Any) -> Any:
        value, grads = value_and_grad(loss)(params, x, y)
        return value, tuple(p - RATE * g for p, g in zip(params, grads))

    return step


def glassgrad() -> Step:
    """`gg.jit` of the whole step."""
    import glassgrad as gg

    compiled = gg.jit(functional_step(np, gg.value_and_grad))
    first, x, y = start()
    params = tuple(first)

    def step() -> Any:
        nonlocal params
        value, params = compiled(params, x, y)
        return value

    return step


def jax_jit() -> Step:
    """`jax.jit` of the whole step, parameters donated by rebinding."""
    import jax
    import jax.numpy as jnp

    compiled = jax.jit(functional_step(jnp, jax.value_and_grad))
    params, x, y = start()
    state = tuple(jnp.asarray(p) for p in params)
    x, y = jnp.asarray(x), jnp.asarray(y)

    def step() -> Any:
        nonlocal state
        value, state = compiled(state, x, y)
        return value.block_until_ready()

    return step


def torch_eager() -> Step:
    """PyTorch's usual loop with torch.optim.SGD, one thread."""
    import torch

    torch.set_num_threads(1)
    params, x, y = start()
    w1, b1, w2, b2 = (torch.tensor(p, requires_grad=True) for p in params)
    xs, ys = torch.tensor(x), torch.tensor(y)
    optimiser = torch.optim.SGD([w1, b1, w2, b2], lr=RATE)

    def step() -> Any:
        hidden = torch.sigmoid(xs @ w1 + b1)
        value = ((torch.sigmoid(hidden @ w2 + b2) - ys) ** 2).mean()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        return value.detach()

    return step


def pytensor_shared() -> Step:
    """PyTensor with shared variables, updated in place."""
    import pytensor
    import pytensor.tensor as pt

    params, x, y = start()
    w1, b1, w2, b2 = shared = [pytensor.shared(p) for p in params]
    xs, ys = pytensor.shared(x), pytensor.shared(y)
    hidden = pt.sigmoid(xs @ w1 + b1)
    value = ((pt.sigmoid(hidden @ w2 + b2) - ys) ** 2).mean()
    grads = pytensor.grad(value, shared)
    updates = [(p, p - np.float32(RATE) * g) for p, g in zip(shared, grads)]
    compiled = pytensor.function([], value, updates=updates)
    compiled.trust_input = True
    return compiled


if __name__ == "__main__":
    race(
        "W3: toy 2-2-1 sigmoid net, one SGD step",
        {
            "glassgrad": ("glassgrad", glassgrad),
            "jax.jit": ("jax", jax_jit),
            "torch eager, 1 thread": ("torch", torch_eager),
            "pytensor": ("pytensor", pytensor_shared),
        },
        bar=100,
    )
