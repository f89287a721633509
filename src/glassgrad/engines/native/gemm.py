"""A generator of matrix products: C = A·B for any shape, strides, dtype and epilogue.

The element c[i, j] is summed over k in blocks of `block_depth(k)`, each by
``((a[i,0]*b[0,j]) + a[i,1]*b[1,j]) + …`` in this order (each step one fma), and the blocks are
added in order: whatever the tile, the areas or the instruction set's width. So results do not
depend on how a product is cut, and their error is that of a recursive sum of at most 256 terms and
of as many blocks as there are.

C is computed area by area, each with its own scratch memory. The micro-kernel keeps a tile of
`rows` x `vectors` accumulators in registers and is a function of its own, shared by all tiles; the
last rows and columns have smaller or masked variants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from glassgrad.engines.native.emit import I8, I64, PTR, VOID, Function, Module, Value
from glassgrad.engines.native.packing import Packer
from glassgrad.engines.native.pieces import areas_across, fetch, least, pieces, some_rows
from glassgrad.engines.native.tiling import Product, tiling

_DEEP = 128  # values of k from which a tile takes far longer than calling it
_FAR = 131072  # bytes of C from which its tiles are fetched ahead


class Epilogue(Protocol):
    """What is done to finished elements before they are stored, on vectors of one row.

    Returns the values to store; None where it has stored them itself. `row` and `column` (of the
    first lane) are i64 values, `mask` is None for a full vector, `extras` are pointers that the
    caller of the product passes on.
    """

    size: int  # operations on each vector

    def __call__(
        self, f: Function, x: Value, row: Value, column: Value, mask: Value | None,
        extras: Sequence[Value],
    ) -> Value | None:  # fmt: skip
        """The finished vector."""
        ...

    def lines(
        self, f: Function, row: Value, column: Value, extras: Sequence[Value]
    ) -> Sequence[Value]:
        """The places in memory that will be read or written for a vector, but for the result."""
        ...


def emit_product(
    module: Module,
    p: Product,
    *,
    epilogue: Epilogue | None = None,
    extras: int = 0,
    name: str = "",
    threads: int = 1,
) -> Function:
    """The function ``(a, b, c, scratch, *extras)`` that computes the product.

    With more `threads` than one it is ``(a, b, c, scratch, *extras, number)`` and computes the area
    with that number, row by row. `scratch` must hold ``tiling(...).scratch`` bytes, 64-byte
    aligned, for each area that is computed at the same time. A product without epilogue is shared
    by all who ask for the same one.
    """
    numbers = map(p.extents.told, (p.m, p.n, p.k, *p.a, *p.b, p.c))
    name = name or (
        f"gemm_{p.element.mangled}_{'_'.join(numbers)}"
        f"_{int(p.accumulate)}{'_shared' * (threads > 1)}"
    )
    if name in module.functions:
        return module.functions[name]
    emitter = _Emitter(module, p, epilogue, extras, name, threads)
    return emitter.driver() if threads == 1 else emitter.one_area()


_UNROLLED = 2  # steps along k in one turn of the inner loop
_WRITTEN_OUT = 128  # operations of an epilogue on all vectors of a tile that are written out


class _Emitter:
    def __init__(
        self, module: Module, p: Product, epilogue: Epilogue | None, extras: int, name: str,
        threads: int,
    ) -> None:  # fmt: skip
        self.module, self.p, self.name = module, p, name
        self.epilogue, self.extras = epilogue, extras
        self.t = tiling(p, module.target.vector_bytes, module.target.registers, threads)
        self.packer = Packer(module, p, self.t, name)
        self.vector = p.element.vector(self.t.lanes)
        self.lanes = max(1, self.t.lanes)
        self.typical = p.typical()
        self.blocks = max(1, -(-self.typical.k // self.t.depth))

    def _function(self, name: str, before: int, after: int = 0) -> Function:
        """A function that takes pointers, the extras behind them, then whole numbers.

        Where extents vary the last of the extras says where these lie.
        """
        types = [PTR] * (before + self.extras) + [I64] * after
        f = self.module.function(name, VOID, types, "internal")
        if self.p.extents.primes:
            f.sizes = f.params[before + self.extras - 1]
        return f

    # -- the loops around the micro-kernel ------------------------------------

    def driver(self) -> Function:
        """All areas in turn."""
        p, t = self.p, self.t
        f = self._function(self.name, 4)
        self._leave(f)
        if p.m and p.n:
            if self.typical.m <= t.area_rows and self.typical.n <= t.area_columns:
                self._area(f, f.params, f.index(0), f.index(0))
            else:
                area = self.area()

                def one(row: Value, column: Value) -> None:
                    f.call(area, VOID, *f.params, row, column)

                def across(row: Value) -> None:
                    f.loop(0, p.n, t.area_columns, lambda j: one(row, j))

                f.loop(0, p.m, t.area_rows, across)
        f.ret()
        return f

    def one_area(self) -> Function:
        """The area with the number that is the last argument."""
        p, t = self.p, self.t
        f = self._function(self.name, 4, 1)
        self._leave(f)
        *pointers, number = f.params
        across = areas_across(f, p.n, t.area_columns)
        row = f.binary("udiv", number, across) if self.typical.m > t.area_rows else f.index(0)
        column = f.binary("urem", number, across) if across.number != 1 else f.index(0)
        self._area(f, pointers, row * t.area_rows, column * t.area_columns)
        f.ret()
        return f

    def _leave(self, f: Function) -> None:
        """The loops around long tiles are as good as they need to be without optimisation."""
        f.glue = self.module.interruptible and self.p.k >= _DEEP

    def area(self) -> Function:
        """The function ``(a, b, c, scratch, *extras, row, column)`` of the area from there on."""
        f = self._function(f"{self.name}_area", 4, 2)
        self._leave(f)
        self._area(f, f.params[:-2], *f.params[-2:])
        f.ret()
        return f

    def _area(self, f: Function, pointers: Sequence[Value], row: Value, column: Value) -> None:
        """Blocks of k one after the other, then panels of columns, then tiles."""
        p, t = self.p, self.t
        rows = least(f, p.m - row, t.area_rows, p.m)
        columns = least(f, p.n - column, t.area_columns, p.n)

        def block(start: Value) -> None:
            depth = least(f, p.k - start, t.depth, p.k)
            self._block(f, pointers, (row, rows), (column, columns), start, depth)

        f.loop(0, max(1, p.k), t.depth, block)

    def _block(
        self, f: Function, pointers: Sequence[Value], rows: tuple[Value, Value],
        columns: tuple[Value, Value], start: Value, depth: Value,
    ) -> None:  # fmt: skip
        """The area for the values of k of one block."""
        p, t, element = self.p, self.t, self.p.element
        a, b, c, scratch, *extras = pointers
        a = f.at(a, element, rows[0] * p.a[0] + start * p.a[1])
        b = f.at(b, element, columns[0] * p.b[1] + start * p.b[0])
        c = f.at(c, element, rows[0] * p.c + columns[0])
        if t.packs_a:
            packed = f.at(scratch, I8, t.a_place)
            f.call(self.packer.rows(), VOID, a, packed, rows[1], depth)
            a = packed
        a_row = t.depth if t.packs_a else p.a[0]

        def panel(j: Value, width: int) -> None:
            source = f.at(b, element, j * p.b[1])
            if t.packs_b and width:
                f.call(self.packer.panel(width), VOID, source, scratch, depth)
                source = scratch
            elif t.packs_b:
                f.call(self.packer.rest(), VOID, source, scratch, depth, columns[1] - j)
                source = scratch

            def tile(i: Value, height: int) -> None:
                where = f.at(c, element, i * p.c + j)
                f.call(
                    self._kernel(height, width), VOID, f.at(a, element, i * a_row), source, where,
                    start, depth, rows[0] + i, columns[0] + j, *extras,
                )  # fmt: skip

            if p.extents.varies(p.m):
                some_rows(f, rows[1], t.rows, tile)
            else:
                pieces(f, rows[1], t.rows, p.m, tile)

        if p.extents.varies(p.n):
            whole = columns[1] - f.binary("urem", columns[1], t.width)
            f.loop(0, whole, t.width, lambda j: panel(j, t.width))
            f.branch(f.compare("slt", whole, columns[1]), lambda: panel(whole, 0))
        else:
            pieces(f, columns[1], t.width, p.n, panel)

    # -- the micro-kernel -----------------------------------------------------

    def _kernel(self, height: int, width: int) -> Function:
        """The function ``(a, panel, c, start, depth, row, column, *extras)`` of one tile size.

        No width means the columns that are left of as many as there are at run time.
        """
        name = f"{self.name}_t{height}_{width}"
        if name in self.module.functions:
            return self.module.functions[name]
        types = [PTR, PTR, PTR, I64, I64, I64, I64] + [PTR] * self.extras
        f = self.module.function(name, VOID, types, "internal")
        if self.p.extents.primes:
            f.sizes = f.params[-1]
        masks = self._masks(f, width)
        count = len(masks)
        long = self.epilogue is not None and self.epilogue.size * height * count > _WRITTEN_OUT
        held = f.stack(self.vector, height * count) if long else None
        done = self._accumulated(f, height, masks)
        self._finish(f, height, masks, self._joined(f, height, masks, done), held)
        f.ret()
        return f

    def _masks(self, f: Function, width: int) -> list[Value | None]:
        """The masks of the vectors across a tile, None for a full one."""
        if not width:
            left = f.index(self.p.n) - f.params[6]
            rests = (left - v * self.lanes for v in range(self.t.vectors))
            some = (f.select(f.compare("sgt", rest, 0), rest, 0) for rest in rests)
            return [f.tail_mask(self.lanes, x) for x in some]
        count = -(-width // self.lanes)
        tail = width - (count - 1) * self.lanes
        last = f.tail_mask(self.lanes, tail) if tail < self.lanes else None
        return [*[None] * (count - 1), last]

    def _fetch(self, f: Function, epilogue: Epilogue, r: Value, count: int) -> None:
        """Asks for what the epilogue of a row reads and writes, while the tile is computed."""
        row, column, extras = f.params[5], f.params[6], f.params[7:]

        def lines() -> None:
            for v in range(count):
                for line in epilogue.lines(f, row + r, column + v * self.lanes, extras):
                    fetch(f, line)

        if self.blocks == 1:
            lines()
        else:
            f.branch(self._last(f), lines)

    def _last(self, f: Function) -> Value:
        return f.compare("eq", f.params[3] + f.params[4], self.p.k)

    def _cells(self, height: int, masks: Sequence[Value | None]) -> list[tuple[int, int]]:
        return [(r, v) for r in range(height) for v in range(len(masks))]

    def _cell(self, f: Function, r: Value | int, v: int) -> Value:
        row = f.index(r * self.p.c) if isinstance(r, int) else r * self.p.c
        return f.at(f.params[2], self.p.element, row + v * self.lanes)

    def _accumulated(self, f: Function, height: int, masks: Sequence[Value | None]) -> list[Value]:
        """The sums over one block of k."""
        p, t, count = self.p, self.t, len(masks)
        a_row, a_step = self.packer.a_strides
        b_step = t.width if t.packs_b else p.b[0]
        load_masks = [None] * count if t.packs_b else masks

        def step(a: Value, b: Value, acc: Sequence[Value]) -> list[Value]:
            rows = [
                f.load(self.vector, f.at(b, p.element, v * self.lanes), mask=load_masks[v])
                for v in range(count)
            ]
            out: list[Value] = []
            for r in range(height):
                x = f.splat(f.load(p.element, f.at(a, p.element, r * a_row)), self.vector)
                out += [f.fma(x, y, acc[r * count + v]) for v, y in enumerate(rows)]
            return out

        def turn(steps: int) -> Callable[..., list[Value]]:
            def body(_: Value, a: Value, b: Value, *acc: Value) -> list[Value]:
                for u in range(steps):
                    here = f.at(a, p.element, u * a_step), f.at(b, p.element, u * b_step)
                    acc = tuple(step(*here, acc))
                onward = f.at(a, p.element, steps * a_step), f.at(b, p.element, steps * b_step)
                return [*onward, *acc]

            return body

        zeros = [f.const(self.vector, 0)] * (height * count)
        state = [f.params[0], f.params[1], *zeros]
        depth: Value | int = p.k if self.blocks == 1 else f.params[4]
        whole = (
            depth // _UNROLLED * _UNROLLED
            if isinstance(depth, int)
            else f.binary("and", depth, -_UNROLLED)
        )
        done: Value | int = 0
        if self.typical.m * self.typical.n * p.element.itemsize > _FAR:
            for r, v in self._cells(height, masks):
                fetch(f, self._cell(f, r, v))
            if self.epilogue is not None and t.depth >= 4 * height:
                state, done = self._fetching(f, height, count, whole, turn(_UNROLLED), state)
        state = f.loop(done, whole, _UNROLLED, turn(_UNROLLED), state)
        if isinstance(depth, int):
            return turn(depth % _UNROLLED)(f.index(0), *state)[2:]
        return (f.loop(whole, depth, 1, turn(1), state) if p.k % _UNROLLED else state)[2:]

    def _fetching(
        self, f: Function, height: int, count: int, whole: Value | int,
        body: Callable[..., list[Value]], state: list[Value],
    ) -> tuple[list[Value], Value | int]:  # fmt: skip
        """Most of the loop over k, with the operands of the epilogue fetched row by row."""
        epilogue = self.epilogue
        assert epilogue is not None
        if isinstance(whole, int):
            share: Value | int = whole // (_UNROLLED * height) * _UNROLLED
        else:
            share = f.binary("udiv", whole, _UNROLLED * height) * _UNROLLED

        def row(r: Value, *state: Value) -> list[Value]:
            self._fetch(f, epilogue, r, count)
            return f.loop(0, share, _UNROLLED, body, state)

        return f.loop(0, height, 1, row, state), share * height

    def _joined(
        self, f: Function, height: int, masks: Sequence[Value | None], done: list[Value]
    ) -> list[Value]:
        """The sums, with what the blocks before have left in C."""

        def added() -> list[Value]:
            cells = self._cells(height, masks)
            old = [f.load(self.vector, self._cell(f, r, v), mask=masks[v]) for r, v in cells]
            return [x + y for x, y in zip(old, done)]

        if self.p.accumulate:
            return added()
        if self.blocks == 1:
            return done
        return f.branch(f.compare("eq", f.params[3], 0), lambda: done, added)

    def _finish(
        self, f: Function, height: int, masks: Sequence[Value | None], done: list[Value],
        held: Value | None,
    ) -> None:  # fmt: skip
        """Stores the tile; the epilogue runs when the last block of k is in.

        A long one is written once, in a loop over the rows of the tile, which lies in `held`.
        """
        epilogue = self.epilogue

        def plain() -> None:
            for (r, v), x in zip(self._cells(height, masks), done):
                f.store(x, self._cell(f, r, v), mask=masks[v])

        def one(r: Value | int, v: int, x: Value) -> None:
            assert epilogue is not None
            row, column, extras = f.params[5], f.params[6], f.params[7:]
            y = epilogue(f, x, row + r, column + v * self.lanes, masks[v], extras)
            if y is not None:
                f.store(y, self._cell(f, r, v), mask=masks[v])

        def through() -> None:
            cells = self._cells(height, masks)
            if held is None:
                for (r, v), x in zip(cells, done):
                    one(r, v, x)
                return
            for i, x in enumerate(done):
                f.store(x, f.at(held, self.p.element, i * self.lanes))

            def turn(r: Value, tile: Value = held) -> None:
                for v in range(len(masks)):
                    place = (r * len(masks) + v) * self.lanes
                    one(r, v, f.load(self.vector, f.at(tile, self.p.element, place)))

            f.loop(0, height, 1, turn)

        if epilogue is None:
            plain()
        elif self.blocks == 1:
            through()
        else:
            f.branch(self._last(f), through, plain)


__all__ = ["Epilogue", "emit_product"]
