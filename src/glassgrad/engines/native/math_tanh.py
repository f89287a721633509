"""tanh, sigmoid and silu by one exp of a non-positive number, which their derivatives share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassgrad.engines.native import math_exp
from glassgrad.engines.native.math_double import exact_product
from glassgrad.graph.dtype import FLOAT32, FLOAT64, DType

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra

BORDER = 0.55

NEAR: dict[DType, tuple[float, ...]] = {
    FLOAT32: (-0.33333316445350647, 0.13332554697990417, -0.05384942516684532,
              0.021060986444354057, -0.006260368507355452),
    FLOAT64: (-0.333333333333333, 0.13333333333326586, -0.053968253963742586,
              0.021869488385386895, -0.008863232594320297, 0.003592091962834029,
              -0.0014555424324586316, 0.0005884428593588831, -0.00023337758176843553,
              8.331092758659853e-05, -1.9491381080053693e-05),
}  # fmt: skip
"""(tanh(x) - x) / x**3 in x**2, for |x| < BORDER; relative errors 2**-29.7 and 2**-60.6."""


def tanh(k: LLVMAlgebra, x: Lanes) -> Lanes:
    """The hyperbolic tangent: an odd polynomial near 0, 1 - 2e/(1 + e) with e = exp(-2|x|) else."""
    size = k.abs(x)
    e = k.exp(-2 * size)
    far = 1 - 2 * e / (1 + e)
    square = x * x
    near = k.fma(size * square, k.horner(square, NEAR[x.dtype]), size)
    return k.copysign(k.where(k.less(size, BORDER), near, far), x)


def sigmoid(k: LLVMAlgebra, x: Lanes) -> Lanes:
    """1/(1 + e) for x >= 0, e/(1 + e) below, with e = exp(-|x|); the division is corrected."""
    e = k.exp(-k.abs(x))
    sum_ = 1 + e
    lost = e - (sum_ - 1)
    inverse = 1 / sum_
    above = k.where(k.less(x, 0), e, 1.0)
    y = above * inverse
    p = exact_product(k, y, sum_)
    return k.fma((above - p.high) - k.fma(y, lost, p.low), inverse, y)


def silu(k: LLVMAlgebra, x: Lanes) -> Lanes:
    """x/(1 + e) for x >= 0, x·e/(1 + e) below, where 2**n is put to the product: e may be tiny."""
    reduced = math_exp.reduce(k, -k.abs(x))
    fraction = math_exp.fraction(k, reduced)
    inverse = 1 / (1 + math_exp.scale(k, fraction, reduced))
    low = k.maximum(x, -1000.0)  # -1000*0, never -inf*0
    below = math_exp.scale(k, low * inverse * fraction, reduced)
    return k.where(k.less(x, 0), below, x * inverse)


def sigmoid_slope(k: LLVMAlgebra, x: Lanes) -> Lanes:
    """e/(1 + e)**2 with e = exp(-|x|), by the one division of sigmoid and silu."""
    e = k.exp(-k.abs(x))
    inverse = 1 / (1 + e)
    return e * inverse * inverse


class SoftGates:
    """The gates of an algebra of machine code that are more than their body."""

    def sigmoid_slope(self: LLVMAlgebra, x: Lanes) -> Lanes:  # pyright: ignore
        """sigmoid(x)·sigmoid(-x); shares exp(-|x|) and a division with sigmoid."""
        return self.shared("sigmoid_slope", x, sigmoid_slope)

    def silu(self: LLVMAlgebra, x: Lanes) -> Lanes:  # pyright: ignore
        """x·sigmoid(x); shares exp(-|x|) with sigmoid."""
        return self.shared("silu", x, silu)
