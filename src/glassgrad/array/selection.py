"""NumPy's functions that choose and order elements, on handles."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array.handle import Array, as_node
from glassgrad.array.protocol import METHODS, implements
from glassgrad.array.shapes import ravel
from glassgrad.array.together import together
from glassgrad.array.ufuncs import operands
from glassgrad.graph.dtype import FLOAT64, to_float
from glassgrad.graph.errors import DTypeError
from glassgrad.graph.family import cast
from glassgrad.graph.node import Node
from glassgrad.graph.op import REGISTRY
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.compare import isfinite, less_equal
from glassgrad.ops.gather import take as gather
from glassgrad.ops.gather import take_along
from glassgrad.ops.reduce import one_axis
from glassgrad.ops.rounding import rint
from glassgrad.ops.select import absolute, bounded_above, bounded_below
from glassgrad.ops.sort import sort


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """np.where with three arguments; with one, the positions, which depend on the data."""
    if x is None or y is None:
        return np.nonzero(condition._guarded())
    return Array(REGISTRY["where"].apply(*operands((condition, x, y))))


@implements(np.clip)
def clip(
    a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Array:
    """np.clip; either bound may be None."""
    low, high = a_min if min is None else min, a_max if max is None else max
    x = as_node(a)
    if low is not None:
        x = bounded_below(*operands((Array(x), low)))
    return Array(x if high is None else bounded_above(*operands((Array(x), high))))


@implements(np.sort)
def sort_(a: Any, axis: int | None = -1, kind: Any = None, stable: Any = None) -> Array:
    """np.sort."""
    x = ravel(a).node if axis is None else as_node(a)
    return Array(sort(x, one_axis(axis or 0, x.ndim, "sort"))[0])


@implements(np.argsort)
def argsort(a: Any, axis: int | None = -1, kind: Any = None, stable: Any = None) -> Array:
    """np.argsort, always stable."""
    x = ravel(a).node if axis is None else as_node(a)
    return Array(sort(x, one_axis(axis or 0, x.ndim, "argsort"))[1])


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None) -> Array:
    """np.take; one traced place is read where the program runs, without a guard."""
    a, along = (ravel(a), 0) if axis is None else (a, one_axis(axis, a.ndim, "take"))
    if isinstance(indices, Array) and not indices.ndim and indices.dtype.kind in "iu":
        return Array(gather(a.node, [indices.node], along))
    array = indices if isinstance(indices, Array) else np.asarray(indices)
    return a[(slice(None),) * along + (array,)]


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int = -1) -> Array:
    """np.take_along_axis for indices that match the array off the axis."""
    x, i = together((arr, indices))
    return Array(take_along(x, i, one_axis(axis, x.ndim, "take_along_axis")))


@implements(np.nonzero)
def nonzero(a: Any) -> Any:
    """np.nonzero: the places depend on the values, which are remembered as a guard."""
    return np.nonzero(a._guarded())


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    """np.flatnonzero, by a guard as np.nonzero."""
    return np.flatnonzero(a._guarded())


@implements(np.argwhere)
def argwhere(a: Any) -> Any:
    """np.argwhere, by a guard as np.nonzero."""
    return np.argwhere(a._guarded())


@implements(np.round, np.around)
def round_(a: Any, decimals: int = 0) -> Array:
    """np.round, from the middle to the even digit; its derivative is 0."""
    x = as_node(a)
    if x.dtype.kind not in "fb":
        return Array(x if decimals >= 0 else _rounded_whole(x, 10**-decimals))
    if decimals == 0:
        return Array(rint.apply(x))
    if x.dtype.kind == "b":
        raise DTypeError(f"booleans have no digits to round: use .astype(float){at_caller()}")
    scale = 10.0 ** abs(decimals)
    if decimals > 0:
        return Array(rint.apply(x * scale) / scale)
    return Array(rint.apply(x / scale) * scale)


def _rounded_whole(x: Node, unit: int) -> Node:
    return cast(rint.apply(cast(x, FLOAT64) / unit) * unit, x.dtype)


@implements(np.fix)
def fix(x: Any) -> Array:
    """np.fix: towards zero; its derivative is 0."""
    return Array(REGISTRY["trunc"].apply(as_node(x)))


@implements(np.sinc)
def sinc(x: Any) -> Array:
    """np.sinc: sin(πx)/(πx), exactly 0 at integers but 0."""
    return Array(REGISTRY["sinc"].apply(as_node(x)))


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Array:
    """np.nan_to_num: numbers for NaN and infinities; no gradient flows to what was replaced."""
    node = as_node(x)
    if node.dtype.kind != "f":
        return Array(node)
    most = float(np.finfo(node.dtype).max)
    for test, number in (
        (REGISTRY["isnan"].apply(node), nan),
        (REGISTRY["equal"].apply(node, np.inf), most if posinf is None else posinf),
        (REGISTRY["equal"].apply(node, -np.inf), -most if neginf is None else neginf),
    ):
        node = REGISTRY["where"].apply(test, number, node)
    return Array(node)


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8) -> Array:
    """np.isclose; NaN is close to nothing."""
    x, y = together((a, b))
    x, y = cast(x, to_float(x.dtype)), cast(y, to_float(y.dtype))
    gap, bound = absolute.apply(x - y), atol + rtol * absolute.apply(y)
    near = REGISTRY["logical_and"].apply(less_equal.apply(gap, bound), isfinite.apply(y))
    return Array(REGISTRY["logical_or"].apply(near, REGISTRY["equal"].apply(x, y)))


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """np.allclose: the answer depends on the values, and is remembered as a guard."""
    return bool(isclose(a, b, rtol, atol).all())


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any) -> bool:
    """np.array_equal, by a guard as np.allclose."""
    x, y = together((a1, a2))
    return x.shape == y.shape and bool(Array(REGISTRY["equal"].apply(x, y)).all())


METHODS.update(
    {"clip": clip, "take": take, "argsort": argsort, "round": round_, "nonzero": nonzero}
)
