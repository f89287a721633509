"""NumPy's functions that choose among arrays, or write where a mask says, on handles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassgrad.array.handle import Array
from glassgrad.array.protocol import METHODS, implements
from glassgrad.array.together import handle, handles
from glassgrad.graph.errors import NoRuleError, ShapeError
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.reduce import one_axis


@implements(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """np.select: of each element the first choice whose condition holds."""
    if len(condlist) != len(choicelist) or not condlist:
        raise ShapeError(f"np.select: as many conditions as choices, at least one{at_caller()}")
    found = default
    for condition, choice in zip(condlist[::-1], choicelist[::-1]):
        found = np.where(condition, choice, found)
    return handle(found)


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """np.choose: of each element that one of the choices whose number `a` holds."""
    number, *options = handles(a, *choices)
    if mode == "wrap":
        number = number % len(options)
    elif mode == "clip":
        number = np.clip(number, 0, len(options) - 1)
    found = options[-1]
    for i in range(len(options) - 2, -1, -1):
        found = np.where(number == i, options[i], found)
    return np.broadcast_to(found, np.broadcast_shapes(number.shape, found.shape))


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """np.compress: the slices for which a condition holds."""
    x = handle(a) if axis is not None else np.ravel(handle(a))
    (places,) = np.nonzero(condition)
    return np.take(x, places, axis=axis or 0)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """np.extract: the elements for which a condition holds, in a row."""
    return compress(np.ravel(condition), arr)


@implements(np.isin)
def isin(element: Any, test_elements: Any, invert: bool = False) -> Any:
    """np.isin: whether each element is among others; compared one by one."""
    x, others = handles(element, test_elements)
    found = np.any(x[..., None] == np.ravel(others), axis=-1)
    return ~found if invert else found


@implements(np.bincount)
def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """np.bincount of known numbers: how often each occurs, or the sum of its weights."""
    if isinstance(x, Array):
        x = x._guarded()
    counts = np.bincount(x, minlength=minlength)
    if weights is None:
        return handle(counts)
    w = handle(weights).astype(np.float64)
    found = np.zeros_like(w, shape=(counts.size,))
    np.add.at(found, np.asarray(x), w)
    return found


# -- writes ---------------------------------------------------------------------------------------


def _target(dst: Any, name: str) -> Any:
    if isinstance(dst, Array):
        return dst
    raise NoRuleError(
        f"np.{name}: traced values cannot be written into a plain ndarray, which was made outside "
        f"the traced function: make it inside, by np.zeros{at_caller()}"
    )


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """np.copyto: written where a mask says."""
    target = _target(dst, "copyto")
    target[...] = src if where is True else np.where(where, src, target)


@implements(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    """np.putmask for values that broadcast."""
    copyto(a, values, where=mask)


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int) -> None:
    """np.put_along_axis: written at one index for each line along an axis."""
    target = _target(arr, "put_along_axis")
    axis = one_axis(axis, target.ndim, "put_along_axis")
    index: list[Any] = []
    for i, n in enumerate(np.shape(indices)):
        shape = tuple(n if j == i else 1 for j in range(target.ndim))
        index.append(indices if i == axis else np.arange(n).reshape(shape))
    target[tuple(index)] = values


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """np.fill_diagonal of a matrix or a cube."""
    target = _target(a, "fill_diagonal")
    if wrap or target.ndim < 2:
        raise NoRuleError(f"np.fill_diagonal: wrap and vectors have no rule{at_caller()}")
    places = np.arange(min(target.shape))
    target[(places,) * target.ndim] = val


METHODS.update({"choose": choose, "compress": lambda a, c, axis=None: compress(c, a, axis)})
