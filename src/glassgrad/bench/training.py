"""The loops around a compiled training step, one for each library: what W3 to W9 share.

A step returns the loss of before its update. Parameters live where a library keeps them best:
glassgrad's and JAX's are handed back to the compiled step, PyTensor's are shared variables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from glassgrad.bench.workload import Step, peer

Batches = Sequence[tuple[np.ndarray, np.ndarray]]  # inputs and targets of each step, in turn


def glassgrad_loop(
    train: Callable[..., Any], state: Any, batches: Batches, budget: int | None = None
) -> Step:
    """`train(state, x, y)` gives (loss, new state), in the arrays of the old one.

    It is called as the guide to compilation advises for short steps.
    """
    import glassgrad as gg
    from glassgrad.transform.tree import tree_map

    state = tree_map(np.array, state)
    compiled = gg.jit(train, donate=0, budget=budget).prepare(state, *batches[0])
    return _carry(compiled.__call__, state, batches)


def _carry(compiled: Callable[..., Any], state: Any, batches: Batches) -> Step:
    """Hands the state from one call to the next."""
    following = cycle(batches).__next__
    x, y = batches[0]

    def step_same() -> Any:
        nonlocal state
        value, state = compiled(state, x, y)
        return value

    def step_next() -> Any:
        nonlocal state
        value, state = compiled(state, *following())
        return value

    return step_same if len(batches) == 1 else step_next


def jax_loop(train: Callable[..., Any], state: Any, batches: Batches) -> Step:
    """The same with a donated state, all arrays on the device before."""
    jax = peer("jax")
    compiled = jax.jit(train, donate_argnums=0)
    to_jax = jax.numpy.asarray
    step = _carry(
        compiled, jax.tree.map(to_jax, state), [(to_jax(x), to_jax(y)) for x, y in batches]
    )
    return lambda: step().block_until_ready()


def jax_sgd(loss: Callable[..., Any], rate: float) -> Callable[..., Any]:
    """A training step of plain gradient descent in JAX."""
    jax = peer("jax")

    def train(params: Any, *batch: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(params, *batch)
        return value, jax.tree.map(lambda p, g: p - rate * g, params, grads)

    return train


def torch_loop(loss: Callable[..., Any], optimisers: Sequence[Any], batches: Batches) -> Step:
    """PyTorch's usual loop."""
    torch = peer("torch")
    following = cycle([tuple(map(torch.tensor, batch)) for batch in batches]).__next__

    def step() -> Any:
        value = loss(*following())
        for optimiser in optimisers:
            optimiser.zero_grad()
        value.backward()
        for optimiser in optimisers:
            optimiser.step()
        return value.detach()

    return step


def pytensor_sgd(value: Any, shared: Sequence[Any], rate: float) -> Step:
    """A function without arguments that updates shared variables in place."""
    pytensor = peer("pytensor")
    grads = pytensor.grad(value, shared)
    updates = [(p, p - np.float32(rate) * g) for p, g in zip(shared, grads)]
    return pytensor_step(value, updates)


def pytensor_step(value: Any, updates: Sequence[tuple[Any, Any]]) -> Step:
    """A compiled function that returns `value` and makes the updates."""
    compiled = peer("pytensor").function([], value, updates=list(updates))
    compiled.trust_input = True
    return compiled
