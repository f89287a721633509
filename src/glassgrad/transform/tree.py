"""Nested containers of arrays (pytrees): dicts, lists, tuples, named tuples and dataclasses.

Leaves are arrays and numbers; strings, None, functions and everything else are static: part of the
structure. So is a field of a dataclass whose metadata say {"static": True}. Dictionaries are taken
in the order of their keys' insertion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import Field, fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np

from glassgrad.array import Array

Rebuild = Callable[[Any, list[Any]], Any]


class Static(NamedTuple):
    """A part of the structure that is no array: compared by value, by identity if unhashable."""

    value: Any

    def __hash__(self) -> int:
        try:
            return hash((type(self.value), self.value))
        except (TypeError, ValueError):  # a memoryview raises this one
            return id(self.value)


class Tree(NamedTuple):
    """The structure of a nested container: a kind, what tells it from others, and its children."""

    kind: str
    label: Any
    children: tuple[Any, ...] = ()


LEAF = Tree("leaf", None)


def is_leaf(x: Any) -> bool:
    """Whether a value is an array or a number."""
    return isinstance(x, Array | np.ndarray | np.generic | int | float | complex)


def flatten(value: Any) -> tuple[list[Any], Tree]:
    """The leaves in order, and the structure.

    >>> flatten({"w": 1.0, "b": [2.0, None]})[0]
    [1.0, 2.0]
    """
    leaves: list[Any] = []
    return leaves, _structure(value, leaves)


def _structure(value: Any, leaves: list[Any]) -> Tree:
    if is_leaf(value):
        leaves.append(value)
        return LEAF
    if isinstance(value, dict):
        return Tree("dict", tuple(value), tuple(_structure(v, leaves) for v in value.values()))
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        label = type(value) if hasattr(value, "_fields") else None
        return Tree(kind, label, tuple(_structure(v, leaves) for v in value))
    if is_dataclass(value) and not isinstance(value, type):
        held = [f for f in fields(value) if f.init]
        children = tuple(_field(f, getattr(value, f.name), leaves) for f in held)
        return Tree("dataclass", (type(value), tuple(f.name for f in held)), children)
    return Tree("static", Static(value))


def _field(field: Field[Any], value: Any, leaves: list[Any]) -> Tree:
    static = field.metadata.get("static", False)
    return Tree("static", Static(value)) if static else _structure(value, leaves)


def unflatten(tree: Tree, leaves: Iterator[Any] | list[Any]) -> Any:
    """The container of that structure with these leaves."""
    it = iter(leaves)
    if tree.kind == "leaf":
        return next(it)
    if tree.kind == "static":
        return tree.label.value
    return _BUILD[tree.kind](tree.label, [unflatten(child, it) for child in tree.children])


def _sequence(label: Any, values: list[Any]) -> Any:
    return tuple(values) if label is None else label(*values)


def _dataclass(label: Any, values: list[Any]) -> Any:
    cls, names = label
    return cls(**dict(zip(names, values)))


_BUILD: dict[str, Rebuild] = {
    "dict": lambda label, values: dict(zip(label, values)),
    "list": lambda label, values: values,
    "tuple": _sequence,
    "dataclass": _dataclass,
}


def tree_map(f: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The container with `f` applied to each leaf, together with the same leaf of other containers.

    >>> tree_map(lambda a, b: a + b, {"w": 1.0}, {"w": 2.0})
    {'w': 3.0}
    """
    leaves, structure = flatten(tree)
    rest = []
    for other in others:
        found, shape = flatten(other)
        if shape != structure:
            raise ValueError(
                f"tree_map: the containers differ in structure: {describe(structure)} and "
                f"{describe(shape)}"
            )
        rest.append(found)
    return unflatten(structure, [f(*parts) for parts in zip(leaves, *rest)])


def describe(tree: Tree) -> str:
    """The structure in short, * for a leaf."""
    if tree.kind == "leaf":
        return "*"
    if tree.kind == "static":
        return repr(tree.label.value)
    inside = [describe(child) for child in tree.children]
    if tree.kind == "dict":
        inside = [f"{key!r}: {text}" for key, text in zip(tree.label, inside)]
    if tree.kind == "dataclass":
        cls, names = tree.label
        return f"{cls.__name__}({', '.join(f'{n}={t}' for n, t in zip(names, inside))})"
    left, right = {"dict": "{}", "list": "[]", "tuple": "()"}[tree.kind]
    return left + ", ".join(inside) + right


def paths(tree: Tree, prefix: str = "") -> list[str]:
    """A name for each leaf, as one would write it: ['w'], [0], .weight."""
    if tree.kind == "leaf":
        return [prefix]
    return [
        p for i, child in enumerate(tree.children) for p in paths(child, _path(tree, i, prefix))
    ]


def _path(tree: Tree, i: int, prefix: str) -> str:
    if tree.kind == "dict":
        return f"{prefix}[{tree.label[i]!r}]"
    return f"{prefix}.{tree.label[1][i]}" if tree.kind == "dataclass" else f"{prefix}[{i}]"


def statics(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The parts that are neither arrays nor declared static, each with a name as by `paths`."""
    if tree.kind == "static":
        yield prefix, tree.label.value
    if tree.kind == "dataclass":
        declared = {f.name for f in fields(tree.label[0]) if f.metadata.get("static", False)}
    else:
        declared = set[str]()
    for i, child in enumerate(tree.children):
        if not declared or tree.label[1][i] not in declared:
            yield from statics(child, _path(tree, i, prefix))


def with_leaves(tree: Tree, leaves: Iterator[Tree]) -> Tree:
    """The structure with others in the place of its leaves, in order."""
    if tree == LEAF:
        return next(leaves)
    return tree._replace(children=tuple(with_leaves(child, leaves) for child in tree.children))
