"""Entities in tags: B-kind begins one, I-kind goes on with it, O is outside (also S and E)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

BEGIN, INSIDE = ("B", "S", "U"), ("I", "E", "L", "M")


class Entity(NamedTuple):
    """A kind, and the first token and the one after the last."""

    kind: str
    start: int
    stop: int


def split_tag(tag: str) -> tuple[str, str]:
    """The mark and the kind of a tag.

    >>> split_tag("B-creative-work"), split_tag("O")
    (('B', 'creative-work'), ('O', ''))
    """
    mark, _, kind = tag.partition("-")
    return mark, kind


def marks_entities(tags: Iterable[str]) -> bool:
    """Whether all tags are O or a mark with a kind, as B-person, and not word classes."""
    found = set(tags)
    marks = {split_tag(t)[0] for t in found if t != "O" and split_tag(t)[1]}
    plain = {t for t in found if t != "O" and not split_tag(t)[1]}
    return bool(marks) and not plain and marks <= {*BEGIN, *INSIDE}


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of a sentence; an I without a beginning starts one, as in conlleval.

    >>> entities(["O", "B-x", "I-x", "I-y"])
    [Entity(kind='x', start=1, stop=3), Entity(kind='y', start=3, stop=4)]
    """
    found: list[Entity] = []
    open_ = None
    for i, tag in enumerate([*tags, "O"]):
        mark, kind = split_tag(tag)
        goes_on = open_ is not None and mark in INSIDE and kind == open_[0]
        if open_ is not None and not goes_on:
            found.append(Entity(open_[0], open_[1], i))
            open_ = None
        if mark != "O" and open_ is None:
            open_ = (kind, i)
        if open_ is not None and mark in ("S", "U", "E", "L"):
            found.append(Entity(open_[0], open_[1], i + 1))
            open_ = None
    return found


def may_follow(tags: Sequence[str]) -> np.ndarray:
    """Which tag (column) may follow which (row); the last row is the start of a sentence.

    Only inside-tags are restricted: they continue an entity of their own kind.
    """
    allowed = np.ones((len(tags) + 1, len(tags)), dtype=bool)
    for j, tag in enumerate(tags):
        mark, kind = split_tag(tag)
        if mark in INSIDE and kind:
            before = [split_tag(t) for t in tags]
            allowed[:-1, j] = [k == kind and m not in ("E", "L", "S", "U") for m, k in before]
            allowed[-1, j] = False
    return allowed


def best_path(scores: np.ndarray, allowed: np.ndarray) -> list[int]:
    """The tags of the highest total score (tokens, tags) among allowed ones (Viterbi 1967).

    >>> best_path(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 5.0]]), may_follow(["O", "B-x", "I-x"]))
    [1, 2]
    """
    forbidden = np.where(allowed, 0.0, -1e30)
    total = scores[0] + forbidden[-1]
    back = []
    for row in scores[1:]:
        routes = total[:, None] + forbidden[:-1]
        back.append(routes.argmax(axis=0))
        total = routes.max(axis=0) + row
    path = [int(total.argmax())]
    for choice in reversed(back):
        path.append(int(choice[path[-1]]))
    return path[::-1]
