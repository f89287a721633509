"""The algebra whose values are mpmath numbers: an op's `math` on it is the truth."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from glassgrad.graph.algebra import Algebra

Number = Any  # an mpf or a bool

DIGITS = 500  # carried; differences with a step of 1e-60 then keep far more than 50
NAN = mpf("nan")


class OutsideDomain(ArithmeticError):
    """The mathematics of an op has no real value here."""


def real(value: Number) -> Number:
    """The value itself; complex ones are outside the domain of real functions."""
    if isinstance(value, mp.mpc):
        raise OutsideDomain
    return value


class MpAlgebra(Algebra):
    """Every primitive in mpmath, and what mpmath has of its own; NaN is passed on, as in IEEE."""

    def _spread(self, f: Any, *xs: Number) -> Number:
        return NAN if any(mp.isnan(x) for x in xs) else real(f(*xs))

    def abs(self, x: Number) -> Number:
        return abs(x)

    def sign(self, x: Number) -> Number:
        return self._spread(mp.sign, x)

    def floor(self, x: Number) -> Number:
        return x if not mp.isfinite(x) else mp.floor(x)

    def sqrt(self, x: Number) -> Number:
        return self._spread(mp.sqrt, x)

    def exp(self, x: Number) -> Number:
        return mp.exp(x)

    def expm1(self, x: Number) -> Number:
        return mp.exp(x) - 1

    def log(self, x: Number) -> Number:
        return self._spread(mp.log, x)

    def log1p(self, x: Number) -> Number:
        return self._spread(mp.log, 1 + x)

    def sin(self, x: Number) -> Number:
        return mp.sin(x) if mp.isfinite(x) else NAN

    def cos(self, x: Number) -> Number:
        return mp.cos(x) if mp.isfinite(x) else NAN

    def tanh(self, x: Number) -> Number:
        return mp.tanh(x)

    def power(self, x: Number, y: Number) -> Number:
        if y == 0 or x == 1:
            return mpf(1)  # IEEE: also where the other is NaN
        if x == 0 and not mp.isnan(y):
            if y < 0:
                raise OutsideDomain
            return mpf(0)
        if x < 0 and mp.isinf(y):
            x = -x  # IEEE: an infinite exponent counts as even
        if x == 1:
            return mpf(1)
        return self._spread(mp.power, x, y)

    def log2(self, x: Number) -> Number:
        return self._spread(lambda v: mp.log(v) / mp.log(2), x)

    def log10(self, x: Number) -> Number:
        return self._spread(lambda v: mp.log(v) / mp.log(10), x)

    def cbrt(self, x: Number) -> Number:
        return self._spread(lambda v: mp.sign(v) * mp.cbrt(abs(v)), x)

    def arcsin(self, x: Number) -> Number:
        return self._spread(mp.asin, x)

    def arccos(self, x: Number) -> Number:
        return self._spread(mp.acos, x)

    def arctan(self, x: Number) -> Number:
        return self._spread(mp.atan, x)

    def arctan2(self, y: Number, x: Number) -> Number:
        if mp.isinf(x) and mp.isinf(y):
            x, y = mp.sign(x), mp.sign(y)  # IEEE: the diagonal
        return self._spread(mp.atan2, y, x)

    def erf(self, x: Number) -> Number:
        return self._spread(mp.erf, x)

    def erfc(self, x: Number) -> Number:
        far = 1 - mp.sign(x) if abs(x) > 1e6 else None  # mpmath's asymptotic series overflows
        return far if far is not None else self._spread(mp.erfc, x)

    def sinc(self, x: Number) -> Number:
        return mpf(0) if mp.isinf(x) else self._spread(mp.sincpi, x)

    def sinc_slope(self, x: Number) -> Number:
        if mp.isinf(x) or x == 0:
            return mpf(0)
        return self._spread(lambda v: (mp.cospi(v) - mp.sincpi(v)) / v, x)

    def normal_pdf(self, x: Number) -> Number:
        return self._spread(mp.npdf, x)

    def normal_cdf(self, x: Number) -> Number:
        far = (1 + mp.sign(x)) / 2 if abs(x) > 1e6 else None
        return far if far is not None else self._spread(mp.ncdf, x)

    def maximum(self, x: Number, y: Number) -> Number:
        return self._spread(max, x, y)

    def minimum(self, x: Number, y: Number) -> Number:
        return self._spread(min, x, y)

    def where(self, c: Number, x: Number, y: Number) -> Number:
        return x if c else y

    def less(self, x: Number, y: Number) -> bool:
        return x < y

    def less_equal(self, x: Number, y: Number) -> bool:
        return x <= y

    def equal(self, x: Number, y: Number) -> bool:
        return x == y

    def not_equal(self, x: Number, y: Number) -> bool:
        return x != y

    def isfinite(self, x: Number) -> bool:
        return bool(mp.isfinite(x))

    def logical_and(self, x: Number, y: Number) -> bool:
        return bool(x and y)

    def logical_or(self, x: Number, y: Number) -> bool:
        return bool(x or y)

    def logical_not(self, x: Number) -> bool:
        return not x


MP = MpAlgebra()
