"""log and log1p: x = 2**e (1 + f) with 1 + f between sqrt(1/2) and sqrt(2).

The logarithm of 1 + f is f - f**2/2 plus a correction: a polynomial in f times f**3 in float32
(minimax, relative error 2**-27.3), and in float64 the classical series in s = f/(2 + f), minimax
too (2**-59.5). The leading parts of e ln 2 and f are added exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassgrad.engines.native.math_double import exact_sum, ordered_sum
from glassgrad.engines.native.math_exp import TABLES as LN2
from glassgrad.engines.native.math_format import BINARY32, Format

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra

CUBIC = (
    0.3333333134651184, -0.250008225440979, 0.20001237094402313, -0.1662331372499466,
    0.14201728999614716, -0.13160677254199982, 0.12761124968528748, -0.07631944864988327,
)  # fmt: skip
"""(log(1 + f) - f + f**2/2) / f**3, for float32."""

ODD = (
    0.6666666666666735, 0.3999999999941082, 0.2857142874311996, 0.22222198506766103,
    0.181835674554178, 0.15313976590669545, 0.14796643244965793,
)  # fmt: skip
"""(2 atanh(s) - 2 s) / s**3 in s**2, for float64."""

HALF_ROOT = 0.7071067811865476


@dataclass(frozen=True)
class Split:
    """x = 2**e (1 + f)."""

    e: Lanes
    f: Lanes


def split(k: LLVMAlgebra, x: Lanes) -> Split:
    """Exponent and fraction of a positive finite number, a subnormal one too."""
    f = k.format(x)
    small = k.less(x, f.tiny)
    grown = k.where(small, x * 2.0**f.mantissa, x)
    e, _, fraction = _exponent(k, grown, f)
    return Split(k.where(small, e - float(f.mantissa), e), fraction - 1)


def _exponent(k: LLVMAlgebra, x: Lanes, f: Format) -> tuple[Lanes, Lanes, Lanes]:
    """e as a float, 2**-e, and x / 2**e between sqrt(1/2) and sqrt(2)."""
    root = f.pattern(HALF_ROOT)
    above = k.bits(x) - root
    fraction = k.floats((above & ((1 << f.mantissa) - 1)) + root)
    e = above >> f.mantissa
    power = k.floats(k.lift(f.one, e) - (e << f.mantissa))
    return integer_to_float(k, e, f), power, fraction


def integer_to_float(k: LLVMAlgebra, i: Lanes, f: Format) -> Lanes:
    """A small integer as a float of the same width."""
    if f is BINARY32:
        return k.convert("sitofp", i, f.dtype)
    return k.floats(i + f.pattern(f.magic)) - f.magic  # many machines convert no 64-bit vectors


def _correction(k: LLVMAlgebra, f: Lanes) -> Lanes:
    """log(1 + f) - f."""
    square = f * f
    half_square = 0.5 * square
    if k.format(f) is BINARY32:
        return k.fma(square * f, k.horner(f, CUBIC), -half_square)
    s = f / (2 + f)
    z = s * s
    return k.fma(s, k.fma(z, k.horner(z, ODD), half_square), -half_square)


def _assembled(k: LLVMAlgebra, parts: Split, extra: Lanes | None = None) -> Lanes:
    """e ln 2 + log(1 + f) + extra, where extra is small."""
    table = LN2[parts.f.dtype]
    lead = ordered_sum(k, parts.e * table.ln2_high, parts.f)
    correction = _correction(k, parts.f)
    small = k.fma(parts.e, table.ln2_low, correction if extra is None else correction + extra)
    return lead.high + (lead.low + small)


def log(k: LLVMAlgebra, x: Lanes) -> Lanes:
    """The natural logarithm: -inf at 0, NaN below."""
    y = _assembled(k, split(k, x))
    return _special(k, x, y, x)


def _special(k: LLVMAlgebra, x: Lanes, y: Lanes, result: Lanes) -> Lanes:
    """`y`, but -inf where x is 0, NaN where x < 0, and `result` where x is +inf or NaN."""
    f = k.format(x)
    ordinary = k.compare("ult", k.bits(x) - 1, f.infinity - 1)  # one test for all four
    infinite = k.where(k.equal(x, 0), float("-inf"), result)
    return k.where(ordinary, y, k.where(k.less(x, 0), float("nan"), infinite))


def log1p(k: LLVMAlgebra, x: Lanes) -> Lanes:
    """The natural logarithm of 1 + x, accurate near 0: -inf at -1, NaN below, -0 at -0."""
    f = k.format(x)
    near = exact_sum(k, 1.0, x)
    e, power, scaled = _exponent(k, near.high, f)
    fraction = scaled - 1
    # what the sum lost, as a share of it; beside so large an x it is nothing
    lost = k.where(k.less(x, 2.0**f.mantissa), near.low * power, 0.0)
    lost = lost * k.fma(fraction, fraction - 1, 1.0)  # 1/(1 + f), roughly
    y = k.copysign(_assembled(k, Split(e, fraction), lost), x)
    return _special(k, near.high, y, x)
