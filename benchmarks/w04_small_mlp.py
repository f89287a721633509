"""W4: an MLP 64-32-10 with ReLU, batch 32, softmax cross-entropy, one SGD step, float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from race import Step, race

RATE = 0.1


def start() -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Parameters, inputs, one-hot targets, labels."""
    rng = np.random.default_rng(0)
    shapes = [(64, 32), (32,), (32, 10), (10,)]
    params = [(0.2 * rng.standard_normal(s)).astype(np.float32) for s in shapes]
    x = rng.standard_normal((32, 64)).astype(np.float32)
    labels = rng.integers(0, 10, 32)
    return params, x, np.eye(10, dtype=np.float32)[labels], labels


def glassgrad() -> Step:
    """`gg.jit` of the whole step; the loss is written naively and made stable by glassgrad."""
    import glassgrad as gg

    def loss(params: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2 = params
        logits = np.maximum(x @ w1 + b1, 0) @ w2 + b2
        log_total = np.log(np.sum(np.exp(logits), axis=1, keepdims=True))
        return -np.mean(np.sum(y * (logits - log_total), axis=1))

    def train(params: Any, x: Any, y: Any) -> Any:
        value, grads = gg.value_and_grad(loss)(params, x, y)
        return value, tuple(p - RATE * g for p, g in zip(params, grads))

    compiled = gg.jit(train)
    first, x, y, _ = start()
    params = tuple(first)

    def step() -> Any:
        nonlocal params
        value, params = compiled(params, x, y)
        return value

    return step


def jax_jit() -> Step:
    """`jax.jit` of the whole step."""
    import jax
    import jax.numpy as jnp

    def loss(params: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2 = params
        logits = jax.nn.relu(x @ w1 + b1) @ w2 + b2
        return -jnp.mean(jnp.sum(y * jax.nn.log_softmax(logits), axis=1))

    def train(params: Any, x: Any, y: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(params, x, y)
        return value, [p - RATE * g for p, g in zip(params, grads)]

    compiled = jax.jit(train, donate_argnums=0)
    params, x, y, _ = start()
    state: Any = [jnp.asarray(p) for p in params]
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
    params, x, _, labels = start()
    w1, b1, w2, b2 = (torch.tensor(p, requires_grad=True) for p in params)
    xs, ys = torch.tensor(x), torch.tensor(labels)
    optimiser = torch.optim.SGD([w1, b1, w2, b2], lr=RATE)

    def step() -> Any:
        logits = torch.relu(xs @ w1 + b1) @ w2 + b2
        value = torch.nn.functional.cross_entropy(logits, ys)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        return value.detach()

    return step


def pytensor_shared() -> Step:
    """PyTensor with shared variables, updated in place."""
    import pytensor
    import pytensor.tensor as pt

    params, x, y, _ = start()
    w1, b1, w2, b2 = shared = [pytensor.shared(p) for p in params]
    xs, ys = pytensor.shared(x), pytensor.shared(y)
    logits = pt.maximum(xs @ w1 + b1, np.float32(0)) @ w2 + b2
    value = -(ys * pt.special.log_softmax(logits, axis=1)).sum(axis=1).mean()
    grads = pytensor.grad(value, shared)
    updates = [(p, p - np.float32(RATE) * g) for p, g in zip(shared, grads)]
    compiled = pytensor.function([], value, updates=updates)
    compiled.trust_input = True
    return compiled


if __name__ == "__main__":
    race(
        "W4: MLP 64-32-10, batch 32, one SGD step",
        {
            "glassgrad": ("glassgrad", glassgrad),
            "jax.jit": ("jax", jax_jit),
            "torch eager, 1 thread": ("torch", torch_eager),
            "pytensor": ("pytensor", pytensor_shared),
        },
        bar=8,
    )
