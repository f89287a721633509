"""Machine code of steps: fused loops, scatters, and what has files of its own."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from glassgrad.engines.native.across import across
from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
from glassgrad.engines.native.convert import to_memory
from glassgrad.engines.native.emit import Function, Value, of_dtype
from glassgrad.engines.native.expression import (
    Buffer,
    Expr,
    Gather,
    Load,
    Store,
    loads,
    walk,
)
from glassgrad.engines.native.flat import FlatNest, suits
from glassgrad.engines.native.nest import Nest, Part, vector_lanes
from glassgrad.engines.native.numbering import emit_numbers
from glassgrad.engines.native.philox import emit_draw
from glassgrad.engines.native.reducer import Reducer
from glassgrad.engines.native.row_sums import RowSums, emit_row_sums
from glassgrad.engines.native.sorting import emit_sort
from glassgrad.engines.native.spin import emit_spin
from glassgrad.engines.native.step import (
    Arrange,
    Draw,
    Loop,
    Number,
    Reduction,
    Scatter,
    Spin,
    Step,
)
from glassgrad.engines.native.strided import collapse


def emit_step(
    f: Function, step: Step, pointers: dict[Buffer, Value], status: Value | None,
    part: Part | None = None,
) -> None:  # fmt: skip
    """The body of the function of one step, or of a part of it; ends without `ret`."""
    if isinstance(step, Reduction):
        Reducer(f, step, pointers, status, part).emit()
    elif isinstance(step, Draw):
        emit_draw(f, step, pointers, part)
    elif isinstance(step, Spin):
        emit_spin(f, step, pointers, status)
    elif isinstance(step, Arrange):
        emit_sort(f, step, pointers)
    elif isinstance(step, Number):
        emit_numbers(f, step, pointers, status)
    elif isinstance(step, RowSums):
        emit_row_sums(f, step, pointers, status)
    elif isinstance(step, Scatter):
        _scatter(f, step, pointers, status)
    else:
        assert isinstance(step, Loop)
        _loop(f, step, pointers, status, part)


def _accesses(exprs: Sequence[Expr], stores: Sequence[Store]) -> list[Any]:
    return [*loads(exprs), *stores]


def _loop(
    f: Function, step: Loop, pointers: dict[Buffer, Value], status: Value | None,
    part: Part | None,
) -> None:  # fmt: skip
    roots = step.roots()
    accesses = [*_accesses(roots, step.stores), *step.ahead]
    dims, strides, _ = collapse(step.shape, [a.view.strides for a in accesses])
    if 0 in dims:
        return
    exprs = list(walk(roots))
    wide = vector_lanes(f, exprs, prod(dims))
    if suits(dims, exprs, wide):
        table = dict(zip(accesses, strides))
        flat = FlatNest(f, LLVMAlgebra(f, status), dims, roots, table, pointers, wide)
        flat.hoist()
        _vectors(flat, step, prod(dims))
        return
    lanes = vector_lanes(f, exprs, dims[-1]) if dims else 0
    vector = len(dims) - 1 if lanes else None
    if part is not None:
        part.cut(range(len(dims)), dims, vector, lanes)
    nest = Nest(
        f, LLVMAlgebra(f, status), dims, roots, dict(zip(accesses, strides)), pointers,
        vector=vector, lanes=lanes, part=part,
    )  # fmt: skip

    early = step.early()

    def point(i: Value | None, mask: Value | None) -> None:
        memo: dict[Expr, Lanes] = {}
        for load in early:
            nest.value(load, i, mask, memo)
        for store in step.stores:
            nest.store(store, nest.value(store.expr, i, mask, memo), i, mask)
        nest.fetch(step.ahead, i)

    outer = range(len(dims) - 1) if lanes else range(len(dims))
    nest.open(list(outer), lambda _: across(f, nest, dims, lanes, point))


def _vectors(flat: FlatNest, step: Loop, total: int) -> None:
    """All vectors of a small loop, written out."""
    for at in range(0, total, flat.lanes):
        mask = flat.f.tail_mask(flat.lanes, total - at) if total - at < flat.lanes else None
        memo: dict[Expr, Lanes] = {}
        i = flat.f.index(at)
        for load in step.early():
            flat.value(load, i, mask, memo)
        for store in step.stores:
            flat.store(store, flat.value(store.expr, i, mask, memo), i, mask)


def _scatter(
    f: Function, step: Scatter, pointers: dict[Buffer, Value], status: Value | None
) -> None:
    """Adds or writes in row-major order of the values, so that repeated indices have one result."""
    roots = step.roots()
    target = step.target
    accesses = [*loads(roots), target]
    dims = list(step.space)
    if 0 in dims:
        return
    strides = {a: a.view.strides for a in accesses}
    varies = [a for x in step.target.args for a in _varying(x, strides)]
    free = bool(dims) and len(dims) - 1 not in varies and dims[-1] > 1
    free = free and target.view.strides[-1] == 1  # else indices, all equal
    lanes = vector_lanes(f, list(walk(roots)), dims[-1]) if free else 0
    vector = len(dims) - 1 if lanes else None
    k = LLVMAlgebra(f, status)
    nest = Nest(f, k, dims, roots, strides, pointers, vector=vector, lanes=lanes)
    element = of_dtype(target.dtype)

    def point(i: Value | None, mask: Value | None, base: Value) -> None:
        added = nest.value(step.values, i, mask, {})
        where = base if i is None else f.at(base, element, i)
        if step.adds:
            old = k.wrap(f.load(added.value.type, where, mask=mask), target.dtype)
            added = k.add(old, added)
        f.store(to_memory(k, added), where, mask=mask)

    def row(_: Sequence[Value]) -> None:
        base = f.at(nest.pointer[target], element, nest.place(target))
        across(f, nest, dims, lanes, lambda i, mask: point(i, mask, base))

    outer = range(len(dims) - 1) if lanes else range(len(dims))
    nest.open(list(outer), row)


def _varying(expr: Expr, strides: dict[Any, Sequence[int]]) -> set[int]:
    found: set[int] = set()
    for x in walk([expr]):
        if isinstance(x, Load | Gather):
            found |= {a for a, s in enumerate(strides[x]) if s}
    return found
