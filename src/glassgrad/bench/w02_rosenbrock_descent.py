"""W2: 10,000 gradient-descent steps on Rosenbrock's function in one call, float64."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from glassgrad.bench.race import Race
from glassgrad.bench.workload import Contender, Step, peer

STEPS, RATE, START = 10_000, 1e-3, (-1.2, 1.0)


def rosenbrock(x: Any, y: Any) -> Any:
    """The valley that descents are tried on; its least value is 0, at (1, 1)."""
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def descent(grad: Any, repeat: Any) -> Any:
    """The loss after all steps from a start; `repeat(body, start)` runs the loop."""
    slope = grad(rosenbrock, (0, 1))

    def body(point: Any) -> Any:
        return tuple(p - RATE * g for p, g in zip(point, slope(*point)))

    return lambda x, y: rosenbrock(*repeat(body, (x, y)))


def glassgrad() -> Step:
    """`gg.jit` of a `gg.scan`."""
    import glassgrad as gg

    def repeat(body: Any, start: Any) -> Any:
        return gg.scan(lambda point, _: (body(point), None), start, length=STEPS)[0]

    return partial(gg.jit(descent(gg.grad, repeat)), *START)


def jax_jit() -> Step:
    """`jax.jit` of a `fori_loop`."""
    jax = peer("jax")
    jax.config.update("jax_enable_x64", True)

    def repeat(body: Any, start: Any) -> Any:
        return jax.lax.fori_loop(0, STEPS, lambda _, point: body(point), start)

    compiled = jax.jit(descent(jax.grad, repeat))
    start = tuple(map(np.float64, START))
    return lambda: compiled(*start).block_until_ready()


WORKLOAD = Race(
    "W2",
    "Rosenbrock, 10,000 gradient-descent steps in one call, float64",
    {"glassgrad": Contender(glassgrad), "jax.jit": Contender(jax_jit, "jax")},
    bar=2,
)
