"""NumPy's functions of shape on handles: views, and arrays of the shape of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassgrad.array.handle import Array, as_node
from glassgrad.array.protocol import FUNCTIONS, METHODS, implements
from glassgrad.array.together import Axis, together
from glassgrad.graph.dtype import as_dtype, to_float
from glassgrad.graph.errors import NoRuleError, ShapeError
from glassgrad.graph.family import Reshape, broadcast_to, cast, full_like
from glassgrad.graph.family import reshape as _reshaped
from glassgrad.graph.node import Node
from glassgrad.graph.op import REGISTRY
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.reduce import normal_axes, normal_order, one_axis, reduce
from glassgrad.ops.view import Transpose


@implements(np.reshape)
def reshape(a: Any, shape: Any, order: str = "C") -> Array:
    """np.reshape in row-major order; a view where NumPy's is one, so writes reach it."""
    if order != "C":
        raise NoRuleError(f"reshape: only order='C' has a rule{at_caller()}")
    a = a if isinstance(a, Array) else Array(as_node(a))
    wanted = [int(n) for n in (shape if isinstance(shape, list | tuple) else (shape,))]
    if wanted.count(-1) == 1:
        rest = int(np.prod([n for n in wanted if n != -1], dtype=np.int64))
        if rest and a.size % rest == 0:
            wanted[wanted.index(-1)] = a.size // rest
    if any(n < 0 for n in wanted) or int(np.prod(wanted, dtype=np.int64)) != a.size:
        raise ShapeError(
            f"reshape: shape {a.shape} has {a.size} elements and does not fit {tuple(wanted)}"
            f"{at_caller()}"
        )
    target = tuple(wanted)
    if target == a.shape:
        return a
    if a.shares(target):
        return a.through(Reshape(target), shape=target)
    return Array(_reshaped(a.node, target))


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Array:
    """np.transpose, as a view."""
    a = a if isinstance(a, Array) else Array(as_node(a))
    given = range(a.ndim)[::-1] if axes is None else axes
    perm = tuple(one_axis(i, a.ndim, "transpose") for i in given)
    if perm == tuple(range(a.ndim)):
        return a
    if sorted(perm) != list(range(a.ndim)):
        raise ShapeError(f"transpose: {axes} is no order of {a.ndim} axes{at_caller()}")
    return a.through(Transpose(perm), shape=tuple(a.shape[i] for i in perm))


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Array:
    """np.ravel."""
    return reshape(a, (-1,), order) if np.size(a) else reshape(a, (0,), order)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Array:
    """np.swapaxes, as a view."""
    perm = list(range(a.ndim))
    first, second = (one_axis(i, a.ndim, "swapaxes") for i in (axis1, axis2))
    perm[first], perm[second] = second, first
    return transpose(a, perm)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Array:
    """np.moveaxis, as a view."""
    start, end = (normal_order(axes, a.ndim, "moveaxis") for axes in (source, destination))
    if len(start) != len(end):
        raise ShapeError(f"moveaxis: {len(start)} axes have {len(end)} new places{at_caller()}")
    perm = [i for i in range(a.ndim) if i not in start]
    for place, axis in sorted(zip(end, start)):
        perm.insert(place, axis)
    return transpose(a, perm)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: int | Sequence[int]) -> Array:
    """np.expand_dims, as a view."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    ndim = a.ndim + len(axes)
    new = normal_axes(axes, ndim, "expand_dims")
    rest = iter(a.shape)
    return reshape(a, tuple(1 if i in new else next(rest) for i in range(ndim)))


@implements(np.squeeze)
def squeeze(a: Any, axis: Axis = None) -> Array:
    """np.squeeze, as a view."""
    ones = tuple(i for i, n in enumerate(a.shape) if n == 1)
    axes = ones if axis is None else normal_axes(axis, a.ndim, "squeeze")
    if any(a.shape[i] != 1 for i in axes):
        raise ShapeError(f"squeeze: axis {axis} of shape {a.shape} is not of length 1{at_caller()}")
    return reshape(a, tuple(n for i, n in enumerate(a.shape) if i not in axes))


@implements(np.broadcast_to)
def broadcast_to_(array: Any, shape: Any, subok: bool = False) -> Array:
    """np.broadcast_to."""
    return Array(broadcast_to(as_node(array), (shape,) if isinstance(shape, int) else tuple(shape)))


FUNCTIONS.update(
    {
        np.shape: lambda a: a.shape,
        np.ndim: lambda a: a.ndim,
        np.size: lambda a, axis=None: a.size if axis is None else a.shape[axis],
        np.iscomplexobj: lambda x: False,
        np.isrealobj: lambda x: True,
        np.result_type: lambda *xs: np.result_type(
            *(x.dtype if isinstance(x, Array) else x for x in xs)
        ),
        np.copy: lambda a, order="K", subok=False: Array(a.node),
    }
)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Array:
    """np.rollaxis, as a view."""
    axis = one_axis(axis, a.ndim, "rollaxis")
    start = a.ndim if start == a.ndim else one_axis(start, a.ndim, "rollaxis")
    return moveaxis(a, axis, start - (axis < start))


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any) -> Array:
    """np.matrix_transpose: the last two axes exchanged, as a view."""
    return swapaxes(x, -1, -2)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Array, ...]:
    """np.broadcast_arrays."""
    nodes = together(args)
    shape = np.broadcast_shapes(*(n.shape for n in nodes))
    return tuple(Array(broadcast_to(n, shape)) for n in nodes)


def _is(x: Array, value: float) -> Array:
    return Array(REGISTRY["equal"].apply(cast(x.node, to_float(x.dtype)), value))


def _never(x: Array) -> Array:
    return Array(full_like(cast(x.node, np.dtype(bool)), False))


FUNCTIONS.update(
    {
        np.real: lambda val: val,
        np.imag: lambda val: Array(full_like(val.node, 0)),
        np.iscomplex: _never,
        np.isreal: lambda x: ~_never(x),
        np.real_if_close: lambda a, tol=100: a,
        np.isposinf: lambda x: _is(x, np.inf),
        np.isneginf: lambda x: _is(x, -np.inf),
        np.astype: lambda x, dtype, copy=True: Array(cast(x.node, as_dtype(dtype))),
    }
)


def _filled(value: float) -> Any:
    def like(a: Any, dtype: Any = None, shape: Any = None) -> Array:
        x = as_node(a) if dtype is None else cast(as_node(a), as_dtype(dtype))
        made = full_like(x, value)
        return Array(
            made if shape is None else broadcast_to(full_like(_scalar(x), value), tuple(shape))
        )

    return like


def _scalar(x: Node) -> Node:
    return reduce(x, "sum", tuple(range(x.ndim)))


FUNCTIONS.update({np.zeros_like: _filled(0), np.ones_like: _filled(1), np.empty_like: _filled(0)})


@implements(np.full_like)
def full_like_(a: Any, fill_value: Any, dtype: Any = None) -> Array:
    """np.full_like."""
    x, value = together((a, fill_value))
    return Array(broadcast_to(cast(value, as_dtype(dtype or x.dtype)), x.shape))


def _at_least(ndim: int) -> Any:
    def grown(*arys: Any) -> Any:
        found = [_grown(Array(x), ndim) for x in together(arys)]
        return found[0] if len(found) == 1 else tuple(found)

    return grown


def _grown(a: Array, ndim: int) -> Array:
    if a.ndim >= ndim:
        return a
    if ndim == 3 and a.ndim == 2:
        return reshape(a, (*a.shape, 1))
    if ndim == 3 and a.ndim == 1:
        return reshape(a, (1, a.size, 1))
    return reshape(a, ((1,) * (ndim - a.ndim)) + a.shape)


FUNCTIONS.update(
    {np.atleast_1d: _at_least(1), np.atleast_2d: _at_least(2), np.atleast_3d: _at_least(3)}
)

METHODS.update(
    {
        "ravel": ravel, "swapaxes": swapaxes, "squeeze": squeeze, "transpose": transpose,
        "copy": lambda a, order="C": Array(a.node),
        "flatten": lambda a, order="C": Array(ravel(a, order).node),
        "astype": lambda a, dtype, copy=True: Array(cast(a.node, as_dtype(dtype))),
        "reshape": lambda a, *shape, order="C": reshape(
            a, shape[0] if len(shape) == 1 else shape, order
        ),
    }
)  # fmt: skip
