"""Small loops over several axes as one run of vectors, with every place known when compiling.

A loop over (4, 2) would compute four vectors of two lanes; here it is one vector of eight. What is
not contiguous (a bias repeated for every row) is one load and one shuffle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
from glassgrad.engines.native.convert import from_memory, to_memory
from glassgrad.engines.native.emit import I1, I32, I64, VOID, Function, Value, of_dtype
from glassgrad.engines.native.expression import Buffer, Expr, Gather, Load, Store
from glassgrad.engines.native.nest import Nest

MOST_VECTORS = 4


class FlatNest(Nest):
    """A nest whose one axis runs over all points in row-major order."""

    def __init__(
        self, f: Function, k: LLVMAlgebra, dims: Sequence[int], roots: Sequence[Expr],
        strides: Mapping[Any, Sequence[int]], pointers: dict[Buffer, Value], lanes: int,
    ) -> None:  # fmt: skip
        self.offsets = {access: places(dims, s) for access, s in strides.items()}
        moving = {access: [int(any(o))] for access, o in self.offsets.items()}
        total = int(np.prod(dims))
        super().__init__(f, k, [total], roots, moving, pointers, vector=0, lanes=lanes)

    def _here(self, access: Any, i: Value) -> list[int]:
        """The offsets of the lanes from point `i` on; lanes past the end repeat the last point."""
        assert isinstance(i.number, int)
        found = self.offsets[access][i.number : i.number + self.lanes]
        return found + found[-1:] * (self.lanes - len(found))

    def _read_vector(
        self, expr: Load | Gather, pointer: Value, i: Value, mask: Value | None
    ) -> Lanes:
        element, here = of_dtype(expr.dtype), self._here(expr, i)
        low, span = min(here), max(here) - min(here) + 1
        start = self.f.at(pointer, element, low)
        to = element.vector(self.lanes)
        if mask is None and here == list(range(low, low + self.lanes)):
            value = self.f.load(to, start)
        elif span <= self.lanes:
            kept = None if span == self.lanes else self.f.tail_mask(self.lanes, span)
            value = self.f.load(to, start, mask=kept)
            value = self.f.shuffle(value, None, [o - low for o in here])
        else:
            offsets = self.f.const(I64.vector(self.lanes), here)
            value = self._gathered(element, pointer, offsets, mask)
        return from_memory(self.k, value, expr.dtype)

    def store(self, store: Store, x: Lanes, i: Value | None, mask: Value | None) -> None:
        """Writes one vector of points."""
        assert i is not None
        element, here = of_dtype(store.buffer.dtype), self._here(store, i)
        value, pointer = to_memory(self.k, x), self.pointer[store]
        count = sum(mask.number) if mask is not None else self.lanes
        if here[:count] == list(range(here[0], here[0] + count)):
            self.f.store(value, self.f.at(pointer, element, here[0]), mask=mask)
            return
        pointers = self._addresses(element, pointer, self.f.const(I64.vector(self.lanes), here))
        every = mask or self.f.const(I1.vector(self.lanes), 1)
        self.f.intrinsic(
            "llvm.masked.scatter", VOID, value, pointers, self.f.const(I32, element.itemsize),
            every, overloads=[value.type, pointers.type],
        )  # fmt: skip


def places(dims: Sequence[int], strides: Sequence[int]) -> list[int]:
    """The offset of every point in row-major order.

    >>> places((2, 3), (10, 1))
    [0, 1, 2, 10, 11, 12]
    """
    grid = np.zeros((), np.int64)
    for n, s in zip(dims, strides):
        grid = grid[..., None] + np.arange(n) * s
    return grid.reshape(-1).tolist()


def suits(dims: Sequence[int], exprs: Sequence[Expr], lanes: int) -> bool:
    """Whether a loop is small enough, and too narrow to fill vectors along its last axis."""
    total = int(np.prod(dims))
    return (
        len(dims) > 1
        and lanes > 1
        and dims[-1] < lanes
        and total <= MOST_VECTORS * lanes
        and not any(isinstance(x, Gather) for x in exprs)
    )
