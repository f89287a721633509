"""Models as JSON and arrays, and back: frozen dataclasses described by their annotated fields.

A description names a class of the table `registered.KINDS` and nothing else; reading one builds
instances of those classes only, checks every field against its annotation, and runs no code that
the file could choose.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import numpy as np

from glassgrad.data.bad_input import BadInput, listing, near
from glassgrad.graph.errors import GlassgradError

Tensors = dict[str, np.ndarray]
Kinds = Mapping[str, type]


class Unregistered(BadInput):
    """A value that no model file can describe: a class of the user's own, a function, a list."""


def describe(value: Any, kinds: Kinds, path: str, tensors: Tensors) -> Any:
    """The JSON form of a value; its arrays go to `tensors` under their paths."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, tuple):
        return [describe(v, kinds, _join(path, str(i)), tensors) for i, v in enumerate(value)]
    name = type(value).__name__
    if kinds.get(name) is type(value):
        fields = {
            f.name: describe(getattr(value, f.name), kinds, _join(path, f.name), tensors)
            for f in dataclasses.fields(value)
        }
        return {"type": name, **fields}
    if dataclasses.is_dataclass(value):
        raise Unregistered(f"{path}: {name} is no registered layer.")
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise Unregistered(f"{path}: a {name} cannot be described.")
    tensors[path] = array
    return {"tensor": path}


def restore(spec: Any, hint: Any, kinds: Kinds, tensors: Tensors, where: str) -> Any:
    """The value of a JSON form that its annotation `hint` allows; raises BadInput by place.

    Every tensor may be used once; it is taken out of `tensors`.
    """
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _restore_union(spec, get_args(hint), kinds, tensors, where)
    if origin is Literal:
        return _one_of(spec, get_args(hint), where)
    if origin is tuple:
        return _restore_tuple(spec, get_args(hint), kinds, tensors, where)
    if hint is np.ndarray or origin is np.ndarray:
        return _restore_array(spec, tensors, where)
    if hint is float and type(spec) is int:
        return float(spec)
    if hint in (str, int, float, bool):
        return _expect(spec, hint, where)
    if isinstance(hint, type):
        return _restore_instance(spec, hint, kinds, tensors, where)
    raise TypeError(f"{where}: fields annotated {hint} cannot be saved")


def _restore_instance(spec: Any, hint: type, kinds: Kinds, tensors: Tensors, where: str) -> Any:
    cls = _class_of(spec, hint, kinds, where)
    hints = typing.get_type_hints(cls)
    expected = [f.name for f in dataclasses.fields(cls)]
    given = [key for key in spec if key != "type"]
    for name in expected:
        if name not in spec:
            raise BadInput(f"{where}: {cls.__name__} lacks the key {name!r}.")
    for name in given:
        if name not in expected:
            raise BadInput(
                f"{where}: {cls.__name__} has no key {name[:80]!r}. {near(name, expected)}"
            )
    fields = {
        name: restore(spec[name], hints[name], kinds, tensors, _join(where, name))
        for name in expected
    }
    value = cls(**fields)
    if hasattr(value, "validate"):
        try:
            value.validate()
        except (GlassgradError, ValueError) as error:
            raise BadInput(f"{where}: {cls.__name__} does not fit together: {error}.") from None
    return value


def _class_of(spec: Any, hint: type, kinds: Kinds, where: str) -> type:
    """The registered class that a JSON object names, if the annotation allows it."""
    _expect(spec, dict, where)
    name = spec.get("type")
    if not isinstance(name, str):
        raise BadInput(f"{where}: the key 'type' must name a layer; it is {name!r}.")
    allowed = {n: c for n, c in kinds.items() if issubclass(c, hint)}
    if name not in allowed:
        unknown = "is no layer that glassgrad knows" if name not in kinds else "does not go here"
        raise BadInput(
            f"{where}: {name[:80]!r} {unknown}. Possible are {listing(sorted(allowed))}. "
            "A module of your own is loaded with gg.load(folder, into=template)."
        )
    return allowed[name]


def _restore_union(
    spec: Any, hints: tuple[Any, ...], kinds: Kinds, tensors: Tensors, where: str
) -> Any:
    if spec is None and type(None) in hints:
        return None
    rest = [h for h in hints if h is not type(None)]
    if len(rest) == 1:
        return restore(spec, rest[0], kinds, tensors, where)
    allowed = {h.__name__: h for h in rest}
    named = _expect(spec, dict, where).get("type")
    hint = allowed.get(named) if isinstance(named, str) else None
    if hint is None:
        raise BadInput(
            f"{where}: the key 'type' is {str(named)[:80]!r}; possible are {listing(allowed)}."
        )
    return restore(spec, hint, kinds, tensors, where)


def _restore_tuple(
    spec: Any, hints: tuple[Any, ...], kinds: Kinds, tensors: Tensors, where: str
) -> tuple[Any, ...]:
    _expect(spec, list, where)
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = (hints[0],) * len(spec)
    if len(hints) != len(spec):
        raise BadInput(f"{where}: {len(hints)} entries belong here, not {len(spec)}.")
    return tuple(
        restore(s, h, kinds, tensors, f"{where}[{i}]") for i, (s, h) in enumerate(zip(spec, hints))
    )


def _restore_array(spec: Any, tensors: Tensors, where: str) -> np.ndarray:
    _expect(spec, dict, where)
    name = spec.get("tensor")
    if set(spec) != {"tensor"} or not isinstance(name, str):
        raise BadInput(f'{where}: an array is written {{"tensor": name}}.')
    if name not in tensors:
        raise BadInput(
            f"{where}: the weights file holds no unused tensor called {name[:80]!r}. "
            f"{near(name, tensors) if tensors else ''}".rstrip()
        )
    return tensors.pop(name)


def _one_of(spec: Any, allowed: tuple[Any, ...], where: str) -> Any:
    if not isinstance(spec, str) or spec not in allowed:
        raise BadInput(f"{where}: {str(spec)[:80]!r} is none of {listing(allowed)}.")
    return spec


NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
NAMES |= {dict: "an object", list: "a list"}


def _expect(spec: Any, kind: type, where: str) -> Any:
    if type(spec) is not kind:
        raise BadInput(f"{where}: {NAMES[kind]} belongs here, not {str(spec)[:60]!r}.")
    return spec


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
