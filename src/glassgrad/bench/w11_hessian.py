"""W11: the Hessian of a tanh MLP with 433 parameters, batch 32, float32."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from glassgrad.bench.race import Race
from glassgrad.bench.torch_threads import on_threads
from glassgrad.bench.workload import Contender, Step, peer

SIZES, BATCH = (8, 16, 16, 1), 32
COUNT = sum((m + 1) * n for m, n in pairwise(SIZES))


def start() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All parameters in one vector, inputs, targets."""
    rng = np.random.default_rng(0)
    params = 0.4 * rng.standard_normal(COUNT, np.float32)
    x = rng.standard_normal((BATCH, SIZES[0]), np.float32)
    return params, x, rng.standard_normal((BATCH, SIZES[-1]), np.float32)


def error(params: Any, x: Any, y: Any, tanh: Any) -> Any:
    """The mean squared error, the same words in every library."""
    at = 0
    for m, n in pairwise(SIZES):
        w, b = params[at : at + m * n].reshape(m, n), params[at + m * n : at + (m + 1) * n]
        x, at = x @ w + b, at + (m + 1) * n
        x = tanh(x) if at < COUNT else x
    return ((x - y) ** 2).mean()


def glassgrad() -> Step:
    """`gg.jit(gg.hessian(...))`."""
    import glassgrad as gg

    params, x, y = start()
    return partial(gg.jit(gg.hessian(lambda p, x, y: error(p, x, y, np.tanh))), params, x, y)


def jax_jit() -> Step:
    """`jax.jit(jax.hessian(...))`."""
    jax = peer("jax")
    tanh = jax.numpy.tanh
    compiled = jax.jit(jax.hessian(lambda p, x, y: error(p, x, y, tanh)))
    arrays = tuple(map(jax.numpy.asarray, start()))
    return lambda: compiled(*arrays).block_until_ready()


def torch_func() -> Step:
    """`torch.func.hessian`."""
    torch = peer("torch")
    params, x, y = map(torch.tensor, start())
    hessian = torch.func.hessian(lambda p: error(p, x, y, torch.tanh))
    return lambda: hessian(params).detach()


WORKLOAD = Race(
    "W11",
    f"Hessian of a tanh MLP with {COUNT} parameters, batch 32",
    {
        "glassgrad": Contender(glassgrad),
        "jax.jit": Contender(jax_jit, "jax"),
        **on_threads(torch_func, name="torch.func"),
    },
    bar=2,
    absolute=1e-4,
)
