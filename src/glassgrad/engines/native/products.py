"""Machine code of matrix products with their epilogues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from glassgrad.engines.native import cost
from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
from glassgrad.engines.native.emit import I8, I64, PTR, VOID, Function, Module, Value, of_dtype
from glassgrad.engines.native.expression import Buffer, Expr, Seed, Store, loads, walk
from glassgrad.engines.native.gemm import emit_product
from glassgrad.engines.native.nest import Nest
from glassgrad.engines.native.pieces import areas_across
from glassgrad.engines.native.shares import wanted_parts
from glassgrad.engines.native.step import Multiply
from glassgrad.engines.native.strided import Strided, row_major
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.threads import cores
from glassgrad.engines.native.tiling import Product, Tiling, tiling

_MOST = 32  # parts of a batch whose length is known at run time
_ENOUGH = 8  # parts that are even enough for the threads that there may be


def product_of(step: Multiply) -> Product:
    """The product that a step computes for each batch point."""
    left, right = step.left, step.right
    return Product(
        of_dtype(step.seed.dtype), step.m, step.n, step.k, (left.row, left.column),
        (right.row, right.column), step.n, extents=step.extents,
    )  # fmt: skip


@dataclass(frozen=True)
class Cut:
    """How a product is shared: by points of its batch, or by areas of one product after the other.

    There are `count` parts, each with `scratch` bytes of its own; so many at most where the batch
    is known at run time, and 0 where that decides how many areas of so many rows and columns there
    are.
    """

    by_batch: bool
    count: int
    scratch: int
    rows: int = 0
    columns: int = 0


def cut_of(step: Multiply, target: Target) -> Cut | None:
    """The cut of a product that is long enough; None where it is computed in one go."""
    if 0 in (*step.batch, step.m, step.n):
        return None
    if step.extents.varies(*step.batch, step.m, step.n, step.k):
        return _cut_varying(step, target)
    wanted = cost.parts(step)
    if wanted == 1:
        return None
    if step.batch and step.batch[0] >= min(wanted, _ENOUGH):
        size = -(-step.batch[0] // wanted)
        return Cut(True, -(-step.batch[0] // size), _tiling(step, target).scratch)
    t = _tiling(step, target, _threads())
    areas = -(-step.m // t.area_rows) * -(-step.n // t.area_columns)
    return Cut(False, areas, t.scratch) if areas > 1 else None


def _cut_varying(step: Multiply, target: Target) -> Cut:
    if step.batch:
        return Cut(True, _MOST, _tiling(step, target).scratch)
    t = _tiling(step, target, _threads())
    return Cut(False, 0, t.scratch, t.area_rows, t.area_columns)


def parts_of(f: Function, step: Multiply) -> Value:
    """The number of parts of a product that is cut by what is known at run time."""
    cut = cut_of(step, f.target)
    assert cut is not None
    if cut.by_batch:
        wanted = wanted_parts(f, step)
        return f.select(f.compare("slt", wanted, cut.count), wanted, cut.count)
    down = f.binary("udiv", f.index(step.m) + f.const(I64, cut.rows - 1), cut.rows)
    return down * areas_across(f, step.n, cut.columns)


def _threads() -> int:
    """The threads that areas are cut for: results do not depend on it."""
    return max(2, cores())


def _tiling(step: Multiply, target: Target, threads: int = 1) -> Tiling:
    return tiling(product_of(step), target.vector_bytes, target.registers, threads)


def scratch_bytes(step: Multiply, target: Target, at: Callable[[int], int]) -> int:
    """What a step needs for packed panels and blocks; `at` says what a number is in this call."""
    cut = cut_of(step, target)
    if cut is None:
        return _tiling(step, target).scratch
    areas = -(-at(step.m) // cut.rows) * -(-at(step.n) // cut.columns) if cut.rows else 0
    return cut.scratch * (cut.count or areas)


def keeps_partial_sums(step: Multiply, target: Target) -> bool:
    """Whether sums of a part of k lie in the result's memory for a while."""
    return product_of(step).typical().k > _tiling(step, target).depth


def result_store(step: Multiply) -> Store:
    """The store whose buffer the product writes to, and keeps partial sums in."""
    whole = Strided.contiguous(step.shape)
    fits = [s for s in step.stores if s.view == whole and s.buffer.dtype == step.seed.dtype]
    return min(fits, key=lambda s: not isinstance(s.expr, Seed))


class Epilogue:
    """Evaluates the stores of a step on finished vectors."""

    def __init__(self, step: Multiply, buffers: Sequence[Buffer]) -> None:
        self.step, self.buffers = step, buffers
        self.result = result_store(step)
        self.roots = step.roots()
        self.size = len(walk(self.roots))
        self.accesses = [*loads(self.roots), *step.stores]

    def __call__(
        self, f: Function, x: Value, row: Value, column: Value, mask: Value | None,
        extras: Sequence[Value],
    ) -> Value | None:  # fmt: skip
        """Stores all but the product's own result, which it returns."""
        step, k = self.step, LLVMAlgebra(f)
        strides = {a: a.view.strides for a in self.accesses}
        lanes = x.type.lanes
        nest = Nest(
            f, k, [step.m, step.n], self.roots, strides, dict(zip(self.buffers, extras)),
            vector=1 if lanes else None, lanes=lanes,
        )  # fmt: skip
        seed = k.wrap(x, step.seed.dtype)
        memo: dict[Expr, Lanes] = {step.seed: seed}

        def evaluate() -> Value | None:
            nest.hoist()
            if not lanes:
                nest.scalars[step.seed] = seed
            for load in step.early():
                nest.value(load, column, mask, memo)
            for store in step.stores:
                if store is not self.result:
                    nest.store(store, nest.value(store.expr, column, mask, memo), column, mask)
            return nest.value(self.result.expr, column, mask, memo).value

        if lanes:
            return nest.inside(0, row, evaluate)
        return nest.inside(0, row, lambda: nest.inside(1, column, evaluate))

    def lines(
        self, f: Function, row: Value, column: Value, extras: Sequence[Value]
    ) -> Sequence[Value]:
        """Where a vector's operands and other results lie."""
        pointers = dict(zip(self.buffers, extras))
        found: list[Value] = []
        for access in self.accesses:
            down, across = access.view.strides
            if access is not self.result and down and across:
                element = of_dtype(access.buffer.dtype)
                start = f.at(pointers[access.buffer], element, access.view.offset)
                found.append(f.at(start, element, row * down + column * across))
        return found


def emit_multiply(
    module: Module, f: Function, step: Multiply, pointers: dict[Buffer, Value], scratch: Value,
    name: str, part: Value | None = None,
) -> None:  # fmt: skip
    """Calls of the product's function for each batch point, or for one part, from `f`."""
    p = product_of(step)
    cut = None if part is None else cut_of(step, f.target)
    threads = _threads() if cut is not None and not cut.by_batch else 1
    result = result_store(step)
    buffers = list(dict.fromkeys(a.buffer for a in [*loads(step.roots()), *step.stores]))
    plain = len(step.stores) == 1 and isinstance(result.expr, Seed)
    extras: list[Value] = [] if plain else [pointers[b] for b in buffers]
    if step.extents.primes:
        assert f.sizes is not None
        extras.append(f.sizes)
    if plain:
        function = emit_product(module, p, extras=len(extras), threads=threads)
    else:
        function = emit_product(
            module, p, epilogue=Epilogue(step, buffers), extras=len(extras), name=name,
            threads=threads,
        )  # fmt: skip
    element = of_dtype(step.seed.dtype)
    bases = [
        f.at(pointers[b], element, offset)
        for b, offset in (
            (step.left.buffer, step.left.offset),
            (step.right.buffer, step.right.offset),
            (result.buffer, 0),
        )
    ]
    area: list[Value] = []
    first: tuple[Value | int, Value | int] = (0, step.batch[0] if step.batch else 1)
    if cut is not None and part is not None:
        scratch = f.at(scratch, I8, part * cut.scratch)
        if cut.by_batch:
            count = parts_of(f, step) if step.extents.varies(*step.batch) else f.index(cut.count)
            first = _range(f, part, count, f.index(step.batch[0]))
        else:
            area = [part]
    walks = [step.left.batch, step.right.batch, row_major((*step.batch, step.m, step.n))[:-2]]

    def each(axis: int, at: list[Value]) -> None:
        if axis == len(step.batch):
            f.call(function, VOID, *at, scratch, *extras, *area)
            return

        def turn(i: Value) -> None:
            each(axis + 1, [f.at(p, element, i * w[axis]) for p, w in zip(at, walks)])

        low, high = first if axis == 0 else (0, step.batch[axis])
        f.loop(low, high, 1, turn)

    if prod(step.batch):
        each(0, bases)


def _range(f: Function, part: Value, count: Value, total: Value) -> tuple[Value, Value]:
    """Where a part of a run starts and ends."""
    low = part * f.binary("udiv", total + (count - 1), count)
    end = low + f.binary("udiv", total + (count - 1), count)
    return low, f.select(f.compare("slt", end, total), end, total)


__all__ = [
    "PTR", "Epilogue", "emit_multiply", "keeps_partial_sums", "parts_of", "product_of",
    "result_store", "scratch_bytes",
]  # fmt: skip
