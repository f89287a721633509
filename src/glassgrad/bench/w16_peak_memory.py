"""W16: by how much five training steps raise the peak of a new process's memory.

The steps are those of W7, and of a tanh MLP of 200 layers of 256, batch 256. What was held after
the imports and the data does not count; code that was compiled does. With a budget a call of our
program needs at most so many bytes besides its arguments; the rest is what compiling took.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from glassgrad.bench.fresh import Fresh
from glassgrad.bench.w05_deep_mlp import Deep
from glassgrad.bench.w07_large_mlp import LARGE
from glassgrad.bench.workload import OWN, Contender, Contenders, Row, Step, Verdict, peer

STEPS = 5
BUDGETS = {"W7": 16 << 20, "200 layers": 16 << 20}
NETS = {"W7": LARGE, "200 layers": Deep(layers=200, width=256, batch=256)}
OURS = ("glassgrad.nn", "glassgrad.optim", "glassgrad.engines.native.program", "llvmlite.binding")


def some_steps(modules: tuple[str, ...], start: Callable[[], Any], setup: Any) -> Step:
    """Imports and data; the step is to set up and make some steps."""
    for name in modules:
        peer(name)
    start()
    return lambda: _last(setup())


def _last(step: Step) -> Any:
    for _ in range(STEPS - 1):
        step()
    return step()


def contenders() -> Contenders:
    """Each library with each network; PyTensor takes minutes to compile the second."""
    found: dict[str, Contender] = {}
    for label, net in NETS.items():
        budget = BUDGETS[label]
        ways = {
            "glassgrad": (net.glassgrad, OURS),
            f"glassgrad, {budget >> 20} MiB": (partial(net.glassgrad, budget), OURS),
            "jax.jit": (net.jax_jit, ("jax", "jax.numpy")),
            "pytensor": (net.pytensor_shared, ("pytensor", "pytensor.tensor")),
            "torch eager": (net.torch_eager, ("torch",)),
        }
        if label != "W7":
            del ways["pytensor"]
        for name, (setup, modules) in ways.items():
            ready = partial(some_steps, modules, net.start, setup)
            found[f"{name}, {label}"] = Contender(ready, modules[0].split(".")[0])
    return found


def judge(rows: tuple[Row, ...]) -> tuple[Verdict, ...]:
    """Glassgrad's peaks against the lowest of the peers', for each network."""
    found: list[Verdict] = []
    for label in NETS:
        measured = [r for r in rows if r.name.endswith(label)]
        own = [r for r in measured if r.name.startswith(OWN)]
        peers = [r for r in measured if r not in own]
        if peers:
            best = min(peers, key=lambda r: r.median)
            found += (
                Verdict(f"{r.name} / {best.name}", r.median / best.median, 1, least=False)
                for r in own
            )
    return tuple(found)


WORKLOAD = Fresh(
    "W16",
    "growth of the peak memory by five steps of W7 and of a 200-layer MLP",
    contenders(),
    judge,
    unit="bytes",
    rounds=1,
    slow=frozenset(n for n in contenders() if not n.endswith("W7")),
    alike=lambda name: name.rpartition(", ")[2],
)
