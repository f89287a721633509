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


def batches(
    arrays: Sequence[np.ndarray], size: int, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, ...]]:
    """Shuffled batches of exactly `size` rows (of all rows where there are fewer).

    All batches have one shape, so that one compiled step serves them all; the rows that do not
    fill a batch are left out of this pass, and others of the next.

    >>> x = np.arange(5)
    >>> [b.shape for (b,) in batches([x], 2, np.random.default_rng(0))]
    [(2,), (2,)]
    """
    rows = count_rows(arrays)
    size = min(size, rows)
    order = generator.permutation(rows)
    for start in range(0, rows - size + 1, size):
        chosen = order[start : start + size]
        yield tuple(a[chosen] for a in arrays)
