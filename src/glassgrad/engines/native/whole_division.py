"""Division of integers with a remainder, as NumPy rounds it; by zero it gives 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra


def truncated(k: LLVMAlgebra, x: Lanes, y: Lanes) -> tuple[Lanes, Lanes]:
    """The quotient rounded towards 0, and what is left; the least integer by −1 is itself."""
    unsafe = k.equal(y, 0)
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


class WholeDivision:
    """The division ops of an algebra, for integers; `code_for` refuses them for reals before."""

    def floor_divide(self: LLVMAlgebra, x: Lanes, y: Lanes) -> Lanes:  # pyright: ignore
        """The quotient of integers, rounded down."""
        return floored(self, *self._lifted(x, y))[0]

    def remainder(self: LLVMAlgebra, x: Lanes, y: Lanes) -> Lanes:  # pyright: ignore
        """What is left of integers, of the sign of y."""
        return floored(self, *self._lifted(x, y))[1]

    def fmod(self: LLVMAlgebra, x: Lanes, y: Lanes) -> Lanes:  # pyright: ignore
        """What is left of integers, of the sign of x."""
        return truncated(self, *self._lifted(x, y))[1]
