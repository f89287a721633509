"""What each structural op means, said a second time in plain NumPy that runs in any precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassgrad.graph.family import Alias, Broadcast, Cast, Reshape
from glassgrad.graph.op import Op
from glassgrad.ops.contract import Contract
from glassgrad.ops.gather import Scatter, ScatterAdd, Take
from glassgrad.ops.prefix import Prefix
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.sort import Sort
from glassgrad.ops.view import Concatenate, Place, Slice, Transpose, Update
from oracle.matrix_meaning import EXACT, matrix_meaning

Arrays = Sequence[np.ndarray]


def _grid(starts: Sequence[int], steps: Sequence[int], lengths: Sequence[int]) -> Any:
    return np.ix_(*(s + d * np.arange(n) for s, d, n in zip(starts, steps, lengths)))


def _reduce(op: Reduce, x: np.ndarray) -> Any:
    if op.kind == "logsumexp":
        with np.errstate(divide="ignore"):
            return np.log(np.add.reduce(np.exp(x), axis=op.axes))
    ufunc = {"sum": np.add, "max": np.maximum, "min": np.minimum,
             "any": np.logical_or, "all": np.logical_and}[op.kind]  # fmt: skip
    return ufunc.reduce(x, axis=op.axes)


def _place(op: Place, v: np.ndarray) -> Any:
    result = np.zeros(op.shape, v.dtype)
    result[_grid(op.starts, op.steps, v.shape)] = v
    return result


def _update(op: Update, x: np.ndarray, v: np.ndarray) -> Any:
    result = x.copy()
    result[_grid(op.starts, op.steps, v.shape)] = v
    return result


def _contract(op: Contract, x: np.ndarray, y: np.ndarray) -> Any:
    return np.einsum(x, list(op.lhs), y, list(op.rhs), list(op.out), optimize=False)


def _take(op: Take, x: np.ndarray, *indices: np.ndarray) -> Any:
    flat = np.moveaxis(x, range(op.axis, op.axis + len(indices)), range(len(indices)))
    read = np.array([flat[tuple(i)] for i in zip(*(i.ravel() for i in indices))], x.dtype)
    read = read.reshape((*indices[0].shape, *flat.shape[len(indices) :]))
    return np.moveaxis(read, range(indices[0].ndim), range(op.axis, op.axis + indices[0].ndim))


def _scatter(
    op: ScatterAdd | Scatter, base: np.ndarray, v: np.ndarray, *indices: np.ndarray
) -> Any:
    result = base.copy()
    flat = np.moveaxis(result, range(op.axis, op.axis + len(indices)), range(len(indices)))
    n = indices[0].ndim
    rows = np.moveaxis(v, range(op.axis, op.axis + n), range(n))
    with np.errstate(over="ignore"):  # uint8 wraps around
        for at in np.ndindex(indices[0].shape):
            place = tuple(i[at] for i in indices)
            flat[place] = rows[at] + (flat[place] if isinstance(op, ScatterAdd) else 0)
    return result


def _prefix(op: Prefix, x: np.ndarray) -> Any:
    result = np.moveaxis(x, op.axis, 0).copy()
    n = len(result)
    for i in range(1, n):
        here, before = (n - 1 - i, n - i) if op.backward else (i, i - 1)
        result[here] = np.add(result[here], result[before : before + 1])[0]  # uint8 wraps around
    return np.moveaxis(result, 0, op.axis)


def _sort(op: Sort, x: np.ndarray) -> Any:
    return np.sort(x, axis=op.axis)


MEANING: dict[type[Op], Callable[..., Any]] = {
    Reduce: _reduce,
    Broadcast: lambda op, x: np.zeros(op.shape, x.dtype) + x,
    Reshape: lambda op, x: np.fromiter(x.flat, x.dtype, x.size).reshape(op.shape),
    Transpose: lambda op, x: np.einsum(x, list(range(x.ndim)), list(op.perm)),
    Slice: lambda op, x: x[_grid(op.starts, op.steps, op.lengths)],
    Place: _place,
    Update: _update,
    Concatenate: lambda op, *xs: np.concatenate(xs, axis=op.axis),
    Cast: lambda op, x: x,
    Alias: lambda op, x: x,
    Contract: _contract,
    Take: _take,
    ScatterAdd: _scatter,
    Scatter: _scatter,
    Prefix: _prefix,
    Sort: _sort,
}  # fmt: skip


def meaning(op: Op, arrays: Arrays, result: int = 0) -> np.ndarray:
    """The value that the op should give, or one of its results; of sort the values alone."""
    if type(op) in EXACT:
        return matrix_meaning(op, arrays, result)
    return np.asarray(MEANING[type(op)](op, *arrays))
