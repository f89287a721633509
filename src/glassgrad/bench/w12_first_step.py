"""W12: the first step of W6 in a new process: trace, differentiate, compile, run.

All libraries are imported and the data are there; nothing is cached, but for the warm contender.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module

from glassgrad.bench.fresh import Fresh, at_most
from glassgrad.bench.w06_medium_mlp import MEDIUM
from glassgrad.bench.workload import Contender, Step

OURS = ("glassgrad.nn", "glassgrad.optim", "glassgrad.engines.native.program", "llvmlite.binding")


def first_step(modules: Sequence[str], setup: Callable[[], Step]) -> Step:
    """Imports; the step is to set up and make a step."""
    for name in modules:
        import_module(name)
    MEDIUM.start()
    return lambda: setup()()


def _contender(setup: Callable[[], Step], *modules: str, compiler: bool = False) -> Contender:
    return Contender(partial(first_step, modules, setup), modules[0].split(".")[0], compiler)


WORKLOAD = Fresh(
    "W12",
    "first step of W6 in a new process, libraries imported",
    {
        "glassgrad, cold cache": _contender(MEDIUM.glassgrad, *OURS),
        "glassgrad, warm cache": _contender(MEDIUM.glassgrad, *OURS),
        "jax.jit": _contender(MEDIUM.jax_jit, "jax", "jax.numpy"),
        "pytensor": _contender(MEDIUM.pytensor_shared, "pytensor", "pytensor.tensor"),
        "torch eager": _contender(MEDIUM.torch_eager, "torch"),
        "torch.compile": _contender(MEDIUM.torch_compiled, "torch", compiler=True),
    },
    at_most({"glassgrad, cold cache": 0.150, "glassgrad, warm cache": 0.020}),
    after={"glassgrad, warm cache": "glassgrad, cold cache"},
    slow=frozenset({"pytensor", "torch.compile"}),
)
