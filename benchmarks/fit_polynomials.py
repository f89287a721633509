"""Where the coefficients of the vector functions come from: fits them anew, and judges them.

    python benchmarks/fit_polynomials.py

For each polynomial: the relative error of the function that the stored coefficients leave, and
that of a fresh fit (weighted least squares on Chebyshev nodes, reweighted towards the minimax by
Lawson's method; each coefficient is rounded in turn and the rest fitted again), as powers of two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath as mp
import numpy as np

from glassgrad.engines.native import math_erf, math_exp, math_log, math_power, math_tanh, math_trig

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
Real = Any
NODES, ROUNDS = 100, 6


def near_zero(f: Callable[[Real], Real], limit: Real) -> Callable[[Real], Real]:
    """`f`, with its limit where it would be 0/0."""
    return lambda x: f(x) if abs(x) > 1e-12 else limit


def rooted(f: Callable[[Real], Real]) -> Callable[[Real], Real]:
    """f(sqrt(z)), for the polynomials in the square of an argument."""
    return lambda z: f(mp.sqrt(z))


def fit(f: Any, terms: int, weight: Any, low: Real, high: Real) -> list[Real]:
    """Coefficients of 1, x, x**2, ... that nearly minimise the largest |weight * (f - p)|."""
    middle, half = (low + high) / 2, (high - low) / 2
    xs = [middle + half * mp.cos(mp.pi * (2 * i + 1) / (2 * NODES)) for i in range(NODES)]
    rows = [[weight(x) * x**p for p in range(terms)] for x in xs]
    wanted = [weight(x) * f(x) for x in xs]
    share, best, least = [mp.mpf(1)] * NODES, [], mp.inf
    for _ in range(ROUNDS):
        normal = mp.matrix(terms, terms)
        right = mp.matrix(terms, 1)
        for i in range(terms):
            right[i] = mp.fsum(s * r[i] * w for s, r, w in zip(share, rows, wanted))
            for j in range(terms):
                normal[i, j] = mp.fsum(s * r[i] * r[j] for s, r in zip(share, rows))
        found = list(mp.lu_solve(normal, right))
        errors = [abs(w - mp.fdot(found, r)) for w, r in zip(wanted, rows)]
        if max(errors) < least:
            least, best = max(errors), found
        share = [s * (e / max(errors) + mp.mpf("0.02")) for s, e in zip(share, errors)]
        mean = mp.fsum(share) / NODES
        share = [s / mean for s in share]
    return best


def rounded_fit(f: Any, terms: int, weight: Any, low: Real, high: Real, dtype: Any) -> list[Real]:
    """`fit`, with coefficients that the dtype holds."""
    fixed: list[Real] = []
    for j in range(terms):

        def rest(x: Real, known: Sequence[Real] = tuple(fixed)) -> Real:
            return f(x) - mp.fsum(c * x**p for p, c in enumerate(known))

        first = fit(
            lambda x, j=j: rest(x) / x**j if x else 0, terms - j,
            lambda x, j=j: weight(x) * abs(x) ** j, low, high,
        )[0]  # fmt: skip
        fixed.append(mp.mpf(float(dtype.type(float(first)))))
    return fixed


def largest_error(
    f: Any, coefficients: Sequence[Real], weight: Any, low: Real, high: Real
) -> float:
    """log2 of the largest |weight * (f - p)| on a grid."""
    xs = [low + (high - low) * i / 1000 for i in range(1001)]
    found = [
        abs(weight(x) * (f(x) - mp.fsum(mp.mpf(c) * x**p for p, c in enumerate(coefficients))))
        for x in xs
    ]
    return float(mp.log(max(found), 2))


def problems() -> dict[str, tuple[Any, ...]]:
    """name -> (function, weight, interval, dtype, stored coefficients)."""
    half_ln2 = mp.log(2) / 2 * mp.mpf("1.0005")
    exp = near_zero(lambda r: (mp.expm1(r) - r) / r**2, mp.mpf(1) / 2)
    of_exp = near_zero(lambda r: abs(r**2 / mp.expm1(r)), 0)
    root = mp.sqrt(2)
    cubic = near_zero(lambda f: (mp.log1p(f) - f + f * f / 2) / f**3, mp.mpf(1) / 3)
    of_log = near_zero(lambda f: abs(f**3 / mp.log1p(f)), 0)
    odd = near_zero(rooted(lambda s: (2 * mp.atanh(s) / s - 2) / s**2), mp.mpf(2) / 3)
    tail = near_zero(rooted(lambda s: (2 * mp.atanh(s) / s - 2 - 2 * s * s / 3) / s**4), 0.4)
    sine = near_zero(rooted(lambda r: (mp.sin(r) - r) / r**3), -mp.mpf(1) / 6)
    of_sine = near_zero(rooted(lambda r: r**3 / mp.sin(r)), 0)
    cosine = near_zero(rooted(lambda r: (mp.cos(r) - 1 + r * r / 2) / r**4), mp.mpf(1) / 24)
    tanh = near_zero(rooted(lambda x: (mp.tanh(x) / x - 1) / x**2), -mp.mpf(1) / 3)
    of_tanh = near_zero(rooted(lambda x: x**3 / mp.tanh(x)), 0)
    erf = near_zero(rooted(lambda x: mp.erf(x) / x - 1), 2 / mp.sqrt(mp.pi) - 1)
    of_erf = near_zero(rooted(lambda x: x / mp.erf(x)), mp.sqrt(mp.pi) / 2)
    squares = (mp.mpf(0), mp.mpf("0.02944"))
    turn = (mp.mpf(0), (mp.pi / 4 * mp.mpf("1.004")) ** 2)
    fraction = (1 / root - 1, root - 1)
    found: dict[str, tuple[Any, ...]] = {
        "log": (cubic, of_log, fraction, F32, math_log.CUBIC),
        "log, odd": (odd, lambda z: z / 2, squares, F64, math_log.ODD),
        "power, tail": (tail, lambda z: z**2 / 2, squares, F64, math_power.TAIL),
        "power, log": (odd, lambda z: z / 2, squares, F64, math_power.SHORT_LOG),
        "power, exp": (exp, lambda r: r**2, (-half_ln2, half_ln2), F64, math_power.SHORT_EXP),
    }
    for d in (F32, F64):
        exps, trigs, erfs = math_exp.TABLES[d], math_trig.TABLES[d], math_erf.TABLES[d]
        found |= {
            f"exp {d}": (exp, of_exp, (-half_ln2, half_ln2), d, exps.polynomial),
            f"sin {d}": (sine, of_sine, turn, d, trigs.sine),
            f"cos {d}": (cosine, rooted(lambda r: r**4 / mp.cos(r)), turn, d, trigs.cosine),
            f"tanh {d}": (tanh, of_tanh, (mp.mpf(0), mp.mpf(math_tanh.BORDER) ** 2), d,
                          math_tanh.NEAR[d]),
            f"erf, near {d}": (erf, of_erf, (mp.mpf(0), mp.mpf(math_erf.BORDER) ** 2), d,
                               erfs.near),
            f"erf, far {d}": (lambda x: -mp.log(mp.erfc(x)), lambda x: mp.erfc(x) / mp.erf(x),
                              (mp.mpf(math_erf.BORDER), mp.mpf(erfs.top)), d, erfs.far),
        }  # fmt: skip
    return found


def main() -> None:
    """Print the table."""
    mp.mp.dps = 45
    print("| polynomial | terms | stored, 2** | fresh fit, 2** |")
    print("|---|---|---|---|")
    for name, (f, weight, (low, high), dtype, stored) in problems().items():
        fresh = rounded_fit(f, len(stored), weight, low, high, dtype)
        judged = [largest_error(f, c, weight, low, high) for c in (stored, fresh)]
        print(f"| {name} | {len(stored)} | {judged[0]:.1f} | {judged[1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
