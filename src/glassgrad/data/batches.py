"""Mini-batches: equal pieces of arrays in a seeded random order."""

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


def batch_order(rows: int, size: int, generator: np.random.Generator) -> np.ndarray:
    """The rows of each batch of a pass, in a new order: one row of numbers for each batch.

    All batches have `size` rows (all of them where there are fewer), so that one compiled step
    serves them all; the rows that do not fill a batch are left out of this pass, and others of the
    next.

    >>> batch_order(5, 2, np.random.default_rng(0)).shape
    (2, 2)
    """
    size = min(size, rows)
    count = rows // size
    return generator.permutation(rows)[: count * size].reshape(count, size)


def batches(
    arrays: Sequence[np.ndarray], size: int, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, ...]]:
    """Shuffled batches; see `batch_order`.

    >>> x = np.arange(5)
    >>> [b.shape for (b,) in batches([x], 2, np.random.default_rng(0))]
    [(2,), (2,)]
    """
    for chosen in batch_order(count_rows(arrays), size, generator):
        yield tuple(a[chosen] for a in arrays)
