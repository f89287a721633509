"""Elements a nanosecond of each vector function on one thread, against PyTorch and NumPy.

    python benchmarks/vector_functions.py [--size 16384] [--rounds 200]

The contenders take turns in every round; the best round of each counts. The arrays stay in the
cache. PyTorch is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.engines.native.flat_map import FlatMap

NAMES = (
    "exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sigmoid", "erf", "sqrt", "floor",
    "power",
)  # fmt: skip
SHARED: dict[str, Callable[..., Any]] = {
    "tanh and tanh'": lambda k, x: k.tanh(x) + k.tanh_slope(x),
    "sigmoid and sigmoid'": lambda k, x: k.sigmoid(x) + k.sigmoid_slope(x),
    "sin and cos": lambda k, x: k.sin(x) + k.cos(x),
    "softplus": lambda k, x: k.softplus(x),
}


def ours(name: str, x: Any, y: Any) -> Callable[[], Any]:
    """The native kernel of a function, bound to its arrays."""
    if name == "power":
        return FlatMap(lambda k, a, b: k.power(a, b), [x.dtype, x.dtype]).bind(x, y)
    rule = SHARED.get(name, lambda k, a: getattr(k, name)(a))
    return FlatMap(rule, [x.dtype]).bind(x)


def by_numpy(name: str, x: Any, y: Any) -> Callable[[], Any] | None:
    """NumPy's function of that name, if it has one."""
    function, out = getattr(np, name, None), np.empty_like(x)
    if function is None:
        return None
    operands = (x, y) if name == "power" else (x,)
    return lambda: function(*operands, out=out)


def by_torch(name: str, x: Any, y: Any) -> Callable[[], Any] | None:
    """PyTorch's function of that name, if it is installed and has one."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(1)
    function = getattr(torch, {"power": "pow"}.get(name, name), None)
    if function is None:
        return None
    operands = [torch.from_numpy(a) for a in ((x, y) if name == "power" else (x,))]
    out = torch.empty_like(operands[0])
    return lambda: function(*operands, out=out)


def best_times(runs: list[Callable[[], Any] | None], rounds: int) -> list[float]:
    """The shortest time of each, in seconds, taking turns."""
    best = [float("inf")] * len(runs)
    for _ in range(rounds):
        for i, run in enumerate(runs):
            if run is not None:
                began = time.perf_counter()
                run()
                best[i] = min(best[i], time.perf_counter() - began)
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=16384)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    import glassgrad.ops  # noqa: F401 - bodies of tanh_slope and others

    print("| function | dtype | glassgrad | PyTorch | NumPy |")
    print("|---|---|---|---|---|")
    for dtype in (np.float32, np.float64):
        x = np.linspace(0.05, 3, options.size).astype(dtype)
        y = x[::-1].copy()
        for name in (*NAMES, *SHARED):
            runs = [make(name, x, y) for make in (ours, by_torch, by_numpy)]
            speeds = [options.size / t / 1e9 for t in best_times(runs, options.rounds)]
            shown = " | ".join(f"{s:.2f}" if s else "" for s in speeds)
            print(f"| {name} | {np.dtype(dtype).name} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
