"""Where things lie in an arena whose layout is known when the program is called.

The last of the inputs is a block of whole numbers: the extents that vary, then, for the program and
for each that is inside it, the offset of each buffer, of the scratch memory and of the table. An
arena has the block's address and the extents at its start, where every function finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glassgrad.engines.native.emit import I64, PTR, Function, Value
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.extents import BLOCK, SIZES
from glassgrad.engines.native.layout import Layout


class Here(NamedTuple):
    """The offsets, as values of one function."""

    offsets: Offsets
    scratch: Value
    table: Value


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
        self.numbers: dict[Buffer, int] = {}
        self.scratch: dict[Layout, int] = {}
        at = count
        for part in layout.every():
            for buffer in part.offsets:
                self.numbers[buffer] = at
                at += 1
            self.scratch[part] = at
            at += 2

    def block(self, layout: Layout, sizes: Sequence[int]) -> np.ndarray:
        """The block for a layout at these sizes."""
        found = list(sizes)
        for part in layout.every():
            found += [*part.offsets.values(), part.scratch, part.table]
        return np.array(found, np.int64)

    def here(self, f: Function, layout: Layout, arena: Value) -> Here:
        """The offsets for a function that is given an arena."""
        block = f.load(PTR, f.at(arena, PTR, BLOCK // 8))
        number = self.scratch[layout]
        scratch, table = (f.load(I64, f.at(block, I64, number + i)) for i in (0, 1))
        return Here(Offsets(f, block, self.numbers), scratch, table)

    def bring(self, f: Function) -> None:
        """Copies the extents and the block's address to the arena; `f` is at its start."""
        arena, block = f.params[0], f.load(PTR, f.at(f.params[1], PTR, self.input))
        f.store(block, f.at(arena, PTR, BLOCK // 8))
        for i in range(self.count):
            f.extents[i] = f.load(I64, f.at(block, I64, i))
            f.store(f.extents[i], f.at(arena, I64, SIZES // 8 + i))
