"""W13: a chain of n sines and cosines: trace, gradient and compilation, in a new process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from glassgrad.bench.fresh import Fresh, at_most
from glassgrad.bench.workload import Contender, Step, peer

LENGTHS, LONGEST = (10, 100, 1000), 100_000
AT = 0.5


def chain(count: int, sin: Any, cos: Any) -> Callable[[Any], Any]:
    """sin(cos(sin(...))), `count` of them."""

    def run(x: Any) -> Any:
        for i in range(count):
            x = cos(x) if i % 2 else sin(x)
        return x

    return run


def glassgrad(count: int) -> Step:
    """`gg.jit` of `gg.value_and_grad`, and its first call."""
    import llvmlite.binding  # noqa: F401

    import glassgrad as gg
    import glassgrad.engines.compare
    import glassgrad.engines.native.program

    f, jit, slope = chain(count, np.sin, np.cos), gg.jit, gg.value_and_grad
    return lambda: jit(slope(f))(AT)


def jax_jit(count: int) -> Step:
    """`jax.jit` of `jax.value_and_grad`, and its first call."""
    jax = peer("jax")
    jax.config.update("jax_enable_x64", True)
    f = chain(count, jax.numpy.sin, jax.numpy.cos)
    return lambda: jax.block_until_ready(jax.jit(jax.value_and_grad(f))(AT))


def _named(library: str, count: int) -> str:
    return f"{library}, n = {count:,}"


WORKLOAD = Fresh(
    "W13",
    "chain of n sin/cos: trace, gradient, compile and first call",
    {
        **{_named("glassgrad", n): Contender(partial(glassgrad, n)) for n in (*LENGTHS, LONGEST)},
        **{_named("jax.jit", n): Contender(partial(jax_jit, n), "jax") for n in LENGTHS},
    },
    at_most({_named("glassgrad", 1000): 0.300, _named("glassgrad", LONGEST): 60.0}),
    rounds=3,
    slow=frozenset(
        {_named("glassgrad", LONGEST), *(_named("jax.jit", n) for n in LENGTHS if n > 10)}
    ),
    alike=lambda name: name.rpartition(", ")[2],
)
