"""Rounding to integers, for targets without an instruction for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra


def floor(k: LLVMAlgebra, x: Lanes) -> Lanes:
    """The largest integer not above x; -0 gives -0."""
    integers = 2.0 ** k.format(x).mantissa  # from here on every number is an integer
    size = k.abs(x)
    near = k.copysign((size + integers) - integers, x)
    down = near - k.where(k.less(x, near), 1.0, k.lift(0.0, x))
    return k.where(k.less(size, integers), k.copysign(down, x), x)
