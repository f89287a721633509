"""Largest error found of each vector function in float64, on random arguments, against mpmath.

    python benchmarks/sampled_float64.py [--count 100000] [--level sse2] [exp power ...]

The arguments are drawn over all exponents, around 0 and 1, over the range where the function is
neither 0 nor infinite, and (sin, cos) next to multiples of pi/2. A sample finds a lower bound of
the largest error. Prints rows of a Markdown table; docs/accuracy.md holds the last ones.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np

from glassgrad.engines.native.flat_map import FlatMap
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.ulp import ulp_error

Array = np.ndarray[Any, Any]

JUDGES: dict[str, Callable[..., Any]] = {
    "exp": mpmath.exp, "log": mpmath.log, "sin": mpmath.sin, "cos": mpmath.cos,
    "tanh": mpmath.tanh, "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "expm1": mpmath.expm1,
    "log1p": mpmath.log1p, "erf": mpmath.erf, "sqrt": mpmath.sqrt, "power": mpmath.power,
}  # fmt: skip
LOWEST = {"log": 0.0, "sqrt": 0.0, "log1p": -1.0}
GROWS = ("exp", "expm1", "sigmoid", "tanh", "erf")


def arguments(name: str, count: int, rng: np.random.Generator) -> Array:
    """About `count` arguments of one function."""
    n = count // 8
    sign = rng.choice([-1.0, 1.0], n)
    parts = [
        rng.integers(0, 2**64, n, dtype=np.uint64).view(np.float64),
        rng.uniform(-1, 1, n), rng.uniform(-8, 8, n), rng.uniform(0.5, 2, n),
        sign * np.exp2(rng.uniform(-60, 10, n)), 1 + sign * np.exp2(rng.uniform(-53, -1, n)),
        rng.uniform(-750, 710, n),
        (rng.integers(1, 2**50, n) >> rng.integers(0, 50, n)) * (math.pi / 2),
    ]  # fmt: skip
    x = np.concatenate(parts)
    x = x[np.isfinite(x) & (x > LOWEST.get(name, -np.inf))]
    return np.clip(x, -800, 800) if name in GROWS else x


def pairs(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Arguments of power whose results are neither 0 nor infinite."""
    n = count // 3
    x = np.concatenate([np.exp(rng.uniform(-700, 700, n)), rng.uniform(0.5, 2, n),
                        1 + rng.uniform(-1, 1, n) * np.exp2(rng.uniform(-40, -1, n))])  # fmt: skip
    with np.errstate(divide="ignore"):
        y = rng.uniform(-745, 709, x.size) / np.abs(np.log(x))
    keep = np.isfinite(y)
    return x[keep], y[keep]


def left_out(exact: Any, value: float) -> float:
    """What a float leaves out of an exact result, in ulps of the float."""
    return float((exact - value) / math.ulp(value)) if math.isfinite(value) else 0.0


def exactly(name: str, operands: Sequence[Array]) -> tuple[Array, Array]:
    """The function by 50 digits: as float64, and what that leaves out."""
    values, rest = np.empty(operands[0].size), np.empty(operands[0].size)
    for i, xs in enumerate(zip(*(x.tolist() for x in operands))):
        turns = name in ("sin", "cos") and abs(xs[0]) > 1e6
        with mpmath.workdps(380 if turns else 50):
            y = JUDGES[name](*map(mpmath.mpf, xs))
            values[i] = float(y)
            rest[i] = left_out(y, values[i])
    return values, rest


def main() -> None:
    """Measure the functions named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="*", default=list(JUDGES), metavar="function")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--level", choices=["host", "avx2", "sse2"], default="host")
    options = parser.parse_args()
    host, rng = Target.host(), np.random.default_rng(64)
    target = host if options.level == "host" else host.restricted(options.level)
    print("| function | instructions | arguments | largest ULP found | at |")
    print("|---|---|---|---|---|")
    for name in options.functions:
        operands = pairs(options.count, rng) if name == "power" else ()
        operands = operands or (arguments(name, options.count, rng),)
        dtypes = [np.float64] * len(operands)
        run = FlatMap(lambda k, *x, name=name: getattr(k, name)(*x), dtypes, target)
        error = ulp_error(run(*operands), *exactly(name, operands))
        worst = int(error.argmax())
        where = ", ".join(repr(float(x[worst])) for x in operands)
        row = f"{name} | {options.level} | {error.size} | {error[worst]:.4f} | {where}"
        print(f"| {row} |", flush=True)


if __name__ == "__main__":
    main()
