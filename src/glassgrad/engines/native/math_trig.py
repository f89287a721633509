"""sin and cos for every argument: x = q pi/2 + r with an integer q and |r| <= pi/4.

Arguments of ordinary size are reduced with pi/2 in three parts; if any lane is beyond BOUND, a
seldom taken jump reduces those lanes exactly (`math_reduction`). The polynomials are minimax, with
errors 2**-27.8 and 2**-32.9 (float32), 2**-57.8 and 2**-63.8 (float64).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassgrad.engines.native.math_double import exact_product, residual
from glassgrad.engines.native.math_reduction import reduce_exactly
from glassgrad.graph.dtype import FLOAT32, FLOAT64, DType

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra

TWO_OVER_PI = 0.6366197723675814


@dataclass(frozen=True)
class _Table:
    """Where the quick reduction ends, pi/2 in three parts, and the polynomials in r**2.

    They are (sin r - r)/r**3 and (cos r - 1 + r**2/2)/r**4.
    """

    bound: float
    half_pi: tuple[float, float, float]
    sine: tuple[float, ...]
    cosine: tuple[float, ...]


TABLES: dict[DType, _Table] = {
    FLOAT32: _Table(
        2.0**15,
        (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
        (-0.16666653752326965, 0.008332115598022938, -0.0001950983569258824),
        (0.04166664555668831, -0.0013887305976822972, 2.443165249133017e-05),
    ),
    FLOAT64: _Table(
        2.0**30,
        (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
        (-0.1666666666666663, 0.008333333333321785, -0.0001984126982928819,
         2.755731350799873e-06, -2.5050728897459108e-08, 1.5895082208502871e-10),
        (0.04166666666666659, -0.0013888888888872227, 2.48015872883394e-05,
         -2.7557314031837023e-07, 2.087568078737321e-09, -1.1357494888255963e-11),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Turned:
    """x = q pi/2 + r + low; the two lowest bits of `quarter` are those of q."""

    quarter: Lanes
    r: Lanes
    low: Lanes


def reduce(k: LLVMAlgebra, x: Lanes) -> Turned:
    """The reduced argument; NaN for infinities."""
    table, magic = TABLES[x.dtype], k.format(x).magic
    first, second, third = table.half_pi
    shifted = k.fma(x, TWO_OVER_PI, magic)
    q = shifted - magic
    lead = residual(k, x, q, first)
    p = exact_product(k, q, k.lift(second, q))
    r = lead - p.high  # what this rounds away goes to the low part, exactly
    low = k.fma(q, -third, ((lead - r) - p.high) - p.low)
    size = k.abs(x)
    large = k.less_equal(table.bound, size)
    quick = (k.bits(shifted), r, low)
    return Turned(*k.rarely(large, lambda: reduce_exactly(k, x, large, quick), quick))


def _around(k: LLVMAlgebra, x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """The quarter of x, and sine and cosine of what is left."""
    t, table = reduce(k, x), TABLES[x.dtype]
    z = t.r * t.r
    sine = t.r + k.fma(t.r * z, k.horner(z, table.sine), t.low)
    half = 0.5 * z
    lead = 1 - half
    rest = k.fma(z * z, k.horner(z, table.cosine), (1 - lead) - half)
    cosine = lead + (rest - t.r * t.low)
    return t.quarter, sine, cosine


def _turned(k: LLVMAlgebra, quarter: Lanes, even: Lanes, odd: Lanes) -> Lanes:
    """`even` or `odd` by the lowest bit of `quarter`, its sign turned by the next bit."""
    chosen = k.bits(k.where(k.equal(quarter & 1, 0), even, odd))
    return k.floats(chosen ^ ((quarter & 2) << (k.format(even).bits - 2)))


def sine_and_cosine(k: LLVMAlgebra, x: Lanes) -> tuple[Lanes, Lanes]:
    """The sine (-0 of -0) and the cosine of x radians."""
    quarter, sine, cosine = _around(k, x)
    found = k.where(k.equal(x, 0), x, _turned(k, quarter, sine, cosine))
    return found, _turned(k, quarter + 1, sine, cosine)  # cos x = sin(x + pi/2)
