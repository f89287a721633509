"""Machine code of stable sorts: each row's values and places, merged in runs of growing width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassgrad.engines.native.emit import I64, PTR, VOID, Function, Module, Value, of_dtype
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.extents import FixedSizeError
from glassgrad.engines.native.step import Arrange
from glassgrad.engines.native.strided import row_major

INDEX_BYTES = 8


def work_bytes(dtype: np.dtype[Any], length: int) -> int:
    """What sorting a row needs: its values and places, twice."""
    return 2 * length * (max(dtype.itemsize, 1) + INDEX_BYTES)


def emit_sort(f: Function, step: Arrange, pointers: dict[Buffer, Value]) -> None:
    """Sorts every row along the axis: read into the work space, merged, and written."""
    dims, axis = list(step.shape), step.axis
    if 0 in dims:
        return
    n, view = dims[axis], step.source.view
    if f.varying(n) is not None:
        raise FixedSizeError("a sort along an axis of any length")
    element, whole = of_dtype(step.source.dtype), row_major(dims)
    passes = (n - 1).bit_length()
    merge = _merge(f.module, step.source.dtype)
    work = pointers[step.work]
    places = [f.at(work, I64, 0), f.at(work, I64, n)]
    values = [f.at(f.at(work, I64, 2 * n), element, i * n) for i in (0, 1)]

    def row(source: Value, kept: Value, indices: Value) -> None:
        def take(i: Value) -> None:
            x = f.load(element, f.at(source, element, i * view.strides[axis]))
            f.store(x, f.at(values[0], element, i))
            f.store(i, f.at(places[0], I64, i))

        def turn(_: Value, a: Value, b: Value, c: Value, d: Value, width: Value) -> list[Value]:
            f.call(merge, VOID, a, b, c, d, f.index(n), width)
            return [c, d, a, b, f.binary("shl", width, 1)]

        f.loop(0, n, 1, take)
        first = [values[0], places[0], values[1], places[1], f.index(1)]
        sorted_values, sorted_places, *_ = f.loop(0, passes, 1, turn, first)

        def give(i: Value) -> None:
            x, at = f.at(sorted_values, element, i), f.at(sorted_places, I64, i)
            f.store(f.load(element, x), f.at(kept, element, i * whole[axis]))
            f.store(f.load(I64, at), f.at(indices, I64, i * whole[axis]))

        f.loop(0, n, 1, give)

    start = f.at(pointers[step.source.buffer], element, view.offset)
    outer = [i for i in range(len(dims)) if i != axis]
    walks = (view.strides, whole, whole)
    first = (start, pointers[step.values], pointers[step.places])
    _each(f, outer, dims, walks, (element, element, I64), first, row)


def _each(
    f: Function, axes: Sequence[int], dims: Sequence[int], walks: Sequence[Sequence[int]],
    elements: Sequence[Any], at: Sequence[Value], body: Any,
) -> None:  # fmt: skip
    """Calls `body` with the moving addresses for each point of some axes."""
    if not axes:
        body(*at)
        return
    axis, *rest = axes

    def turn(i: Value) -> None:
        moved = [f.at(p, e, i * w[axis]) for p, e, w in zip(at, elements, walks)]
        _each(f, rest, dims, walks, elements, moved, body)

    f.loop(0, dims[axis], 1, turn)


def _merge(module: Module, dtype: np.dtype[Any]) -> Function:
    """``void (values, places, merged values, merged places, n, width)``: neighbouring runs merged.

    On a tie the left run goes first, so that equal values keep their order.
    """
    name = f"merge_{dtype.kind}{dtype.itemsize}"
    if name in module.functions:
        return module.functions[name]
    f = module.function(name, VOID, [PTR] * 4 + [I64] * 2, "internal")
    values, places, merged_values, merged_places, n, width = f.params
    element = of_dtype(dtype)

    def least(a: Value, b: Value) -> Value:
        return f.select(f.compare("slt", a, b), a, b)

    def runs(number: Value) -> None:
        start = number * (width + width)
        middle = least(start + width, n)
        end = least(middle + width, n)

        def one(at: Value, i: Value, j: Value) -> list[Value]:
            x = f.load(element, f.at(values, element, least(i, middle - 1)))
            y = f.load(element, f.at(values, element, least(j, n - 1)))
            left_over = f.compare("sge", i, middle)
            right = left_over | (f.compare("slt", j, end) & _before(f, dtype, y, x))
            place = f.load(I64, f.at(places, I64, f.select(right, j, i)))
            f.store(f.select(right, y, x), f.at(merged_values, element, at))
            f.store(place, f.at(merged_places, I64, at))
            step = f.cast("zext", right, I64)
            return [i + 1 - step, j + step]

        f.loop(start, end, 1, one, [start, middle])

    count = f.binary("udiv", n + (width + width) - 1, width + width)
    f.loop(0, count, 1, runs)
    f.ret()
    return f


def _before(f: Function, dtype: np.dtype[Any], y: Value, x: Value) -> Value:
    """Whether y comes strictly before x: NaN comes after every number."""
    if dtype.kind == "f":
        number, nan = f.compare("ord", y, y), f.compare("uno", x, x)
        return f.compare("olt", y, x) | (number & nan)
    return f.compare("slt" if dtype.kind == "i" else "ult", y, x)
