"""The normal distribution in float32: both functions by one exp, whose argument has a low part.

Below the mean the distribution function is exp(-x**2/2)·T(|x|) with T(a) = r·P(r), r = 1/(1 + S·a);
above, 1 less that of -x. The polynomial is a minimax fit, relative error 2**-28.2. Numbers of more
bits take the body of the op.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import TYPE_CHECKING

from glassgrad.engines.native import math_erf, math_exp
from glassgrad.engines.native.math_double import exact_product
from glassgrad.graph.dtype import FLOAT32
from glassgrad.graph.family import Elementwise
from glassgrad.graph.op import REGISTRY

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra

SLOPE, BORDER = 0.4, 1.2
TAIL = (
    0.15957672894001007, 0.1595914661884308, 0.13372567296028137, 0.0863703265786171,
    -0.00209182221442461, 0.04304016754031181, -0.22605763375759125, 0.20771154761314392,
    -0.0620468445122242,
)  # fmt: skip
"""P for BORDER <= a <= END."""
_ROOT_HALF = sqrt(0.5)
END = 14.5  # exp(-END**2/2) is 0 in float32


class NormalDistribution:
    """The normal distribution of an algebra of machine code."""

    def normal_cdf(self: LLVMAlgebra, x: Lanes) -> Lanes:  # pyright: ignore
        """The distribution function; shares exp(-x**2/2) with the density."""
        return self.shared("normal_cdf", x, _cdf)

    def normal_pdf(self: LLVMAlgebra, x: Lanes) -> Lanes:  # pyright: ignore
        """The density."""
        return self.shared("normal_pdf", x, _pdf)


def _cdf(k: LLVMAlgebra, x: Lanes) -> Lanes:
    if x.dtype != FLOAT32:
        return _body("normal_cdf")(k, x)
    size = _size(k, x)
    r = 1 / k.fma(size, SLOPE, 1.0)
    z = size * _ROOT_HALF
    near = math_erf.TABLES[x.dtype].near  # erf(z)/z - 1 in z**2
    half = 0.5 * k.fma(z, k.horner(z * z, near), z)
    lower = _bell(k, size) * (r * k.horner(r, TAIL))
    lower = k.where(k.less(size, BORDER), 0.5 - half, lower)
    return k.where(k.less(x, 0), lower, 1 - lower)


def _pdf(k: LLVMAlgebra, x: Lanes) -> Lanes:
    if x.dtype != FLOAT32:
        return _body("normal_pdf")(k, x)
    return (1 / sqrt(2 * pi)) * _bell(k, _size(k, x))


def _body(name: str) -> Callable[..., Lanes]:
    op = REGISTRY[name]
    assert isinstance(op, Elementwise) and op.scalar is not None
    return op.scalar


def _size(k: LLVMAlgebra, x: Lanes) -> Lanes:
    size = k.abs(x)
    return k.where(k.less(END, size), END, size)


def _bell(k: LLVMAlgebra, size: Lanes) -> Lanes:
    """exp(-size**2/2), of the square's low part too."""
    half = exact_product(k, -0.5 * size, size)
    never = None, None  # of END, too, the result is a number
    return math_exp.scaled(k, math_exp.reduce(k, half.high, half.low, bounds=never))
