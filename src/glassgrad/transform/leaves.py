"""What is known of the leaves of a call, and tells it from other calls."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from glassgrad.array import Array
from glassgrad.graph.errors import CalculusError
from glassgrad.graph.provenance import at_caller
from glassgrad.transform.trace import Function, argument_names, label_of
from glassgrad.transform.tree import Tree, paths, statics


def signature(leaf: Any) -> Any:
    """A shape and a dtype, the type of a Python number, or a switch."""
    if isinstance(leaf, bool):
        return leaf
    if type(leaf) in (int, float):
        wide = type(leaf) is int and leaf.bit_length() > 63
        return np.asarray(leaf).dtype.type if wide else type(leaf)
    array = np.asarray(leaf)
    return array.shape, array.dtype


def kind(leaf: Any) -> Any:
    """What of an argument's signature is the same for every size."""
    found = signature(leaf)
    return (len(found[0]), found[1]) if isinstance(found, tuple) else found


def check_arguments(f: Function, tree: Tree) -> None:
    """Refuses what would be frozen into a program, though a later call could find it changed."""
    for name, child in _arguments(f, tree):
        for path, value in statics(child, name):
            if why := _changes(value):
                raise CalculusError(
                    f"gg.jit of {label_of(f)}: argument {path!r} is of type "
                    f"{type(value).__name__}, {why}{at_caller()}"
                )


def _changes(value: Any) -> str:
    if hasattr(type(value), "__array__") or isinstance(value, memoryview):
        return "whose numbers would be frozen into the program: pass np.asarray(...)"
    if any(isinstance(v, Array | np.ndarray) for v in _attributes(value)):
        return "whose arrays would be frozen into the program: make it a dataclass, or pass them"
    if isinstance(value, Iterator):
        return "which can be read only once: pass a list or an array"
    try:
        hash(value)
    except TypeError:
        return (
            "which may change while what it holds is frozen into the program: pass a list, tuple, "
            "dict or dataclass of arrays"
        )
    return ""


def check_result(f: Function, result: Tree) -> None:
    """Refuses results that hide traced arrays in what is no container of arrays."""
    for path, value in statics(result):
        held = [] if isinstance(value, str) or not isinstance(value, Collection) else value
        held = (*held, *_attributes(value))
        if isinstance(value, Iterator) or any(isinstance(v, Array) for v in held):
            raise CalculusError(
                f"gg.jit of {label_of(f)}: the result{path and f' at {path}'} is of type "
                f"{type(value).__name__}, which is no container of arrays: return a tuple, list, "
                f"dict or dataclass{at_caller()}"
            )


def _attributes(value: Any) -> Collection[Any]:
    """What an object holds; that of functions, types and modules is not looked at."""
    if isinstance(value, FunctionType | ModuleType | type):
        return ()
    return getattr(value, "__dict__", {}).values()


def _arguments(f: Function, tree: Tree) -> Iterator[tuple[str, Tree]]:
    """Each argument's name and structure."""
    positional, named = tree.children
    yield from zip(argument_names(f, len(positional.children)), positional.children)
    yield from zip(named.label, named.children)


def leaf_names(f: Function, tree: Tree) -> list[str]:
    """The user's name of each leaf of (args, kwargs)."""
    return [p for name, child in _arguments(f, tree) for p in paths(child, name)]
