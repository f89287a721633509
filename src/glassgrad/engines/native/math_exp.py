"""exp and expm1: x = n ln 2 + r with an integer n and |r| <= ln 2 / 2, then 2**n times e**r.

The polynomials are minimax fits of (e**r - 1 - r)/r**2, relative to e**r - 1; their errors are
2**-26.1 (float32) and 2**-61.5 (float64).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassgrad.engines.native.math_double import ordered_sum
from glassgrad.graph.dtype import FLOAT32, FLOAT64, DType

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra

LOG2_E = 1.4426950408889634


@dataclass(frozen=True)
class _Table:
    """Bounds beyond which x e**x is 0 or infinite for sure, ln 2 in two parts, polynomial."""

    low: float
    high: float
    ln2_high: float  # few bits, so that a product with n is exact
    ln2_low: float
    polynomial: tuple[float, ...]


TABLES: dict[DType, _Table] = {
    FLOAT32: _Table(
        -112.0, 89.0, 0.693145751953125, 1.428606765330187e-06,
        (0.4999999701976776, 0.1666654348373413, 0.04166753962635994, 0.008366541005671024,
         0.0013861116021871567),
    ),
    FLOAT64: _Table(
        -760.0, 710.0, 0.6931471805598903, 5.497923018708371e-14,
        (0.5, 0.16666666666666677, 0.04166666666666662, 0.008333333333321457,
         0.0013888888888916044, 0.0001984126988650939, 2.480158725270527e-05,
         2.755724385907666e-06, 2.7557340400114586e-07, 2.5109150751440516e-08,
         2.089319440105231e-09),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Reduced:
    """x = n ln 2 + r, and e**r - 1 = r + rest (`rest` also carries what r's rounding lost)."""

    n: Lanes
    shifted: Lanes  # n + magic as bits: n stands in the low ones
    r: Lanes
    rest: Lanes


def reduce(
    k: LLVMAlgebra,
    x: Lanes,
    low: Lanes | float = 0.0,
    polynomial: tuple[float, ...] = (),
    bounds: tuple[float | None, float | None] | None = None,
) -> Reduced:
    """The reduced argument of x + low, clamped to where the result is neither 0 nor infinite.

    A bound of None says that x does not go beyond that anyway.
    """
    table, magic = TABLES[x.dtype], k.format(x).magic
    least, most = bounds or (table.low, None if k.is_minus_a_size(x) else table.high)
    x = x if least is None else k.where(k.less(x, least), least, x)
    x = x if most is None else k.where(k.less(most, x), most, x)
    shifted = k.fma(x, LOG2_E, magic)
    n = shifted - magic
    exact = k.fma(n, -table.ln2_high, x)
    r = k.fma(n, -table.ln2_low, exact)
    lost = k.fma(n, -table.ln2_low, exact - r)
    if not isinstance(low, float):
        pair = ordered_sum(k, r, lost + low)
        r, lost = pair.high, pair.low
    rest = k.fma(r * r, k.horner(r, polynomial or table.polynomial), lost)
    return Reduced(n, k.bits(shifted), r, rest)


def exp(k: LLVMAlgebra, x: Lanes) -> Lanes:
    """e to the x."""
    return scaled(k, reduce(k, x))


def scaled(k: LLVMAlgebra, e: Reduced) -> Lanes:
    """2**n (1 + r + rest)."""
    return scale(k, fraction(k, e), e)


def fraction(k: LLVMAlgebra, e: Reduced) -> Lanes:
    """1 + r + rest."""
    y = ordered_sum(k, 1.0, e.r)
    return y.high + (y.low + e.rest)


def scale(k: LLVMAlgebra, y: Lanes, e: Reduced) -> Lanes:
    """y * 2**n, rounded once, for any n that `reduce` gives."""
    hardware = _SCALE.get((y.value.type.text, k.function.target.vector_bytes))
    if hardware is not None:
        return _scale_avx512(k, y, e.n, *hardware)
    f = k.format(y)
    half = e.shifted >> 1
    first = k.floats((half << f.mantissa) + f.one)
    second = k.floats(((e.shifted - half) << f.mantissa) + f.one)
    return y * first * second


_SCALE = {("<16 x float>", 64): ("ps", 16), ("<8 x double>", 64): ("pd", 8)}


def _scale_avx512(k: LLVMAlgebra, y: Lanes, n: Lanes, suffix: str, lanes: int) -> Lanes:
    """One instruction; the same bits."""
    from glassgrad.engines.native.emit import I32, type_of

    f, vector = k.function, y.value.type
    mask = type_of("i", lanes)
    every, nearest = f.const(mask, -1), f.const(I32, 4)
    return k.wrap(
        f.intrinsic(
            f"llvm.x86.avx512.mask.scalef.{suffix}.512", vector, y.value, n.value, y.value, every,
            nearest, overloads=(),
        ),
        y.dtype,
    )  # fmt: skip


def power_of_two(k: LLVMAlgebra, e: Reduced, less: int = 0) -> Lanes:
    """2**(n - less), where that is a normal number."""
    f = k.format(e.n)
    return k.floats((e.shifted << f.mantissa) + (f.one - (less << f.mantissa)))


def expm1(k: LLVMAlgebra, x: Lanes) -> Lanes:
    """e to the x, less 1: (2**n - 1) + 2**n (r + rest), the large parts added exactly."""
    low = TABLES[x.dtype].low / 2  # the result is -1 from here on
    e = reduce(k, k.where(k.less(x, low), low, x))
    half = power_of_two(k, e, less=1)  # half of 2**n, which may overflow
    rest = half - 0.5
    high = k.fma(half, e.r, rest)
    lost = k.fma(half, e.r, rest - high)
    y = 2 * (high + k.fma(half, e.rest, lost))
    return k.copysign(k.where(k.equal(e.n, 0), e.r + e.rest, y), x)  # -0 gives -0
