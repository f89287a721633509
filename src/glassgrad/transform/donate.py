"""Which result of a compiled function takes the memory of which donated argument.

The choice is by structure: a container in the result that looks like the donated one (the same
keys, shapes and dtypes) takes it whole, so that new parameters lie where the old ones were; what is
left over goes, array by array, to the first free result of the same shape and dtype.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from glassgrad.graph.errors import CalculusError
from glassgrad.graph.node import Node
from glassgrad.transform.trace import argument_names, label_of
from glassgrad.transform.tree import Tree

Chosen = tuple[int | str, ...]
"""Positions and names of arguments."""

Aval = tuple[Any, ...]  # shape and dtype; empty for what is no array


def as_chosen(given: int | str | Sequence[int | str], option: str) -> Chosen:
    """Positions and names of arguments as a tuple.

    >>> as_chosen(0, "donate")
    (0,)
    """
    found: tuple[Any, ...] = (given,)
    if isinstance(given, Sequence) and not isinstance(given, str):
        found = tuple(given)
    if any(isinstance(x, bool) or not isinstance(x, int | str) for x in found):
        raise TypeError(f"{option} takes positions and names of arguments, not {given!r}")
    return found


def donated_pairs(
    f: Callable[..., Any], donate: Chosen, given: Tree, inputs: Sequence[Node | None],
    result: Tree, outputs: Sequence[Node],
) -> dict[int, int]:  # fmt: skip
    """For each result that takes an argument's memory: its number, and that of the input node.

    `given` is the structure of (args, kwargs); `inputs` has a node for each leaf, None for a
    switch. Numbers without axes are never donated: they are returned as NumPy scalars.
    """
    arguments = _chosen_arguments(f, donate, given, "donate")
    number = {leaf: i for i, leaf in enumerate(k for k, x in enumerate(inputs) if x is not None)}
    pairing = _Pairing(result, [_aval(y) for y in outputs], [_aval(x) for x in inputs])
    for tree, start in arguments:
        pairing.whole(tree, start)
    for tree, start in arguments:
        pairing.leaves(tree, start)
    return {o: number[leaf] for o, leaf in sorted(pairing.found.items())}


def _aval(x: Node | None) -> Aval:
    return () if x is None or x.shape == () else (x.shape, x.dtype)


def _chosen_arguments(
    f: Callable[..., Any], chosen: Chosen, given: Tree, option: str
) -> list[tuple[Tree, int]]:
    """The chosen arguments of a call, each with the number of its first leaf."""
    args, kwargs = given.children
    names = argument_names(f, len(args.children))
    count = len(args.children)
    wanted = {i + count if isinstance(i, int) and i < 0 else i for i in chosen}
    labels = [*enumerate(names), *((name, name) for name in kwargs.label)]
    for x in wanted.difference(*labels):
        raise CalculusError(
            f"gg.jit: {option} names argument {x!r}, which this call of {label_of(f)} does not "
            f"have: it has {', '.join(name for _, name in labels) or 'none'}"
        )
    found: list[tuple[Tree, int]] = []
    at = 0
    for tree, label in zip((*args.children, *kwargs.children), labels):
        if wanted.intersection(label):
            found.append((tree, at))
        at += count_leaves(tree)
    return found


def chosen_leaves(f: Callable[..., Any], chosen: Chosen, given: Tree, option: str) -> set[int]:
    """The numbers of the leaves of the chosen arguments of a call."""
    parts = _chosen_arguments(f, chosen, given, option)
    return {i for part, start in parts for i in range(start, start + count_leaves(part))}


def count_leaves(tree: Tree) -> int:
    """The number of leaves."""
    return 1 if tree.kind == "leaf" else sum(count_leaves(child) for child in tree.children)


def _parts(tree: Tree, start: int = 0) -> Iterator[tuple[Tree, int]]:
    """Every container and leaf, outermost first, with the number of its first leaf."""
    yield tree, start
    for child in tree.children:
        yield from _parts(child, start)
        start += count_leaves(child)


class _Pairing:
    def __init__(self, result: Tree, outputs: Sequence[Aval], inputs: Sequence[Aval]) -> None:
        self.outputs, self.inputs = outputs, inputs
        self.found: dict[int, int] = {}  # output -> leaf of the arguments
        self.used: set[int] = set()
        self.places: dict[Tree, list[int]] = defaultdict(list)
        for tree, start in _parts(result):
            if tree.kind != "static":
                self.places[tree].append(start)

    def whole(self, tree: Tree, start: int) -> None:
        """Pairs a container with one of the same structure; where there is none, its parts."""
        if tree.kind in ("leaf", "static"):
            return
        n = count_leaves(tree)
        own = self.inputs[start : start + n]
        for place in self.places.get(tree, ()):
            free = self.found.keys().isdisjoint(range(place, place + n))
            if free and list(self.outputs[place : place + n]) == list(own):
                for j in range(n):
                    if own[j]:
                        self._pair(place + j, start + j)
                return
        for child in tree.children:
            self.whole(child, start)
            start += count_leaves(child)

    def leaves(self, tree: Tree, start: int) -> None:
        """Pairs what is left over by shape and dtype."""
        free: dict[Aval, list[int]] = defaultdict(list)
        for o, aval in reversed(list(enumerate(self.outputs))):
            if o not in self.found:
                free[aval].append(o)
        for leaf in range(start, start + count_leaves(tree)):
            aval = self.inputs[leaf]
            if aval and leaf not in self.used and free[aval]:
                self._pair(free[aval].pop(), leaf)

    def _pair(self, output: int, leaf: int) -> None:
        self.found[output] = leaf
        self.used.add(leaf)


__all__ = ["Chosen", "as_chosen", "chosen_leaves", "count_leaves", "donated_pairs"]
