"""The two binary formats, with the numbers that bit tricks on them need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassgrad.graph.dtype import FLOAT32, FLOAT64, DType


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    mantissa: stored bits of the significand.  bias: of the exponent.
    magic: 1.5 * 2**mantissa: adding it rounds to an integer, which then stands in the low bits.
    tiny: the smallest normal number.  one, infinity: bit patterns.
    """

    dtype: DType
    integer: DType
    unsigned: DType
    mantissa: int
    bias: int

    @property
    def bits(self) -> int:
        """The width of the format."""
        return 8 * self.dtype.itemsize

    @property
    def magic(self) -> float:
        """The number whose addition rounds to an integer (to even, for up to mantissa-1 bits)."""
        return 1.5 * 2.0**self.mantissa

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return 2.0 ** (1 - self.bias)

    @property
    def one(self) -> int:
        """The bit pattern of 1."""
        return self.bias << self.mantissa

    @property
    def infinity(self) -> int:
        """The bit pattern of infinity."""
        return (2 * self.bias + 1) << self.mantissa

    @property
    def sign(self) -> int:
        """The bit pattern of -0."""
        return 1 << (self.bits - 1)

    def pattern(self, number: float) -> int:
        """The bits of `number` rounded to this format.

        >>> hex(BINARY32.pattern(1.0))
        '0x3f800000'
        """
        return int(np.array(number, self.dtype).view(self.unsigned))


BINARY32 = Format(FLOAT32, np.dtype(np.int32), np.dtype(np.uint32), 23, 127)
BINARY64 = Format(FLOAT64, np.dtype(np.int64), np.dtype(np.uint64), 52, 1023)
FORMATS: dict[DType, Format] = {FLOAT32: BINARY32, FLOAT64: BINARY64}
