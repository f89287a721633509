"""x to the y as exp(y log |x|), computed with the bits that y takes away to spare.

In float32 the inside is float64. In float64 the logarithm is a pair of floats with an error of
about 2**-65: with s = f/(2 + f) it is s (2 + 2/3 s**2 + s**4 P(s**2)), its leading terms in pairs.
Special cases are those of C's pow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassgrad.engines.native.math_double import Pair, exact_product, ordered_sum, product
from glassgrad.engines.native.math_exp import TABLES, reduce, scaled
from glassgrad.engines.native.math_log import split
from glassgrad.graph.dtype import BOOL, FLOAT32, FLOAT64

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
    from glassgrad.engines.native.emit import Value

TAIL = (
    0.3999999999999998, 0.2857142857144383, 0.22222222217793502, 0.1818181884348535,
    0.15384558463634163, 0.13336263179564534, 0.11675806401087374, 0.1198155031104388,
)  # fmt: skip
"""(2 atanh(s) - 2 s - 2/3 s**3) / s**5 in s**2, relative error of the logarithm 2**-73."""

SHORT_LOG = (
    0.6666666667582066, 0.3999999561647211, 0.28572109618212177, 0.2217617285173052,
    0.19584342904647434,
)  # fmt: skip
"""(2 atanh(s) - 2 s) / s**3 in s**2 to 2**-44.9: enough for float32."""

SHORT_EXP = (
    0.49999999999520467, 0.16666666787158177, 0.04166666705272322, 0.008333281131354606,
    0.0013888797029698963, 0.00019909328970331834, 2.488718382770348e-05,
)  # fmt: skip
"""(e**r - 1 - r) / r**2 to 2**-39.6: enough for float32."""

TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
LN2 = 0.6931471805599453


def integer_power(k: LLVMAlgebra, x: Lanes, y: Lanes) -> Lanes:
    """x to the y of integers, wrapping, by squaring; for y < 0 it is 1/x**-y rounded to 0."""
    if x.dtype == BOOL:
        return k.logical_or(x, k.logical_not(y))
    unit = k.logical_or(k.equal(x, 1), k.equal(x, -1)) if x.dtype.kind == "i" else None
    size = y if unit is None else k.abs(y)

    def square(_: Value, *carried: Value) -> list[Value]:
        product, base, left = (k.wrap(v, x.dtype) for v in carried)
        product = k.where(k.equal(left & 1, 0), product, product * base)
        return [product.value, (base * base).value, k.integer("lshr", left, 1).value]

    start = [k.lift(1, x).value, x.value, size.value]
    result = k.wrap(k.function.loop(0, 8 * x.dtype.itemsize, 1, square, start)[0], x.dtype)
    if unit is None:
        return result
    return k.where(k.logical_or(k.less_equal(0, y), unit), result, k.lift(0, x))


def power(k: LLVMAlgebra, x: Lanes, y: Lanes) -> Lanes:
    """x to the y of floats."""
    size = k.abs(x)
    whole = k.equal(k.floor(y), y)
    odd = k.logical_and(whole, k.not_equal(2 * k.floor(0.5 * y), y))
    value = (_binary32 if x.dtype == FLOAT32 else _binary64)(k, size, y)
    value = k.where(_extreme(k, size, y), _limit(k, size, y), value)
    value = k.where(odd, k.copysign(value, x), value)
    broken = k.logical_and(k.logical_and(k.less(x, 0), k.isfinite(x)), k.logical_not(whole))
    value = k.where(k.logical_or(broken, k.logical_or(k.isnan(x), k.isnan(y))), float("nan"), value)
    return k.where(k.logical_or(k.equal(x, 1), k.equal(y, 0)), 1.0, value)


def _extreme(k: LLVMAlgebra, size: Lanes, y: Lanes) -> Lanes:
    """Whether |x| is 0 or infinite, or y infinite."""
    edge = k.logical_or(k.equal(size, 0), k.equal(size, float("inf")))
    return k.logical_or(edge, k.equal(k.abs(y), float("inf")))


def _limit(k: LLVMAlgebra, size: Lanes, y: Lanes) -> Lanes:
    """|x| to the y in those cases."""
    grows = k.equal(k.less(1, size), k.less(0, y))
    inside = k.where(grows, float("inf"), k.lift(0.0, size))
    return k.where(k.equal(size, 1), 1.0, inside)


def _binary32(k: LLVMAlgebra, size: Lanes, y: Lanes) -> Lanes:
    """A positive finite x to a finite y, in float64."""
    wide, exponent = k.convert("fpext", size, FLOAT64), k.convert("fpext", y, FLOAT64)
    parts = split(k, wide)
    s = parts.f / (2 + parts.f)
    z = s * s
    tail = k.fma(z * s, k.horner(z, SHORT_LOG), 2 * s)
    found = k.fma(parts.e, LN2, tail) * exponent
    e = reduce(k, found, polynomial=SHORT_EXP, bounds=(-110.0, 95.0))
    return k.convert("fptrunc", k.floats(k.bits(1 + (e.r + e.rest)) + (e.shifted << 52)), FLOAT32)


def _binary64(k: LLVMAlgebra, size: Lanes, y: Lanes) -> Lanes:
    """A positive finite x to a finite y."""
    log = logarithm(k, size)
    p = exact_product(k, log.high, y)
    low = k.where(k.less(k.abs(p.high), 1000.0), k.fma(log.low, y, p.low), 0.0)
    return scaled(k, reduce(k, p.high, low=low))


def logarithm(k: LLVMAlgebra, x: Lanes) -> Pair:
    """log x of a positive finite float64; the low part may be a few ulps of the high one."""
    parts = split(k, x)
    s = _quotient(k, parts.f)
    z = product(k, s, s)
    cubic = product(k, z, Pair(*(k.lift(c, x) for c in TWO_THIRDS)))
    fourth = k.fma(z.high, z.high, 2 * z.high * z.low)
    tail = k.fma(fourth, k.horner(z.high, TAIL), cubic.low)
    inner = ordered_sum(k, cubic.high, tail)
    lead = ordered_sum(k, 2.0, inner.high)
    of_f = product(k, s, Pair(lead.high, lead.low + inner.low))
    table = TABLES[FLOAT64]
    whole = ordered_sum(k, parts.e * table.ln2_high, of_f.high)
    return Pair(whole.high, whole.low + k.fma(parts.e, table.ln2_low, of_f.low))


def _quotient(k: LLVMAlgebra, f: Lanes) -> Pair:
    """f / (2 + f), as a pair."""
    below = ordered_sum(k, 2.0, f)
    inverse = 1 / below.high
    high = f * inverse
    p = exact_product(k, high, below.high)
    rest = ((f - p.high) - p.low) - high * below.low
    return Pair(high, rest * inverse)
