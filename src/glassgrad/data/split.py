"""Seeded splits of row numbers into training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.data.bad_input import BadInput


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of the three parts; disjoint, and together all rows that were split."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(
    rows: int,
    *,
    seed: int,
    test: float = 0.2,
    validation: float = 0.15,
    labels: np.ndarray | None = None,
    shown: str = "the data",
) -> Split:
    """Split 0..rows-1 at random; with `labels`, every class is split in the same shares.

    `test` is a share of all rows, `validation` a share of what is left. The same seed gives the
    same split. Raises BadInput, which calls them `shown`, when a part would be empty.

    >>> s = split_rows(100, seed=0, labels=np.arange(100) % 2)
    >>> len(s.train), len(s.validation), len(s.test), int((s.test % 2).sum())
    (68, 12, 20, 10)
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(rows)
    if labels is not None:
        order = _interleave_classes(order, labels)
    cut = round(rows * test)
    held = order[:cut]
    if labels is not None:
        rest = _interleave_classes(generator.permutation(order[cut:]), labels)
    else:
        rest = order[cut:]
    second = round(len(rest) * validation)
    if not min(cut, second, len(rest) - second):
        raise BadInput(
            f"{shown}: too few examples to hold some out for testing and validation: there must be "
            f"10 at least, not {rows}. Give more."
        )
    return Split(np.sort(rest[second:]), np.sort(rest[:second]), np.sort(held))


def _interleave_classes(order: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The rows of `order`, arranged so that every prefix holds each class in its share."""
    chosen = labels[order]
    position = np.empty(len(order))
    for label in np.unique(chosen):
        members = np.flatnonzero(chosen == label)
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(position, kind="stable")]


def split_groups(
    groups: Sequence[Any] | np.ndarray,
    *,
    seed: int,
    test: float = 0.2,
    validation: float = 0.15,
    shown: str = "the data",
) -> Split:
    """Split rows so that all rows of one group, such as one patient, go to the same part.

    `groups[i]` names the group of row i. The shares are reached as nearly as whole groups allow:
    groups are dealt in random order, and a part is full when one more would bring it further from
    its share. Raises BadInput for fewer than three groups.

    >>> s = split_groups(list("aabbccddee"), seed=0)
    >>> sorted(map(len, (s.train, s.validation, s.test)))
    [2, 2, 6]
    """
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 3:
        raise BadInput(
            f"{shown}: {len(names)} groups cannot be dealt to training, validation and test: at "
            "least 3 are needed. Name another column of groups."
        )
    sizes = np.bincount(member)
    order = np.random.default_rng(seed).permutation(len(names))
    wanted = len(member) * test
    held = _fill(order, sizes, wanted, spare=2)
    rest = order[len(held) :]
    second = _fill(rest, sizes, (len(member) - wanted) * validation, spare=1)
    chosen = (rest[len(second) :], second, held)
    return Split(*(np.flatnonzero(np.isin(member, part)) for part in chosen))


def _fill(order: np.ndarray, sizes: np.ndarray, wanted: float, spare: int) -> np.ndarray:
    """The first groups, at least one, whose rows come nearest to `wanted`; `spare` are left."""
    reached = np.cumsum(sizes[order[: len(order) - spare]])
    return order[: int(np.abs(reached - wanted).argmin()) + 1]
