"""Arrays out of whatever holds numbers: arrays, anything with `__array__`, and iterables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from glassgrad.data.bad_input import BadInput
from glassgrad.graph.dtype import SUPPORTED, as_plain
from glassgrad.graph.errors import DTypeError


def as_arrays(data: Any) -> tuple[np.ndarray, ...]:
    """Data for training as arrays that share their first axis.

    A tuple or list holds the arrays (or what NumPy makes arrays of); any other iterable, and a list
    of nothing but tuples, yields examples, tuples such as (x, y), which are stacked. Raises
    BadInput for ragged rows and for what is no number.

    >>> x, y = as_arrays((i, i % 2) for i in range(3))
    >>> x.tolist(), y.tolist()
    ([0, 1, 2], [0, 1, 0])
    """
    if isinstance(data, list) and data and all(type(e) is tuple for e in data):
        data = iter(data)  # examples
    if isinstance(data, np.ndarray) or hasattr(data, "__array__"):
        return (as_array(data, "the data"),)
    if not isinstance(data, (tuple, list)):
        if not isinstance(data, Iterable):
            raise BadInput(f"data are arrays or an iterable of examples, not {_kind(data)}.")
        data = _columns(data)
    return tuple(as_array(part, f"array {i} of the data") for i, part in enumerate(data))


def as_array(value: Any, name: str) -> np.ndarray:
    """One array of numbers; `name` says in an error which one it is."""
    if isinstance(value, Iterable) and not hasattr(value, "__len__"):
        value = list(value)
    try:
        array = as_plain(value, name)
    except DTypeError as error:  # masked, or np.matrix
        raise BadInput(f"{str(error).splitlines()[0]}.") from None
    except (ValueError, TypeError):
        array = None
    if array is None or array.dtype.newbyteorder("=") not in SUPPORTED:
        found = _kind(value) if array is None else f"{_kind(value)} of dtype {array.dtype}"
        raise BadInput(
            f"{name} is {found}: rows of equal length that hold numbers are needed. "
            "Pad ragged rows; give words numbers first."
        )
    if not array.ndim:
        raise BadInput(f"{name} is a single number: it needs a first axis, the rows.")
    return array


def _columns(examples: Iterable[Any]) -> list[list[Any]]:
    rows = [e if isinstance(e, tuple) else (e,) for e in examples]
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        first = next(i for i, row in enumerate(rows) if len(row) != len(rows[0]))
        raise BadInput(
            f"example {first} has {len(rows[first])} parts, the first one {len(rows[0])}."
        )
    return [list(column) for column in zip(*rows)]


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
