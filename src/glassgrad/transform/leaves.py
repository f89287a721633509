"""What is known of the leaves of a call, and tells it from other calls."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.transform.trace import Function, argument_names
from glassgrad.transform.tree import Tree, paths


def signature(leaf: Any) -> Any:
    """A shape and a dtype, the type of a Python number, or a switch."""
    if isinstance(leaf, bool):
        return leaf
    if type(leaf) in (int, float):
        return type(leaf)
    array = np.asarray(leaf)
    return array.shape, array.dtype


def kind(leaf: Any) -> Any:
    """What of an argument's signature is the same for every size."""
    found = signature(leaf)
    return (len(found[0]), found[1]) if isinstance(found, tuple) else found


def leaf_names(f: Function, tree: Tree) -> list[str]:
    """The user's name of each leaf of (args, kwargs)."""
    positional, named = tree.children
    names = argument_names(f, len(positional.children))
    found = [n + p for n, child in zip(names, positional.children) for p in paths(child)]
    return found + [
        f"{key}{p}" for key, child in zip(named.label, named.children) for p in paths(child)
    ]
