"""What is known of a program's calls: the structure of arguments and results, and their arrays."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MemberDescriptorType
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ArraySpec:
    """The shape and dtype of one argument or result.

    `scalar`: returned as a NumPy scalar. `takes`: "array", "float" (a Python float, exactly),
    "both", or "never" (all goes to the receiver). `written`: an argument whose memory a result
    takes; that result has the argument's number as its `donor`, and is `held` by the container of
    the arguments that is handed back, if one is.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scalar: bool = False
    takes: str = "both"
    written: bool = False
    donor: int = -1
    held: bool = False


@dataclass(frozen=True)
class Fixed:
    """An object that is part of the structure: an argument must be this very one."""

    value: Any


@dataclass(frozen=True)
class Tree:
    """A container of leaves: `kind` is tuple, list, dict, a named tuple or a dataclass.

    Children are trees, `Fixed`, or numbers: the index of an `ArraySpec`. A dict has its `keys` in
    the order of the children, a dataclass (one that `is_record`) the names of its fields.
    """

    kind: type
    children: tuple[Part, ...]
    keys: tuple[Any, ...] = ()


Part = int | Tree | Fixed


@dataclass(frozen=True)
class Signature:
    """All that is known of a program's calls. `result` may be one number: a bare result.

    The last arguments are given by the keywords `names`, in this order. `expected` has for some
    outputs, scalars that are no part of the result, their bytes: in a call in which they are others
    the program is not the right one.
    """

    inputs: tuple[ArraySpec, ...]
    outputs: tuple[ArraySpec, ...]
    arguments: tuple[Part, ...]
    result: Part
    names: tuple[str, ...] = ()
    expected: tuple[tuple[int, bytes], ...] = ()

    @staticmethod
    def flat(inputs: Sequence[ArraySpec], outputs: Sequence[ArraySpec]) -> Signature:
        """Arrays in, a tuple of arrays out."""
        return Signature(
            tuple(inputs), tuple(outputs), tuple(range(len(inputs))),
            Tree(tuple, tuple(range(len(outputs)))),
        )  # fmt: skip

    def donating(self, donated: Mapping[int, int]) -> Signature:
        """The same calls, where some results (by number) take the memory of arguments."""
        inputs, outputs = list(self.inputs), list(self.outputs)
        for o, i in donated.items():
            inputs[i] = replace(inputs[i], takes="array", written=True)
            outputs[o] = replace(outputs[o], scalar=False, donor=i)
        made = replace(self, inputs=tuple(inputs), outputs=tuple(outputs))
        for tree in handed_back(made).values():
            for i in _leaves(tree):
                (o,) = (o for o, spec in enumerate(outputs) if spec.donor == i)
                outputs[o] = replace(outputs[o], held=True)
        return replace(made, outputs=tuple(outputs))


def is_record(kind: type, names: Sequence[str]) -> bool:
    """Whether a class is made by storing its fields: a dataclass that does nothing besides."""
    params = vars(kind).get("__dataclass_params__")
    if params is None or not params.init or hasattr(kind, "__post_init__"):
        return False
    if kind.__new__ is not object.__new__ or not _is_generated(kind.__init__):
        return False
    if kind.__getattribute__ is not object.__getattribute__:
        return False
    return [f.name for f in fields(kind)] == list(names) and all(
        _is_stored(inspect.getattr_static(kind, name, None)) for name in names
    )


def is_named_tuple(kind: type) -> bool:
    """Whether a class is a named tuple that does nothing besides."""
    return issubclass(kind, tuple) and _is_generated(kind.__new__)


def _is_generated(function: Any) -> bool:
    """Whether dataclasses or namedtuple wrote a function."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename.startswith("<")


def _is_stored(found: Any) -> bool:
    """Whether reading and writing an attribute of a class meets no code of its own."""
    return isinstance(found, MemberDescriptorType) or not hasattr(type(found), "__set__")


def handed_back(signature: Signature) -> dict[int, Tree]:
    """Containers of the result that are containers of the arguments, by the identity of the first.

    That is so where neither can change and both hold the same donated arrays in the same places.
    Only what the caller's arguments hold for certain counts: what is inside a list or a dict may
    be let go while the program runs.
    """
    outputs = signature.outputs
    candidates: dict[int, list[Tree]] = {}
    for tree in _unchanging(signature.arguments):
        for leaf in _leaves(tree)[:1]:
            candidates.setdefault(leaf, []).append(tree)
    found: dict[int, Tree] = {}

    def visit(part: Part) -> None:
        if not isinstance(part, Tree):
            return
        first = [outputs[leaf].donor for leaf in _leaves(part)[:1]]
        given = [t for i in first for t in candidates.get(i, ()) if _same(part, t, outputs)]
        if given:
            found[id(part)] = given[0]
            return
        for child in part.children:
            visit(child)

    visit(signature.result)
    return found


def _leaves(part: Part) -> list[int]:
    """The numbers of the arrays in a structure."""
    if isinstance(part, Tree):
        return [leaf for child in part.children for leaf in _leaves(child)]
    return [part] if isinstance(part, int) else []


def _unchanging(parts: Sequence[Part]) -> Iterator[Tree]:
    """The tuples and frozen records among the arguments and in one another."""
    for part in parts:
        if isinstance(part, Tree) and _is_frozen(part.kind):
            yield part
            yield from _unchanging(part.children)


def _is_frozen(kind: type) -> bool:
    params = vars(kind).get("__dataclass_params__")
    return issubclass(kind, tuple) or bool(params and params.frozen)


def _same(result: Part, given: Part, outputs: Sequence[ArraySpec]) -> bool:
    """Whether a part of the result is a part of the arguments after the program has run."""
    if isinstance(result, int):
        return outputs[result].donor == given
    if isinstance(result, Fixed):
        return isinstance(given, Fixed) and result.value is given.value
    return (
        isinstance(given, Tree)
        and (result.kind, result.keys) == (given.kind, given.keys)
        and _is_frozen(result.kind)
        and len(result.children) == len(given.children)
        and all(_same(a, b, outputs) for a, b in zip(result.children, given.children))
    )


__all__ = [
    "ArraySpec", "Fixed", "Part", "Signature", "Tree", "handed_back", "is_named_tuple", "is_record",
]  # fmt: skip
