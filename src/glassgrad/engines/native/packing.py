"""Packed operands of matrix products: panels of B, and tiles of A, contiguous and in order.

A panel holds `width` columns of B, one row after the other, zeros beyond the last column. A block
of A is copied row by row where its rows are contiguous; where its columns are, each tile holds the
few rows of one value of k after those of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.engines.native.emit import I64, PTR, VOID, Function, Module, Value
from glassgrad.engines.native.tiling import Product, Tiling

_STEP = 4  # values of k that are copied together, so that whole lines of the cache are written


class Packer:
    """Functions that pack the operands of one product."""

    def __init__(self, module: Module, p: Product, t: Tiling, name: str) -> None:
        self.module, self.p, self.t, self.name = module, p, t, name
        self.lanes = max(1, t.lanes)
        self.vector = p.element.vector(t.lanes)

    # -- tiles of A -----------------------------------------------------------

    @property
    def a_strides(self) -> tuple[int, int]:
        """The strides, in elements, of rows and columns of a tile as it is read."""
        if not self.t.packs_a:
            return self.p.a
        return (self.t.depth, 1) if self.p.a[1] == 1 else (1, self.t.rows)

    def rows(self) -> Function:
        """The function ``(source, target, rows, depth)`` that copies a block of A."""
        name = f"{self.name}_rows"
        if name in self.module.functions:
            return self.module.functions[name]
        f = self.module.function(name, VOID, [PTR, PTR, I64, I64], "internal")
        if self.p.a[1] == 1:
            self._copy_rows(f)
        else:
            self._copy_columns(f)
        f.ret()
        return f

    def _copy_rows(self, f: Function) -> None:
        source, target, rows, depth = f.params
        p, element = self.p, self.p.element
        lanes = f.target.vector_bytes // element.itemsize
        vector = element.vector(lanes)

        def row(r: Value) -> None:
            from_, to = f.at(source, element, r * p.a[0]), f.at(target, element, r * self.t.depth)
            whole = f.binary("and", depth, -lanes)

            def copy(k: Value, mask: Value | None) -> None:
                x = f.load(vector, f.at(from_, element, k), mask=mask)
                f.store(x, f.at(to, element, k), mask=mask)

            f.loop(0, whole, lanes, lambda k: copy(k, None))
            if self.p.k % lanes or self.t.depth % lanes:
                copy(whole, f.tail_mask(lanes, depth - whole))

        f.loop(0, rows, 1, row)

    def _copy_columns(self, f: Function) -> None:
        """All rows of some values of k at a time: memory is read and written in order."""
        source, target, rows, depth = f.params
        whole = f.binary("and", depth, -_STEP)
        height = self.t.rows

        def columns(k: Value, count: int) -> None:
            tiles = f.binary("udiv", rows, height)
            f.loop(0, tiles, 1, lambda i: self._copy_tile(f, source, target, i, k, count, height))
            rest = self.p.m % height
            if rest:
                f.branch(
                    f.compare("slt", tiles * height, rows),
                    lambda: self._copy_tile(f, source, target, tiles, k, count, rest),
                )

        f.loop(0, whole, _STEP, lambda k: columns(k, _STEP))
        if self.p.k % _STEP:
            f.loop(whole, depth, 1, lambda k: columns(k, 1))

    def _copy_tile(
        self, f: Function, source: Value, target: Value, tile: Value, k: Value, count: int,
        height: int,
    ) -> None:  # fmt: skip
        element, full = self.p.element, self.t.rows
        here = f.at(source, element, tile * full + k * self.p.a[1])
        there = f.at(target, element, tile * (full * self.t.depth) + k * full)
        for j in range(count):
            start = 0
            while start < height:  # in powers of two: other widths are slow to assemble
                lanes = 1 << ((height - start).bit_length() - 1)
                part = element.vector(lanes if lanes > 1 else 0)
                x = f.load(part, f.at(here, element, j * self.p.a[1] + start))
                f.store(x, f.at(there, element, j * full + start))
                start += lanes

    # -- panels of B ----------------------------------------------------------

    def panel(self, width: int) -> Function:
        """The function ``(source, target, depth)`` that packs a panel of that many columns."""
        name = f"{self.name}_p{width}"
        if name in self.module.functions:
            return self.module.functions[name]
        f = self.module.function(name, VOID, [PTR, PTR, I64], "internal")
        depth = f.params[2]
        if self.p.b[1] == 1:
            f.loop(0, depth, 1, lambda k: self._copy_row(f, k, width))
        elif self.t.lanes and self.p.b[0] == 1:
            self._transpose(f, width)
        elif self.t.lanes:
            whole = f.binary("and", depth, -self.lanes)
            f.loop(0, whole, self.lanes, lambda k: self._gather(f, k, width, self.lanes))
            for rest in self._rests():
                f.branch(
                    f.compare("eq", depth - whole, rest),
                    lambda n=rest: self._gather(f, whole, width, n),
                )
        else:
            f.loop(0, depth, 1, lambda k: self._copy_element(f, k))
        f.ret()
        return f

    def rest(self) -> Function:
        """The function ``(source, target, depth, count)`` that packs the last columns, a few."""
        name = f"{self.name}_rest"
        if name in self.module.functions:
            return self.module.functions[name]
        f = self.module.function(name, VOID, [PTR, PTR, I64, I64], "internal")
        source, target, depth, count = f.params
        p, width = self.p, self.t.width

        def row(k: Value) -> None:
            from_, to = f.at(source, p.element, k * p.b[0]), f.at(target, p.element, k * width)

            def one(j: Value) -> None:
                x = f.load(p.element, f.at(from_, p.element, j * p.b[1]))
                f.store(x, f.at(to, p.element, j))

            f.loop(0, count, 1, one)

        f.loop(0, depth, 1, row)
        f.ret()
        return f

    def _rests(self) -> list[int]:
        """What may remain of a block's depth after whole squares."""
        found = {self.t.depth % self.lanes, self.p.k % self.t.depth % self.lanes}
        return sorted(found - {0})

    def _copy_element(self, f: Function, k: Value) -> None:
        x = f.load(self.p.element, f.at(f.params[0], self.p.element, k * self.p.b[0]))
        f.store(x, f.at(f.params[1], self.p.element, k))

    def _copy_row(self, f: Function, k: Value, width: int) -> None:
        source = f.at(f.params[0], self.p.element, k * self.p.b[0])
        target = f.at(f.params[1], self.p.element, k * self.t.width)
        for v in range(-(-width // self.lanes)):
            mask = self._mask(f, width - v * self.lanes)
            x = f.load(self.vector, f.at(source, self.p.element, v * self.lanes), mask=mask)
            f.store(x, f.at(target, self.p.element, v * self.lanes))

    def _mask(self, f: Function, active: int) -> Value | None:
        return None if active >= self.lanes else f.tail_mask(self.lanes, active)

    def _transpose(self, f: Function, width: int) -> None:
        """Rows along k are loaded and columns stored, a lanes x lanes square at a time.

        The last square is written whole: there is room behind the last value of k.
        """
        source, target, depth = f.params
        p, lanes = self.p, self.lanes

        def square(k: Value) -> None:
            left = depth - k
            for v in range(-(-width // lanes)):
                here = f.at(source, p.element, k + v * lanes * p.b[1])
                there = f.at(target, p.element, k * self.t.width + v * lanes)
                strides = f.index(p.b[1]), f.index(self.t.width)
                count = min(lanes, width - v * lanes)
                f.call(self._square(count), VOID, here, there, *strides, left)

        f.loop(0, depth, lanes, square)

    def _square(self, count: int) -> Function:
        """The function ``(source, target, stride, width, depth)`` of a square of `count` rows,
        `depth` elements each or all lanes; all products share it."""
        element = self.p.element
        name = f"transposed_{element.mangled}_{self.lanes}_{count}"
        if name in self.module.functions:
            return self.module.functions[name]
        f = self.module.function(name, VOID, [PTR, PTR, I64, I64, I64], "internal")
        source, target, stride, width, depth = f.params
        mask = f.tail_mask(self.lanes, depth)
        rows = [f.const(self.vector, 0)] * self.lanes
        for j in range(count):
            rows[j] = f.load(self.vector, f.at(source, element, stride * j), mask=mask)
        for i, row in enumerate(transposed(f, rows)):
            f.store(row, f.at(target, element, width * i))
        f.ret()
        return f

    def _gather(self, f: Function, k: Value, width: int, depth: int) -> None:
        """A square of which neither stride is 1."""
        lanes = self.lanes
        for v in range(-(-width // lanes)):
            count = min(lanes, width - v * lanes)
            target = f.at(f.params[1], self.p.element, k * self.t.width + v * lanes)
            for i, row in enumerate(self._square_gathered(f, k, v, count, depth)):
                f.store(row, f.at(target, self.p.element, i * self.t.width))

    def _square_gathered(
        self, f: Function, k: Value, v: int, count: int, depth: int
    ) -> list[Value]:
        """Element by element."""
        p, lanes = self.p, self.lanes
        out: list[Value] = []
        for i in range(depth):
            row = f.const(self.vector, 0)
            for j in range(count):
                at = (k + i) * p.b[0] + (v * lanes + j) * p.b[1]
                row = f.insert(row, j, f.load(p.element, f.at(f.params[0], p.element, at)))
            out.append(row)
        return out


def transposed(f: Function, rows: Sequence[Value]) -> list[Value]:
    """A square of as many vectors as they have lanes, transposed by log2(lanes) rounds."""
    rows = list(rows)
    lanes = len(rows)
    d = 1
    while d < lanes:
        for i in range(lanes):
            if i & d:
                continue
            a, b = rows[i], rows[i + d]
            low = [lane if not lane & d else lanes + lane - d for lane in range(lanes)]
            high = [lane + d if not lane & d else lanes + lane for lane in range(lanes)]
            rows[i], rows[i + d] = f.shuffle(a, b, low), f.shuffle(a, b, high)
        d *= 2
    return rows
