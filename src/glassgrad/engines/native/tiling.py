"""How a matrix product is cut: blocks for the caches, tiles for the registers.

The depth of a block is part of the definition of a product, since each block of k is summed by
itself: it is a function of k alone. Everything else here changes no bit of the result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from glassgrad.engines.native.emit import Type
from glassgrad.engines.native.extents import NONE, Extents, FixedSizeError

DEEPEST = 256  # values of k in one block: a panel of B then fits into the first-level cache
_A_BYTES = 262144  # one block of A: it should stay in the second-level cache
_COLUMNS = 512  # of one area
_PACK_FROM = 65536  # bytes of an operand from which packing pays, if it is read often enough
_ALIAS = 1024  # strides of a multiple of so many bytes fall on few lines of a cache
_ALIGNMENT = 64
LARGE_M, LARGE_N, LARGE_K = 1441440, 4096, 1024  # in place of what is known at run time
_COPY = 30  # the time to pack an element, in multiplications and additions
_TAKE = 30000  # the time to take a part, in multiplications and additions


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
    extents: Extents = NONE  # which of the numbers vary

    @staticmethod
    def row_major(element: Type, m: int, n: int, k: int) -> Product:
        """All three operands contiguous, none transposed."""
        return Product(element, m, n, k, (k, 1), (n, 1), n)

    def typical(self) -> Product:
        """The product by whose numbers this one is cut: its own, or large ones for what varies."""
        given = {"m": LARGE_M, "n": LARGE_N, "k": LARGE_K}
        vary = {i: large for i, large in given.items() if self.extents.varies(getattr(self, i))}
        return replace(self, **vary) if vary else self


@dataclass(frozen=True)
class Tiling:
    """The cut of one product.

    An area is `area_rows` x `area_columns` of C, computed by itself with `scratch` bytes of its
    own: there a panel of B is packed, and behind it a block of A.
    """

    lanes: int
    rows: int  # of a tile
    vectors: int  # across a tile
    depth: int
    area_rows: int
    area_columns: int
    packs_a: bool
    packs_b: bool
    a_place: int  # of the block of A in the scratch memory, in bytes
    scratch: int  # bytes

    @property
    def width(self) -> int:
        """The columns of one panel."""
        return max(1, self.lanes) * self.vectors


def block_depth(k: int) -> int:
    """The values of k in one block: as equal as may be, in fours where there are several.

    >>> [block_depth(k) for k in (1, 256, 257, 784, 1024)]
    [1, 256, 132, 196, 256]
    """
    blocks = max(1, -(-k // DEEPEST))
    even = -(-k // blocks)
    return max(1, even if blocks == 1 else -(-even // 4) * 4)


def _tile_rows(m: int, most: int) -> int:
    """The height of a tile: a divisor of m when a good one exists, else an even cut."""
    if m <= most:
        return max(m, 1)
    for rows in range(most, most * 2 // 3 - 1, -1):
        if m % rows == 0:
            return rows
    return -(-m // -(-m // most))


def _even(n: int, most: int, unit: int) -> int:
    """The length of equal parts of n: whole units, not much more than `most`."""
    parts = max(1, round(n / most))
    return max(unit, -(-n // (parts * unit)) * unit)


def tiling(p: Product, vector_bytes: int, registers: int, threads: int = 1) -> Tiling:
    """The cut for a product on a machine with so many vector registers of that size.

    With more `threads` than one the areas are such that these share them best.
    """
    if p.extents.varies(p.k) and p.b[1] != 1:
        raise FixedSizeError("a product whose right factor is transposed along what varies")
    rows_vary, columns_vary = p.extents.varies(p.m), p.extents.varies(p.n)
    p = p.typical()
    size = p.element.itemsize
    full = vector_bytes // size
    lanes = min(full, 1 << max(0, p.n - 1).bit_length())
    vectors = max(1, min(2, -(-p.n // lanes)))
    rows = _tile_rows(p.m, (registers - 8) // vectors if vectors == 2 else (registers - 8) // 2)
    width, depth = lanes * vectors, block_depth(p.k)
    area_rows = _even(p.m, max(rows, _A_BYTES // (depth * size)), rows)
    area_columns = _even(p.n, _COLUMNS, width)
    many = p.m >= 4 * rows
    packs_b = columns_vary or (p.b[1] != 1 and p.n > 1) or (many and p.k * p.n * size >= _PACK_FROM)
    packs_a = _packs_a(p, rows, width) and not rows_vary
    if threads > 1:
        area_rows, area_columns = _shared_areas(
            p, threads, (area_rows, area_columns), (rows, width), (packs_a, packs_b)
        )
    panel = _aligned(width * -(-depth // lanes) * lanes * size) if packs_b else 0
    block = _aligned(area_rows * depth * size) if packs_a else 0
    return Tiling(
        lanes if lanes > 1 else 0, rows, vectors, depth, area_rows, area_columns, packs_a, packs_b,
        panel, panel + block,
    )  # fmt: skip


def _shared_areas(
    p: Product, threads: int, most: tuple[int, int], units: tuple[int, int],
    packs: tuple[bool, bool],
) -> tuple[int, int]:  # fmt: skip
    """The rows and columns of the areas that several threads take, `most` at most.

    Each area is taken by itself and packs what it reads: small areas take and copy much, and of few
    large ones the last is waited for.
    """
    sizes = [
        {max(unit, -(-n // (parts * unit)) * unit) for parts in range(1, 17)}
        for n, unit in zip((p.m, p.n), units)
    ]
    best, least = most, float("inf")
    for rows in sorted({most[0], *(r for r in sizes[0] if r <= most[0])}, reverse=True):
        for columns in sorted({most[1], *(c for c in sizes[1] if c <= most[1])}, reverse=True):
            area = rows * columns + _COPY * (rows * packs[0] + columns * packs[1])
            count = -(-p.m // rows) * -(-p.n // columns)
            time = count * (area + _TAKE / max(1, p.k)) / threads + area / 2
            if time < 0.99 * least:
                best, least = (rows, columns), time
    return best


def _packs_a(p: Product, rows: int, width: int) -> bool:
    """Whether A is copied: it is large, read often, and its lines would drive each other out."""
    size = p.element.itemsize
    if 1 not in p.a or p.n < 4 * width or p.m < 4 * rows or p.m * p.k * size < _PACK_FROM:
        return False
    far = max(p.a) * size
    return p.a[1] != 1 or far % _ALIAS == 0


def _aligned(count: int) -> int:
    return -(-count // _ALIGNMENT) * _ALIGNMENT
