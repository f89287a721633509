"""Windows: each token together with its neighbours on both sides."""

from __future__ import annotations

import numpy as np

from glassgrad.text.vocabulary import PADDING


def windows(sentence: np.ndarray, reach: int) -> np.ndarray:
    """Each row of (tokens, features) with `reach` rows on both sides, as one longer row.

    Beyond the ends of the sentence stands padding. The result has shape
    (tokens, (2·reach + 1)·features).

    >>> windows(np.array([[5], [6], [7]]), 1).tolist()
    [[0, 5, 6], [5, 6, 7], [6, 7, 0]]
    """
    empty = np.full((reach, sentence.shape[1]), PADDING, dtype=sentence.dtype)
    padded = np.concatenate([empty, sentence, empty])
    rows = len(sentence)
    return np.concatenate([padded[i : i + rows] for i in range(2 * reach + 1)], axis=1)
