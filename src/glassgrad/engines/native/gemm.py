"""A generator of matrix products: C = A·B for any shape, strides, dtype and epilogue.

The element c[i, j] is always ``((a[i,0]*b[0,j]) + a[i,1]*b[1,j]) + …`` in this order of k (each
step one fma), whatever the tile, the blocks or the instruction set's width: so results do not
depend on how a product is cut, and their error is that of a recursive sum (k·eps/2 of Σ|a·b|).

The micro-kernel keeps a tile of `rows` x `vectors` accumulators in registers and is a function of
its own, shared by all tiles; the last rows and columns have smaller or masked variants. B is packed
into panels when it is not contiguous along j, or when it is large.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from glassgrad.engines.native.emit import I1, I64, PTR, VOID, Function, Module, Type, Value

_PANEL_BYTES = 32768  # one packed panel of B: it should stay in the first-level cache
_A_BYTES = 393216  # one block of A: it should stay in the second-level cache
_PACK_FROM = 65536  # bytes of B from which packing pays, if there are rows enough


class Epilogue(Protocol):
    """What is done to finished elements before they are stored, on vectors of one row.

    Returns the values to store; None where it has stored them itself. `row` and `column` (of the
    first lane) are i64 values, `mask` is None for a full vector, `extras` are pointers that the
    caller of the product passes on.
    """

    def __call__(
        self, f: Function, x: Value, row: Value, column: Value, mask: Value | None,
        extras: Sequence[Value],
    ) -> Value | None:  # fmt: skip
        """The finished vector."""
        ...


@dataclass(frozen=True)
class Product:
    """C[m, n] = A[m, k]·B[k, n]; strides are in elements, and C's last one must be 1."""

    element: Type
    m: int
    n: int
    k: int
    a: tuple[int, int]
    b: tuple[int, int]
    c: int  # the stride of a row of C
    accumulate: bool = False

    @staticmethod
    def row_major(element: Type, m: int, n: int, k: int) -> Product:
        """All three operands contiguous, none transposed."""
        return Product(element, m, n, k, (k, 1), (n, 1), n)


@dataclass(frozen=True)
class Tiling:
    """How a product is cut: lanes of a vector, tile, depth of a block, rows of a block of A."""

    lanes: int
    rows: int
    vectors: int
    depth: int
    block: int
    packed: bool
    scratch: int  # bytes

    @property
    def width(self) -> int:
        """The columns of one panel."""
        return max(1, self.lanes) * self.vectors


def _tile_rows(m: int, most: int) -> int:
    """The height of a tile: a divisor of m when a good one exists, else an even cut."""
    if m <= most:
        return max(m, 1)
    for rows in range(most, most * 2 // 3 - 1, -1):
        if m % rows == 0:
            return rows
    return -(-m // -(-m // most))


def tiling(p: Product, vector_bytes: int, registers: int) -> Tiling:
    """The cut for a product on a machine with so many vector registers of that size."""
    full = vector_bytes // p.element.itemsize
    lanes = min(full, 1 << max(0, p.n - 1).bit_length())
    vectors = max(1, min(2, -(-p.n // lanes)))
    rows = _tile_rows(p.m, (registers - 8) // vectors if vectors == 2 else (registers - 8) // 2)
    width = lanes * vectors
    deepest = max(64, _PANEL_BYTES // (width * p.element.itemsize))
    depth = max(1, -(-p.k // -(-p.k // deepest))) if p.k else 1
    large = p.k * p.n * p.element.itemsize >= _PACK_FROM and p.m >= 4 * rows
    packed = (p.b[1] != 1 and p.n > 1) or large
    panels = -(-p.n // width)
    scratch = panels * width * depth * p.element.itemsize if packed else 0
    block = max(rows, _A_BYTES // (depth * p.element.itemsize) // rows * rows)
    return Tiling(lanes if lanes > 1 else 0, rows, vectors, depth, block, packed, scratch)


def emit_product(
    module: Module,
    p: Product,
    *,
    epilogue: Epilogue | None = None,
    extras: int = 0,
    name: str = "",
) -> Function:
    """The function ``(a, b, c, scratch, *extras)`` that computes the product.

    `scratch` must hold ``tiling(...).scratch`` bytes, 64-byte aligned. A product without epilogue
    is shared by all who ask for the same one.
    """
    name = name or (
        f"gemm_{p.element.mangled}_{p.m}_{p.n}_{p.k}_{p.a[0]}_{p.a[1]}_{p.b[0]}_{p.b[1]}_{p.c}"
        f"_{int(p.accumulate)}"
    )
    if name in module.functions:
        return module.functions[name]
    return _Emitter(module, p, epilogue, extras, name).driver()


class _Emitter:
    def __init__(
        self, module: Module, p: Product, epilogue: Epilogue | None, extras: int, name: str
    ) -> None:
        self.module, self.p, self.name = module, p, name
        self.epilogue, self.extras = epilogue, extras
        self.t = tiling(p, module.target.vector_bytes, module.target.registers)
        self.vector = p.element.vector(self.t.lanes)
        self.lanes = max(1, self.t.lanes)
        self.blocks = max(1, -(-p.k // self.t.depth))

    # -- the loops around the micro-kernel ------------------------------------

    def driver(self) -> Function:
        """Blocks of k, then blocks of rows, then panels of columns, then tiles."""
        f = self.module.function(
            self.name, VOID, [PTR, PTR, PTR, PTR] + [PTR] * self.extras, "internal"
        )
        if self.p.m and self.p.n:
            p, t = self.p, self.t
            whole, rest = divmod(p.k, t.depth) if p.k else (0, 0)
            f.loop(0, whole, 1, lambda i: self._block(f, i * t.depth, t.depth))
            if rest or not p.k:
                self._block(f, f.index(p.k - rest), rest)
        f.ret()
        return f

    def _block(self, f: Function, start: Value, depth: int) -> None:
        """All of C for the `depth` values of k from `start`."""
        p, t = self.p, self.t
        a = f.at(f.params[0], p.element, start * p.a[1])
        b = f.at(f.params[1], p.element, start * p.b[0])
        if t.packed:
            self._pack(f, b, f.params[3], depth)
        for_rows = max(t.block, t.rows)

        def rows_block(first: Value, rows: int) -> None:
            def panel(column: Value, width: int) -> None:
                self._tiles(f, a, b, start, depth, first, rows, column, width)

            self._panels(f, panel)

        whole, rest = divmod(p.m, for_rows)
        f.loop(0, whole, 1, lambda i: rows_block(i * for_rows, for_rows))
        if rest:
            rows_block(f.index(p.m - rest), rest)

    def _panels(self, f: Function, each: Callable[[Value, int], None]) -> None:
        """Calls `each(first column, columns)` for full panels in a loop, then for the rest."""
        whole, rest = divmod(self.p.n, self.t.width)
        f.loop(0, whole, 1, lambda i: each(i * self.t.width, self.t.width))
        if rest:
            each(f.index(self.p.n - rest), rest)

    def _tiles(
        self, f: Function, a: Value, b: Value, start: Value, depth: int, first: Value, rows: int,
        column: Value, width: int,
    ) -> None:  # fmt: skip
        p, t = self.p, self.t
        if t.packed:
            panel = f.at(f.params[3], p.element, column * depth)
        else:
            panel = f.at(b, p.element, column * p.b[1])

        def tile(row: Value, height: int) -> None:
            kernel = self._kernel(height, width, depth)
            where = f.at(f.params[2], p.element, row * p.c + column)
            f.call(
                kernel, VOID, f.at(a, p.element, row * p.a[0]), panel, where, start, row, column,
                *f.params[4:],
            )  # fmt: skip

        whole, rest = divmod(rows, t.rows)
        f.loop(0, whole, 1, lambda i: tile(first + i * t.rows, t.rows))
        if rest:
            tile(first + (rows - rest), rest)

    # -- the micro-kernel -----------------------------------------------------

    def _kernel(self, height: int, width: int, depth: int) -> Function:
        """The function ``(a, panel, c, start, row, column, *extras)`` of one tile size."""
        name = f"{self.name}_t{height}_{width}_{depth}"
        if name in self.module.functions:
            return self.module.functions[name]
        f = self.module.function(
            name, VOID, [PTR, PTR, PTR, I64, I64, I64] + [PTR] * self.extras, "internal"
        )
        count = -(-width // self.lanes)
        tail = width - (count - 1) * self.lanes
        masks: list[Value | None] = [None] * count
        if tail < self.lanes:
            masks[-1] = f.tail_mask(self.lanes, tail)
        zeros = [f.const(self.vector, 0)] * (height * count)
        start = self._initial(f, height, masks, zeros)
        done = self._accumulate(f, height, masks, depth, start)
        self._finish(f, height, masks, depth, done)
        f.ret()
        return f

    def _cells(self, height: int, masks: Sequence[Value | None]) -> list[tuple[int, int]]:
        return [(r, v) for r in range(height) for v in range(len(masks))]

    def _initial(
        self, f: Function, height: int, masks: Sequence[Value | None], zeros: list[Value]
    ) -> list[Value]:
        """What the accumulators start with: zero in the first block of k, C in later ones."""

        def read() -> list[Value]:
            return [
                f.load(self.vector, self._cell(f, r, v), mask=masks[v])
                for r, v in self._cells(height, masks)
            ]

        if self.p.accumulate:
            return read()
        if self.blocks == 1:
            return zeros
        return f.branch(f.compare("eq", f.params[3], 0), lambda: zeros, read)

    def _cell(self, f: Function, r: int, v: int) -> Value:
        return f.at(f.params[2], self.p.element, r * self.p.c + v * self.lanes)

    def _accumulate(
        self, f: Function, height: int, masks: Sequence[Value | None], depth: int,
        start: list[Value],
    ) -> list[Value]:  # fmt: skip
        p, t = self.p, self.t
        unroll = 4 if depth % 4 == 0 else 2 if depth % 2 == 0 else 1
        if depth > 8 and unroll < 4:
            unroll = 4
        b_step = t.width if t.packed else p.b[0]

        def step(a: Value, b: Value, acc: list[Value]) -> list[Value]:
            load_masks = [None] * len(masks) if t.packed else masks
            rows = [
                f.load(self.vector, f.at(b, p.element, v * self.lanes), mask=load_masks[v])
                for v in range(len(masks))
            ]
            out: list[Value] = []
            for r in range(height):
                x = f.splat(f.load(p.element, f.at(a, p.element, r * p.a[0])), self.vector)
                out += [f.fma(x, y, acc[r * len(masks) + v]) for v, y in enumerate(rows)]
            return out

        def turn(count: int, a: Value, b: Value, acc: list[Value]) -> list[Value]:
            for u in range(count):
                acc = step(f.at(a, p.element, u * p.a[1]), f.at(b, p.element, u * b_step), acc)
            return acc

        def body(_: Value, a: Value, b: Value, *acc: Value) -> list[Value]:
            after = turn(unroll, a, b, list(acc))
            return [
                f.at(a, p.element, unroll * p.a[1]), f.at(b, p.element, unroll * b_step), *after
            ]  # fmt: skip

        whole, rest = divmod(depth, unroll)
        a, b, *acc = f.loop(0, whole, 1, body, [f.params[0], f.params[1], *start])
        return turn(rest, a, b, list(acc))

    def _finish(
        self, f: Function, height: int, masks: Sequence[Value | None], depth: int,
        done: list[Value],
    ) -> None:  # fmt: skip
        """Stores the tile; the epilogue runs when the last block of k is in."""

        def plain() -> None:
            for (r, v), x in zip(self._cells(height, masks), done):
                f.store(x, self._cell(f, r, v), mask=masks[v])

        def through() -> None:
            assert self.epilogue is not None
            row, column, extras = f.params[4], f.params[5], f.params[6:]
            for (r, v), x in zip(self._cells(height, masks), done):
                y = self.epilogue(f, x, row + r, column + v * self.lanes, masks[v], extras)
                if y is not None:
                    f.store(y, self._cell(f, r, v), mask=masks[v])

        if self.epilogue is None:
            plain()
        elif self.blocks == 1:
            through()
        else:
            last = f.compare("eq", f.params[3] + depth, self.p.k)
            f.branch(last, through, plain)

    # -- packing --------------------------------------------------------------

    def _pack(self, f: Function, b: Value, scratch: Value, depth: int) -> None:
        """B's `depth` rows as panels of `width` columns, zeros beyond the last column."""
        p = self.p
        contiguous = p.b[1] == 1

        def panel(column: Value, width: int) -> None:
            source = f.at(b, p.element, column * p.b[1])
            target = f.at(scratch, p.element, column * depth)
            kernel = self._pack_kernel(width, depth, contiguous)
            f.call(kernel, VOID, source, target)

        self._panels(f, panel)

    def _pack_kernel(self, width: int, depth: int, contiguous: bool) -> Function:
        name = f"{self.name}_p{width}_{depth}"
        if name in self.module.functions:
            return self.module.functions[name]
        f = self.module.function(name, VOID, [PTR, PTR], "internal")
        if contiguous:
            f.loop(0, depth, 1, lambda k: self._copy_row(f, k, width))
        elif self.t.lanes:
            whole, rest = divmod(depth, self.lanes)
            step = self.lanes
            f.loop(0, whole, 1, lambda k: self._transpose(f, k * step, width, step))
            if rest:
                self._transpose(f, f.index(depth - rest), width, rest)
        else:
            f.loop(0, depth, 1, lambda k: self._copy_element(f, k))
        f.ret()
        return f

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

    def _transpose(self, f: Function, k: Value, width: int, depth: int) -> None:
        """A lanes x lanes square at a time: rows along k are loaded, columns are stored."""
        p, lanes = self.p, self.lanes
        for v in range(-(-width // lanes)):
            count = min(lanes, width - v * lanes)
            if p.b[0] == 1:
                square = self._square_rows(f, k, v, count, depth)
            else:
                square = self._square_gathered(f, k, v, count, depth)
            for i in range(depth):
                where = f.at(f.params[1], p.element, (k + i) * self.t.width + v * lanes)
                f.store(square[i], where)

    def _square_rows(self, f: Function, k: Value, v: int, count: int, depth: int) -> list[Value]:
        p, lanes = self.p, self.lanes
        mask = self._mask(f, depth)
        rows = [f.const(self.vector, 0)] * lanes
        for j in range(count):
            source = f.at(f.params[0], p.element, k + (v * lanes + j) * p.b[1])
            rows[j] = f.load(self.vector, source, mask=mask)
        return transposed(f, rows)

    def _square_gathered(
        self, f: Function, k: Value, v: int, count: int, depth: int
    ) -> list[Value]:
        """Neither stride is 1: element by element."""
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


__all__ = ["I1", "Epilogue", "Product", "Tiling", "emit_product", "tiling", "transposed"]
