"""NumPy's functions on handles, for `__array_function__`: reductions, shapes, joins, products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassgrad.array.handle import Array, as_node
from glassgrad.array.protocol import FUNCTIONS, HANDLERS, METHODS, implements
from glassgrad.array.ufuncs import operands
from glassgrad.graph.dtype import as_dtype
from glassgrad.graph.errors import NoRuleError, ShapeError
from glassgrad.graph.family import Reshape, broadcast_to, cast, full_like
from glassgrad.graph.node import Node, Trace
from glassgrad.graph.op import REGISTRY
from glassgrad.graph.provenance import at_caller
from glassgrad.ops import contract as products
from glassgrad.ops.gather import take_along
from glassgrad.ops.product import product
from glassgrad.ops.reduce import mean, normal_axes, reduce, sum_
from glassgrad.ops.select import bounded_above, bounded_below
from glassgrad.ops.sort import sort
from glassgrad.ops.view import Transpose, concatenate

Axis = int | Sequence[int] | None


_TAKES_MORE = 0x04  # the flag of a code object that has *args


def call_function(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `Array.__array_function__` answers."""
    run = FUNCTIONS.get(func)
    name = f"{getattr(func, '__module__', 'numpy').replace('numpy', 'np')}.{func.__name__}"
    if run is None:
        raise NoRuleError(
            f"{name} has no rule yet for traced arrays: write it by functions that have one "
            f"({', '.join(sorted({f.__name__ for f in FUNCTIONS}))}){at_caller()}"
        )
    kwargs = {k: v for k, v in kwargs.items() if v is not np._NoValue}  # pyright: ignore
    out = kwargs.pop("out", None)
    code = run.__code__
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    unknown = [key for key in kwargs if key not in known]
    if unknown or (len(args) > code.co_argcount and not code.co_flags & _TAKES_MORE):
        what = f"the argument {unknown[0]!r}" if unknown else "so many arguments"
        raise NoRuleError(f"{name} has no rule yet with {what}{at_caller()}")
    result = run(*args, **kwargs)
    if out is None:
        return result
    out.write(result)
    return out


def _node(x: Any) -> Node:
    return as_node(x)


def _together(values: Sequence[Any]) -> list[Node]:
    """Nodes of several values, in the trace of the handle among them."""
    trace = next((v.node.trace for v in values if isinstance(v, Array)), None) or Trace()
    return [as_node(v, trace) for v in values]


# -- reductions -------------------------------------------------------------------------------


@implements(np.sum)
def sum(a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """np.sum, with axis, dtype and keepdims."""
    x = _node(a)
    axes = normal_axes(axis, x.ndim, "sum")
    return Array(sum_(x, axes, keepdims, None if dtype is None else as_dtype(dtype)))


@implements(np.mean)
def mean_(a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """np.mean, with axis, dtype and keepdims."""
    x = _node(a) if dtype is None else cast(_node(a), as_dtype(dtype))
    return Array(mean(x, normal_axes(axis, x.ndim, "mean"), keepdims))


def _reduction(kind: str) -> Any:
    def run(a: Any, axis: Axis = None, keepdims: bool = False) -> Array:
        x = _node(a)
        if kind in ("any", "all"):
            x = cast(x, np.dtype(bool))
        return Array(reduce(x, kind, normal_axes(axis, x.ndim, kind), keepdims))

    run.__name__ = kind
    return run


for _kind, _functions in {
    "max": (np.max, np.amax), "min": (np.min, np.amin), "any": (np.any,),
    "all": (np.all,),
}.items():  # fmt: skip
    METHODS[_kind] = implements(*_functions)(_reduction(_kind))


@implements(np.prod)
def prod(a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """np.prod, with axis, dtype and keepdims."""
    x = _node(a) if dtype is None else cast(_node(a), as_dtype(dtype))
    return Array(product(x, normal_axes(axis, x.ndim, "prod"), keepdims))


# -- shapes -----------------------------------------------------------------------------------


@implements(np.reshape)
def reshape(a: Any, shape: Any, order: str = "C") -> Array:
    """np.reshape in row-major order; a view, so writes reach the original."""
    if order != "C":
        raise NoRuleError(f"reshape: only order='C' has a rule{at_caller()}")
    a = a if isinstance(a, Array) else Array(_node(a))
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
    return a if target == a.shape else a.view(Reshape(target), shape=target)


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Array:
    """np.transpose, as a view."""
    a = a if isinstance(a, Array) else Array(_node(a))
    perm = tuple(range(a.ndim))[::-1] if axes is None else tuple(int(i) % a.ndim for i in axes)
    if perm == tuple(range(a.ndim)):
        return a
    if sorted(perm) != list(range(a.ndim)):
        raise ShapeError(f"transpose: {axes} is no order of {a.ndim} axes{at_caller()}")
    return a.view(Transpose(perm), shape=tuple(a.shape[i] for i in perm))


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Array:
    """np.ravel."""
    return reshape(a, (-1,), order) if np.size(a) else reshape(a, (0,), order)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Array:
    """np.swapaxes, as a view."""
    perm = list(range(a.ndim))
    perm[axis1], perm[axis2] = perm[axis2], perm[axis1]
    return transpose(a, perm)


@implements(np.moveaxis)
def moveaxis(a: Any, source: int, destination: int) -> Array:
    """np.moveaxis for one axis, as a view."""
    perm = [i for i in range(a.ndim) if i != source % a.ndim]
    perm.insert(destination % a.ndim, source % a.ndim)
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
    return Array(broadcast_to(_node(array), (shape,) if isinstance(shape, int) else tuple(shape)))


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


# -- joins ------------------------------------------------------------------------------------


@implements(np.concatenate)
def concatenate_(arrays: Sequence[Any], axis: int | None = 0) -> Array:
    """np.concatenate."""
    nodes = _together(arrays)
    if axis is None:
        nodes = [ravel(Array(n)).node for n in nodes]
        axis = 0
    if any(n.ndim == 0 for n in nodes):
        raise ShapeError(f"concatenate: 0-d arrays cannot be joined: use np.stack{at_caller()}")
    return Array(concatenate(nodes, axis % nodes[0].ndim))


@implements(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0) -> Array:
    """np.stack."""
    nodes = _together(arrays)
    if any(n.shape != nodes[0].shape for n in nodes):
        shapes = ", ".join(str(n.shape) for n in nodes)
        raise ShapeError(f"stack: all arrays must have one shape, not {shapes}{at_caller()}")
    return concatenate_([expand_dims(Array(n), axis) for n in nodes], axis)


@implements(np.hstack)
def hstack(tup: Sequence[Any]) -> Array:
    """np.hstack."""
    arrays = [Array(n) if n.ndim else reshape(Array(n), (1,)) for n in _together(tup)]
    return concatenate_(arrays, 0 if arrays[0].ndim == 1 else 1)


@implements(np.vstack)
def vstack(tup: Sequence[Any]) -> Array:
    """np.vstack."""
    arrays = [Array(n) for n in _together(tup)]
    return concatenate_([a if a.ndim > 1 else reshape(a, (1, -1)) for a in arrays], 0)


# -- products ---------------------------------------------------------------------------------


@implements(np.dot)
def dot(a: Any, b: Any) -> Array:
    """np.dot for scalars, vectors and matrices."""
    x, y = _together((a, b))
    if x.ndim == 0 or y.ndim == 0:
        return Array(x * y)
    if y.ndim > 2:
        raise NoRuleError(
            f"np.dot with a second operand of {y.ndim} axes: use np.matmul{at_caller()}"
        )
    return Array(products.matmul(x, y))


@implements(np.inner)
def inner(a: Any, b: Any) -> Array:
    """np.inner for vectors and matrices."""
    x, y = _together((a, b))
    return Array(x * y) if x.ndim == 0 or y.ndim == 0 else dot(Array(x), transpose(Array(y)))


@implements(np.vdot)
def vdot(a: Any, b: Any) -> Array:
    """np.vdot: the dot product of all elements."""
    x, y = _together((a, b))
    return dot(ravel(Array(x)), ravel(Array(y)))


@implements(np.outer)
def outer(a: Any, b: Any) -> Array:
    """np.outer."""
    x, y = (ravel(Array(n)).node for n in _together((a, b)))
    return Array(products.contract(x, (0,), y, (1,), (0, 1)))


@implements(np.einsum)
def einsum(subscripts: str, *arrays: Any, optimize: Any = False) -> Array:
    """np.einsum with letters for all axes; operands are contracted from left to right."""
    return Array(products.einsum(subscripts, *_together(arrays)))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    """np.tensordot."""
    x, y = _together((a, b))
    if isinstance(axes, int):
        axes = (range(x.ndim - axes, x.ndim), range(axes))
    left, right = ([axes[i]] if isinstance(axes[i], int) else list(axes[i]) for i in (0, 1))
    lhs = tuple(range(x.ndim))
    rhs = [x.ndim + i for i in range(y.ndim)]
    for i, j in zip(left, right):
        rhs[j % y.ndim] = i % x.ndim
    summed = {i % x.ndim for i in left}
    out = tuple(i for i in (*lhs, *rhs) if i not in summed)
    return Array(products.contract(x, lhs, y, tuple(rhs), out))


# -- choices and order ------------------------------------------------------------------------


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
    x = _node(a)
    if low is not None:
        x = bounded_below(*operands((Array(x), low)))
    return Array(x if high is None else bounded_above(*operands((Array(x), high))))


@implements(np.sort)
def sort_(a: Any, axis: int | None = -1, kind: Any = None, stable: Any = None) -> Array:
    """np.sort."""
    x = ravel(a).node if axis is None else _node(a)
    return Array(sort(x, (axis or 0) % x.ndim)[0])


@implements(np.argsort)
def argsort(a: Any, axis: int | None = -1, kind: Any = None, stable: Any = None) -> Array:
    """np.argsort, always stable."""
    x = ravel(a).node if axis is None else _node(a)
    return Array(sort(x, (axis or 0) % x.ndim)[1])


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None) -> Array:
    """np.take."""
    a, axis = (ravel(a), 0) if axis is None else (a, axis % a.ndim)
    array = indices if isinstance(indices, Array) else np.asarray(indices)
    return a[(slice(None),) * int(axis or 0) + (array,)]


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int = -1) -> Array:
    """np.take_along_axis for indices that match the array off the axis."""
    x, i = _together((arr, indices))
    return Array(take_along(x, i, axis % x.ndim))


def _filled(value: float) -> Any:
    def like(a: Any, dtype: Any = None, shape: Any = None) -> Array:
        x = _node(a) if dtype is None else cast(_node(a), as_dtype(dtype))
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
    x, value = _together((a, fill_value))
    return Array(broadcast_to(cast(value, as_dtype(dtype or x.dtype)), x.shape))


METHODS.update(
    {
        "sum": sum, "mean": mean_, "prod": prod, "ravel": ravel, "swapaxes": swapaxes,
        "squeeze": squeeze,
        "transpose": transpose, "dot": dot, "clip": clip, "take": take, "argsort": argsort,
        "copy": lambda a, order="C": Array(a.node),
        "flatten": lambda a, order="C": Array(ravel(a, order).node),
        "astype": lambda a, dtype, copy=True: Array(cast(a.node, as_dtype(dtype))),
        "reshape": lambda a, *shape, order="C": reshape(
            a, shape[0] if len(shape) == 1 else shape, order
        ),
    }
)  # fmt: skip
HANDLERS["function"] = call_function
