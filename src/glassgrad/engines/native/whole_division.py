"""Division with a remainder, as NumPy rounds it: of integers by zero it gives 0.

Of reals the remainder is exact whatever the quotient: q = floor(|x/y|) is at most 1 too large where
it is below 2**52, and x - q*y, fused, is exact. Larger quotients go through long division, 52 bits
a turn, on significands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassgrad.engines.native.math_double import exact_product
from glassgrad.graph.dtype import FLOAT32, FLOAT64
from glassgrad.ops.division import BY_ZERO, OVERFLOW

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
    from glassgrad.engines.native.emit import Value

INFINITY, NAN = float("inf"), float("nan")
_DIGITS = 52  # bits of the quotient that one turn finds
_TURNS = -(-(2046 + 2 * 52) // _DIGITS)  # from the least subnormal number to the largest


def truncated(k: LLVMAlgebra, x: Lanes, y: Lanes) -> tuple[Lanes, Lanes]:
    """The quotient rounded towards 0, and what is left; the least integer by −1 is itself."""
    unsafe = k.equal(y, 0)
    k.fault(BY_ZERO, lambda: k.equal(y, 0))
    if x.dtype.kind == "i":
        unsafe = k.logical_or(unsafe, k.equal(y, -1))
    divisor = k.where(unsafe, 1, y)
    quotient = k.integer("sdiv" if x.dtype.kind == "i" else "udiv", x, divisor)
    left = k.where(unsafe, 0, x - quotient * divisor)
    quotient = k.where(k.equal(y, 0), 0, quotient)
    if x.dtype.kind == "i":
        quotient = k.where(k.equal(y, -1), 0 - x, quotient)
    return quotient, left


def floored(k: LLVMAlgebra, x: Lanes, y: Lanes) -> tuple[Lanes, Lanes]:
    """The quotient rounded down, and what is left, of the sign of y."""
    quotient, left = truncated(k, x, y)
    if x.dtype.kind != "i":
        return quotient, left
    opposed = k.not_equal(k.less(left, 0), k.less(y, 0))
    down = k.logical_and(k.not_equal(left, 0), opposed)
    return k.where(down, quotient - 1, quotient), k.where(down, left + y, left)


def real_remainder(k: LLVMAlgebra, x: Lanes, y: Lanes) -> Lanes:
    """What is left of x, of its sign, exactly: C's fmod."""
    if x.dtype == FLOAT32:
        wide = real_remainder(k, *(k.convert("fpext", v, FLOAT64) for v in (x, y)))
        return k.convert("fptrunc", wide, FLOAT32)
    a, b = k.abs(x), k.abs(y)
    regular = k.logical_and(k.less(a, INFINITY), k.less(0, b))  # false of NaN too
    regular = k.logical_and(regular, k.equal(b, b))
    within = k.logical_and(regular, k.less_equal(b, a))
    a1, b1 = k.where(within, a, 0.0), k.where(within, b, 1.0)
    ratio = a1 / b1
    short = _less_multiple(k, a1, b1, k.floor(ratio))
    (found,) = k.rarely(
        k.less_equal(2.0**_DIGITS, ratio), lambda: [_long_division(k, a1, b1)], [short]
    )
    found = k.where(within, found, k.where(regular, a, NAN))
    return k.copysign(found, x)


def _less_multiple(k: LLVMAlgebra, a: Lanes, b: Lanes, q: Lanes) -> Lanes:
    """a - q*b, exactly, where q is a/b rounded down, or that and 1."""
    if k.fused:
        left = k.fma(-q, b, a)
    else:  # the product is split, which must not overflow
        scale = k.where(k.less(2.0**900, b), k.lift(2.0**-200, b), 1.0)
        p = exact_product(k, q, b * scale)
        left = ((a * scale - p.high) - p.low) * (1 / scale)
    return k.where(k.less(left, 0), left + b, left)


def _long_division(k: LLVMAlgebra, a: Lanes, b: Lanes) -> Lanes:
    """a mod b for positive finite numbers, a >= b."""
    top, high = _significand(k, a)
    divisor, low = _significand(k, b)

    def turn(_: Value, *carried: Value) -> Sequence[Value]:
        left, still = k.wrap(carried[0], FLOAT64), k.wrap(carried[1], high.dtype)
        bits = k.minimum(still, _DIGITS)
        scaled = left * _two_to(k, bits)
        next_ = _less_multiple(k, scaled, divisor, k.floor(scaled / divisor))
        return [next_.value, (still - bits).value]

    first = _less_multiple(k, top, divisor, k.floor(top / divisor))
    left = k.function.loop(0, _TURNS, 1, turn, [first.value, (high - low).value])[0]
    half = k.integer("ashr", low, 1)
    return k.wrap(left, FLOAT64) * _two_to(k, half) * _two_to(k, low - half)


def _significand(k: LLVMAlgebra, a: Lanes) -> tuple[Lanes, Lanes]:
    """A positive finite number as m in [1, 2) and an exponent."""
    small = k.less(a, 2.0**-1022)
    bits = k.bits(k.where(small, a * 2.0**54, a))
    exponent = k.integer("lshr", bits, 52) - k.where(small, k.lift(1023 + 54, bits), 1023)
    return k.floats((bits & (2**52 - 1)) | (1023 << 52)), exponent


def _two_to(k: LLVMAlgebra, n: Lanes) -> Lanes:
    """2**n for n from -1022 to 1023."""
    return k.floats((n + 1023) << 52)


def real_quotient(k: LLVMAlgebra, x: Lanes, y: Lanes) -> tuple[Lanes, Lanes]:
    """⌊x/y⌋ and what is left, of the sign of y: NumPy's steps, each rounded."""
    left = real_remainder(k, x, y)
    quotient = (x - left) / y
    opposed = k.logical_and(k.not_equal(left, 0), k.not_equal(k.less(y, 0), k.less(left, 0)))
    quotient = k.where(opposed, quotient - 1, quotient)
    nearest = k.floor(quotient)
    nearest = k.where(k.less(0.5, quotient - nearest), nearest + 1, nearest)
    plain = x / y
    whole = k.where(k.equal(quotient, 0), k.copysign(k.lift(0.0, x), plain), nearest)
    whole = k.where(k.equal(y, 0), plain, whole)
    rest = k.where(opposed, left + y, left)
    rest = k.where(k.equal(left, 0), k.copysign(k.lift(0.0, x), y), rest)
    return whole, rest


def _overflows(k: LLVMAlgebra, x: Lanes, y: Lanes) -> Lanes:
    """Whether the quotient is 1 above the largest integer."""
    return k.logical_and(k.equal(x, int(np.iinfo(x.dtype).min)), k.equal(y, -1))


class WholeDivision:
    """The division ops of an algebra."""

    def floor_divide(self: LLVMAlgebra, x: Lanes, y: Lanes) -> Lanes:  # pyright: ignore
        """The quotient, rounded down."""
        a, b = self._lifted(x, y)
        quotient = (real_quotient if a.dtype.kind == "f" else floored)(self, a, b)[0]
        self.fault(OVERFLOW, lambda: _overflows(self, a, b))
        return quotient

    def remainder(self: LLVMAlgebra, x: Lanes, y: Lanes) -> Lanes:  # pyright: ignore
        """What is left, of the sign of y."""
        a, b = self._lifted(x, y)
        return (real_quotient if a.dtype.kind == "f" else floored)(self, a, b)[1]

    def fmod(self: LLVMAlgebra, x: Lanes, y: Lanes) -> Lanes:  # pyright: ignore
        """What is left, of the sign of x."""
        a, b = self._lifted(x, y)
        return real_remainder(self, a, b) if a.dtype.kind == "f" else truncated(self, a, b)[1]
