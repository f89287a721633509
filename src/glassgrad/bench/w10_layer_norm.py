"""W10: mean(LayerNorm(SiLU(x)·g + GELU(x))²) of 1024x1024, value and both gradients, float32.

The mean square of what was normalised is nearly 1 whatever x is, so its gradients are what float32
leaves of a difference of equal numbers: the contenders agree on them within the size of that.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from glassgrad.bench.race import Race
from glassgrad.bench.torch_threads import on_threads
from glassgrad.bench.workload import Contender, Step, peer

SIZE, EPS = 1024, 1e-5


def start() -> tuple[np.ndarray, np.ndarray]:
    """The matrix x and the gate g."""
    rng = np.random.default_rng(0)
    x, g = (rng.standard_normal((SIZE, SIZE), np.float32) for _ in range(2))
    return x, g


def glassgrad() -> Step:
    """Plain NumPy with the names of `gg.nn`."""
    import glassgrad as gg

    def loss(x: Any, g: Any) -> Any:
        h = gg.nn.silu(x) * g + gg.nn.gelu(x)
        centred = h - h.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        return ((centred / np.sqrt(variance + EPS)) ** 2).mean()

    return partial(gg.jit(gg.value_and_grad(loss, (0, 1))), *start())


def jax_jit() -> Step:
    """`jax.jit`."""
    jax = peer("jax")

    def loss(x: Any, g: Any) -> Any:
        h = jax.nn.silu(x) * g + jax.nn.gelu(x, approximate=False)
        return (jax.nn.standardize(h, axis=-1, epsilon=EPS) ** 2).mean()

    compiled = jax.jit(jax.value_and_grad(loss, (0, 1)))
    arrays = tuple(map(jax.numpy.asarray, start()))
    return lambda: jax.block_until_ready(compiled(*arrays))


def torch_loss(x: Any, g: Any) -> Any:
    """The loss with PyTorch's fused functions."""
    f = peer("torch").nn.functional
    return (f.layer_norm(f.silu(x) * g + f.gelu(x), (SIZE,), eps=EPS) ** 2).mean()


def torch_step(loss: Any) -> Step:
    """Value and gradients by `torch.autograd.grad`."""
    torch = peer("torch")
    x, g = (torch.tensor(a, requires_grad=True) for a in start())

    def step() -> Any:
        value = loss(x, g)
        return value.detach(), torch.autograd.grad(value, [x, g])

    return step


def torch_eager() -> Step:
    """Op by op."""
    return torch_step(torch_loss)


def torch_compiled() -> Step:
    """`torch.compile`, which writes C++."""
    torch = peer("torch")
    f = torch.nn.functional

    def loss(x: Any, g: Any) -> Any:
        return (f.layer_norm(f.silu(x) * g + f.gelu(x), (SIZE,), eps=EPS) ** 2).mean()

    return torch_step(torch.compile(loss))


WORKLOAD = Race(
    "W10",
    "mean(LayerNorm(SiLU(x)·g + GELU(x))²), 1024x1024, value and both gradients",
    {
        "glassgrad": Contender(glassgrad),
        "jax.jit": Contender(jax_jit, "jax"),
        **on_threads(torch_eager),
        **on_threads(torch_compiled, name="torch.compile", compiler=True),
    },
    bar=2.5,
    absolute=1e-6,
)
