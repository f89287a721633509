"""Labels as class numbers, for data whose answers are not a column of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from glassgrad.data.bad_input import BadInput, listing, near
from glassgrad.data.numbers import number
from glassgrad.data.target import MAX_CLASSES


def find_label_classes(labels: Sequence[str], shown: str) -> tuple[str, ...]:
    """The different labels in order, numbers before words; at least two.

    >>> find_label_classes(["10", "9", "10", "9"], "d.txt")
    ('9', '10')
    """
    counts = Counter(labels)
    if len(counts) < 2:
        raise BadInput(
            f"{shown}: every label is {labels[0]!r}: there is nothing to tell apart. Give examples "
            "of two classes at least."
        )
    if len(counts) > min(MAX_CLASSES, max(2, len(labels) // 2)):
        raise BadInput(
            f"{shown}: {len(counts)} different labels in {len(labels)} examples "
            f"({listing(counts, 3)}) are too many for classes. Does the label stand there?"
        )
    return tuple(sorted(counts, key=_order))


def encode_labels(
    labels: Sequence[str], classes: Sequence[str], place: Callable[[int], str]
) -> np.ndarray:
    """The number of each label; `place(i)` says where an unknown one stands."""
    known = {label: i for i, label in enumerate(classes)}
    numbers = np.empty(len(labels), dtype=np.int64)
    for i, label in enumerate(labels):
        found = known.get(label)
        if found is None:
            raise BadInput(
                f"{place(i)}: the label {label[:80]!r} is none of the classes the model knows. "
                f"{near(label, classes)}"
            )
        numbers[i] = found
    return numbers


def _order(label: str) -> tuple[bool, float, str]:
    value = number(label)
    return (True, 0.0, label) if value is None or value != value else (False, value, label)
