"""Double-length arithmetic: a number as the exact sum of two floats, the second one small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra, Operand


@dataclass(frozen=True)
class Pair:
    """The unevaluated sum ``high + low``."""

    high: Lanes
    low: Lanes


def ordered_sum(k: LLVMAlgebra, x: Operand, y: Operand) -> Pair:
    """x + y exactly, where |x| >= |y| or x is 0."""
    high = k.add(x, y)
    return Pair(high, k.subtract(y, high - x))


def exact_sum(k: LLVMAlgebra, x: Operand, y: Operand) -> Pair:
    """x + y exactly."""
    high = k.add(x, y)
    of_x = high - y
    return Pair(high, k.subtract(x, of_x) + k.subtract(y, high - of_x))


def exact_product(k: LLVMAlgebra, x: Lanes, y: Lanes) -> Pair:
    """x * y exactly, short of overflow and underflow (Dekker's splitting without FMA hardware)."""
    high = x * y
    if k.fused:
        return Pair(high, k.fma(x, y, -high))
    a, b = _split(k, x), _split(k, y)
    low = ((a.high * b.high - high) + a.high * b.low + a.low * b.high) + a.low * b.low
    return Pair(high, low)


def _split(k: LLVMAlgebra, x: Lanes) -> Pair:
    """x as the sum of two numbers of half the bits."""
    wide = x * (2.0 ** ((k.format(x).mantissa + 2) // 2) + 1)
    high = wide - (wide - x)
    return Pair(high, x - high)


def product(k: LLVMAlgebra, x: Pair, y: Pair) -> Pair:
    """x * y, to twice the precision; the low part may be a few ulps of the high one."""
    p = exact_product(k, x.high, y.high)
    return Pair(p.high, p.low + k.fma(x.high, y.low, x.low * y.high))


def residual(k: LLVMAlgebra, x: Lanes, y: Lanes, z: float) -> Lanes:
    """x - y*z without the rounding of the product."""
    if k.fused:
        return k.fma(y, -z, x)
    p = exact_product(k, y, k.lift(z, y))
    return (x - p.high) - p.low
