"""Where things lie in an arena whose layout is known when the program is called.

The last of the inputs is a block of whole numbers: the extents that vary, then, for the program and
for each that is inside it, the offset of each buffer and of the scratch memory. An arena has the
block's address and the extents at its start, where every function finds them.
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
            at += 1

    def block(self, layout: Layout, sizes: Sequence[int]) -> np.ndarray:
        """The block for a layout at these sizes."""
        places = [p for part in layout.every() for p in (*part.offsets.values(), part.scratch)]
        return np.array([*sizes, *places], np.int64)

    def here(self, f: Function, layout: Layout) -> Here:
        """The offsets for a function that is given an arena first."""
        block = f.load(PTR, f.at(f.params[0], PTR, BLOCK // 8))
        scratch = f.load(I64, f.at(block, I64, self.scratch[layout]))
        return Here(Offsets(f, block, self.numbers), scratch)

    def bring(self, f: Function) -> None:
        """Copies the extents and the block's address to the arena; `f` is at its start."""
        arena, block = f.params[0], f.load(PTR, f.at(f.params[1], PTR, self.input))
        f.store(block, f.at(arena, PTR, BLOCK // 8))
        for i in range(self.count):
            f.extents[i] = f.load(I64, f.at(block, I64, i))
            f.store(f.extents[i], f.at(arena, I64, SIZES // 8 + i))


def hand_on(f: Function, arena: Value, inner: Value) -> None:
    """Gives the arena of a program inside another what the outer one has at its start."""
    count = len(f.module.extents.primes)
    for i in range(count + 1 if count else 0):
        f.store(f.load(I64, f.at(arena, I64, BLOCK // 8 + i)), f.at(inner, I64, BLOCK // 8 + i))
