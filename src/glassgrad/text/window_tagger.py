"""A network that tags a token from the vectors of its window."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.graph.errors import ShapeError
from glassgrad.nn import MLP, Module
from glassgrad.transform import random


class WindowTagger(Module):
    """Looks up a vector for every number in a window, joins them, and feeds them to a network.

    >>> tagger = WindowTagger.init(10, 4, 3, (8,), 2, key=random.key(0))
    >>> tagger(np.array([[1, 2, 3], [4, 5, 6]])).shape
    (2, 2)
    """

    vectors: np.ndarray
    network: MLP

    @staticmethod
    def init(
        size: int, dimension: int, width: int, hidden: tuple[int, ...], tags: int, *, key: Any
    ) -> WindowTagger:
        """Random vectors (size, dimension) for windows of `width` numbers, and a new network."""
        first, second = random.split(key, 2)
        draws = np.asarray(random.uniform(first, (size, dimension)))
        vectors = ((draws - 0.5) * (2 / dimension**0.5)).astype(np.float32)
        sizes = (width * dimension, *hidden, tags)
        return WindowTagger(vectors, MLP.init(sizes, key=second, activation="tanh"))

    def with_vectors(self, rows: np.ndarray, vectors: np.ndarray) -> WindowTagger:
        """The tagger with known vectors in some rows, twice as spread out as the random ones.

        >>> tagger = WindowTagger.init(10, 4, 3, (8,), 2, key=random.key(0))
        >>> known = tagger.with_vectors(np.array([5]), np.array([[1.0, -1.0, 1.0, -1.0]]))
        >>> bool(known.vectors[5, 0] == -known.vectors[5, 1] > 0)
        True
        """
        changed = self.vectors.copy()
        spread = float(vectors.std()) or 1.0
        changed[rows] = vectors * (2 * float(self.vectors.std()) / spread)
        return WindowTagger(changed, self.network)

    def __call__(self, windows: Any) -> Any:
        """The logits (tokens, tags) of windows (tokens, width)."""
        joined = self.vectors[windows].reshape(windows.shape[0], -1)
        return self.network(joined)

    def validate(self) -> None:
        """Refuse vectors that do not fill the network's inputs."""
        vectors = self.vectors
        if vectors.ndim != 2 or vectors.dtype.kind != "f" or 0 in vectors.shape:
            raise ShapeError(f"vectors are a matrix of floats, not {list(vectors.shape)}")
        if self.network.sizes[0] % vectors.shape[1]:
            raise ShapeError(
                f"vectors of {vectors.shape[1]} numbers cannot fill {self.network.sizes[0]} inputs"
            )
