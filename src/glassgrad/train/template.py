"""Arrays of a module of the user's own: named by their paths, and put back into a template."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.data.bad_input import BadInput, listing, near
from glassgrad.train.describe import Tensors


def name_arrays(module: Any) -> Tensors:
    """The arrays of a module by path, such as `layers.0.weight`.

    >>> sorted(name_arrays({"w": np.ones(2), "b": (np.ones(1), "static")}))
    ['b.0', 'w']
    """
    tensors: Tensors = {}

    def note(path: str, array: np.ndarray) -> np.ndarray:
        if array.dtype.kind not in "fiub":
            raise BadInput(f"{path}: arrays of dtype {array.dtype} cannot be saved.")
        tensors[path] = array
        return array

    _rebuild(module, "", note)
    return tensors


def fill_template(template: Any, tensors: Tensors, shown: str) -> Any:
    """The template with the arrays of a file; names, shapes and dtypes must agree."""
    unused = dict(tensors)

    def take(path: str, array: np.ndarray) -> np.ndarray:
        if path not in unused:
            hint = near(path, tensors) if tensors else ""
            raise BadInput(f"{shown}: the template needs a tensor {path!r}. {hint}".rstrip())
        found = unused.pop(path)
        if found.shape != array.shape or found.dtype != array.dtype:
            raise BadInput(
                f"{shown}: tensor {path!r} is {found.dtype}{list(found.shape)}, the template has "
                f"{array.dtype}{list(array.shape)}. Build the template with the same sizes."
            )
        return found

    model = _rebuild(template, "", take)
    if unused:
        raise BadInput(f"{shown}: the template has no place for {listing(unused)}.")
    return model


def _rebuild(value: Any, path: str, visit: Callable[[str, np.ndarray], np.ndarray]) -> Any:
    """The same structure with every array, and every number held as one, given to `visit`."""

    def inner(name: object, part: Any) -> Any:
        return _rebuild(part, f"{path}.{name}" if path else str(name), visit)

    if isinstance(value, (np.ndarray, np.generic)):
        return visit(path, np.asarray(value))
    if isinstance(value, dict):
        return {name: inner(name, part) for name, part in value.items()}
    if isinstance(value, tuple) and (names := getattr(value, "_fields", None)):
        return type(value)(*(inner(n, p) for n, p in zip(names, value)))
    if isinstance(value, (tuple, list)):
        return type(value)(inner(i, part) for i, part in enumerate(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if f.init]
        return dataclasses.replace(value, **{n: inner(n, getattr(value, n)) for n in names})
    return value
