"""Where things lie in an arena whose layout is known when the program is called.

The last of the inputs is a block of whole numbers: the extents that vary, then the offset of each
buffer, then that of the scratch memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glassgrad.engines.native.emit import I64, PTR, Function, Value
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.extents import SIZES
from glassgrad.engines.native.layout import Layout


class Here(NamedTuple):
    """The offsets, as values of one function."""

    offsets: Offsets
    scratch: Value


class Offsets:
    """The offset of a buffer, loaded where it is needed."""

    def __init__(self, f: Function, block: Value, numbers: dict[Buffer, int]) -> None:
        self._f, self._block, self._numbers = f, block, numbers

    def __getitem__(self, buffer: Buffer) -> Value:
        return self._f.load(I64, self._f.at(self._block, I64, self._numbers[buffer]))


class Places:
    """Which number of the block is what; the block is input number `input`."""

    def __init__(self, layout: Layout, input: int, count: int) -> None:
        self.input, self.count = input, count
        self.numbers = {b: count + i for i, b in enumerate(layout.offsets)}
        self.scratch = count + len(self.numbers)

    def block(self, layout: Layout, sizes: Sequence[int]) -> np.ndarray:
        """The block for a layout at these sizes."""
        return np.array([*sizes, *layout.offsets.values(), layout.scratch], np.int64)

    def here(self, f: Function) -> Here:
        """The offsets for a function ``(arena, inputs, outputs)``."""
        block = self._found(f)
        scratch = f.load(I64, f.at(block, I64, self.scratch))
        return Here(Offsets(f, block, self.numbers), scratch)

    def bring_extents(self, f: Function) -> None:
        """Copies the extents to where every function finds them."""
        arena, block = f.params[0], self._found(f)
        for i in range(self.count):
            f.store(f.load(I64, f.at(block, I64, i)), f.at(arena, I64, SIZES // 8 + i))

    def _found(self, f: Function) -> Value:
        return f.load(PTR, f.at(f.params[1], PTR, self.input))
