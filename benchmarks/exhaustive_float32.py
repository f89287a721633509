"""Largest error of each vector function over all 2**32 float32 arguments.

    python benchmarks/exhaustive_float32.py                  # all functions, half an hour
    python benchmarks/exhaustive_float32.py exp tanh         # some of them
    python benchmarks/exhaustive_float32.py --level sse2     # code for a lesser machine

The judge is float64 (NumPy and SciPy), whose own error is about 2**-29 float32 ulps. Prints rows
of a Markdown table; docs/accuracy.md holds the last ones.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from glassgrad.engines.native.flat_map import FlatMap
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.ulp import ulp_error

Array = np.ndarray[Any, Any]

JUDGES: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
    "sigmoid": special.expit, "expm1": np.expm1, "log1p": np.log1p, "erf": special.erf,
    "sqrt": np.sqrt, "floor": np.floor,
}  # fmt: skip
CHUNK = 2**18


def worst_error(name: str, target: Target, stride: int) -> tuple[float, float]:
    """The largest error in ulps over every `stride`-th float32, and where it is."""
    run = FlatMap(lambda k, x: getattr(k, name)(x), [np.float32], target)
    worst, where = -1.0, 0.0
    for start in range(0, 2**32, CHUNK * stride):
        x = np.arange(start, min(start + CHUNK * stride, 2**32), stride, dtype=np.uint64)
        x = x.astype(np.uint32).view(np.float32)
        with np.errstate(all="ignore"):
            error = ulp_error(run(x), JUDGES[name](x.astype(np.float64)))
        at = int(error.argmax())
        if error[at] > worst:
            worst, where = float(error[at]), float(x[at])
    return worst, where


def main() -> None:
    """Measure the functions named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="*", default=list(JUDGES), metavar="function")
    parser.add_argument("--level", choices=["host", "avx2", "sse2"], default="host")
    parser.add_argument("--stride", type=int, default=1, help="look at every n-th float only")
    options = parser.parse_args()
    host = Target.host()
    target = host if options.level == "host" else host.restricted(options.level)
    print("| function | instructions | max ULP | worst argument | seconds |")
    print("|---|---|---|---|---|")
    for name in options.functions:
        began = time.perf_counter()
        worst, where = worst_error(name, target, options.stride)
        took = time.perf_counter() - began
        row = f"{name} | {options.level} | {worst:.4f} | {where!r} ({where.hex()}) | {took:.0f}"
        print(f"| {row} |", flush=True)


if __name__ == "__main__":
    main()
