"""Mini-batches: pieces of arrays in a seeded random order, equal but for the last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from glassgrad.data.bad_input import BadInput


def count_rows(arrays: Sequence[np.ndarray]) -> int:
    """The common length of the arrays; raises BadInput when they differ or there are none.

    >>> count_rows([np.zeros((3, 2)), np.zeros(3)])
    3
    """
    lengths = [len(a) for a in arrays]
    if not lengths or not lengths[0]:
        raise BadInput("There are no rows to train on: the data are empty.")
    if len(set(lengths)) > 1:
        raise BadInput(
            f"The arrays have {', '.join(map(str, lengths))} rows: inputs and labels must have "
            "the same number of rows."
        )
    return lengths[0]


def batch_order(
    rows: int, size: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of each batch of a pass, in a new order: a column of numbers for each full batch.

    The rows that do not fill a batch are the short last one: a vector, empty where all are full.

    >>> full, last = batch_order(7, 3, np.random.default_rng(0))
    >>> full.shape, last.shape
    ((3, 2), (1,))
    """
    count = rows // size
    order = generator.permutation(rows)
    return order[: count * size].reshape(count, size).T, order[count * size :]


def batches(
    arrays: Sequence[np.ndarray], size: int, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, ...]]:
    """Shuffled batches, of which the last may be short: every row is in one of them.

    >>> x = np.arange(5)
    >>> [b.shape for (b,) in batches([x], 2, np.random.default_rng(0))]
    [(2,), (2,), (1,)]
    """
    full, last = batch_order(count_rows(arrays), size, generator)
    for chosen in (*full.T, *([last] if last.size else [])):
        yield tuple(a[chosen] for a in arrays)
