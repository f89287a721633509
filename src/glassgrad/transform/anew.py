"""Why a call was compiled anew: which argument differs from the program before, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from glassgrad.graph.node import Guard, at_site
from glassgrad.graph.provenance import warn
from glassgrad.transform.tree import Tree, describe

MANY = 16  # programs of one function, before a warning


class Course(NamedTuple):
    """What a program was compiled for: the arguments' structure, its leaves, what was looked at."""

    tree: Tree
    names: Sequence[str]
    leaves: Sequence[Any]  # of each: a shape and a dtype, a type, or a switch
    guards: Sequence[Guard]


class Change(NamedTuple):
    """One difference: of what (a name), in what respect, and the whole sentence."""

    name: str
    respect: str
    text: str


def changes(old: Course, new: Course) -> list[Change]:
    """What differs between the program before and this one."""
    if old.tree != new.tree:
        text = f"the arguments are {_arguments(new.tree)}, and were {_arguments(old.tree)}"
        return [Change("the arguments", "structure", text)]
    pairs = zip(new.names, old.leaves, new.leaves)
    found = [c for name, a, b in pairs if (c := _leaf(name, a, b)) is not None]
    return found or [_looked_at(old.guards, new.guards)]


def _arguments(tree: Tree) -> str:
    """The structure of positional arguments, and of named ones where there are any."""
    positional, named = tree.children
    return describe(positional) + (f" and {describe(named)}" if named.children else "")


def _leaf(name: str, old: Any, new: Any) -> Change | None:
    if old == new:
        return None
    if isinstance(old, bool) and isinstance(new, bool):
        return Change(name, "value", f"{name} is {new}, and was {old}")
    if isinstance(old, tuple) and isinstance(new, tuple):
        (a, c), (b, d) = old, new
        if a != b and c != d:
            return Change(name, "shape and dtype", f"{name} is {d}{list(b)}, and was {c}{list(a)}")
        if a != b:
            return Change(name, "shape", f"{name} has shape {b}, and had {a}")
        return Change(name, "dtype", f"{name} is {d}, and was {c}")
    return Change(name, "kind", f"{name} is {_kind(new)}, and was {_kind(old)}")


def _kind(leaf: Any) -> str:
    if isinstance(leaf, bool):
        return f"the switch {leaf}"
    return f"a Python {leaf.__name__}" if isinstance(leaf, type) else f"{leaf[1]}{list(leaf[0])}"


def _looked_at(old: Sequence[Guard], new: Sequence[Guard]) -> Change:
    """The first value that the function looked at and found different."""
    for a, b in zip(old, new):
        if not np.array_equal(a.value, b.value):
            text = f"a value that was looked at is {b.value}, and was {a.value}{at_site(b.node)}"
            return Change("a value that the function looks at", "value", text)
    return Change("the course", "value", "the function took another course")


def warn_of_many(label: str, told: Sequence[Change]) -> None:
    """A warning that a function is compiled again and again, with what changes."""
    counted = Counter((c.name, c.respect) for c in told).most_common(3)
    listed = ", ".join(f"the {what} of {name} ({n} times)" for (name, what), n in counted)
    warn(
        f"gg.jit: {label} was compiled {MANY + 1} times, since its arguments change: {listed}; "
        "each program takes time and memory: pad to a few sizes, or pass what changes as an array"
    )
