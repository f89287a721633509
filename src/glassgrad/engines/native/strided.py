"""Where the elements of a view lie in its buffer: an offset and one stride an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides, in elements, of a contiguous array.

    >>> row_major((2, 3, 4))
    (12, 4, 1)
    """
    strides: list[int] = []
    step = 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


@dataclass(frozen=True)
class Strided:
    """Element (i, j, …) lies at ``offset + i*strides[0] + j*strides[1] + …`` elements."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @staticmethod
    def contiguous(shape: Sequence[int]) -> Strided:
        """All elements in row-major order."""
        return _contiguous(tuple(shape))

    def transpose(self, perm: Sequence[int]) -> Strided:
        """Axis i of the result is axis perm[i]."""
        return Strided(
            tuple(self.shape[i] for i in perm), tuple(self.strides[i] for i in perm), self.offset
        )

    def broadcast(self, shape: Sequence[int]) -> Strided:
        """New axes and those of length one are repeated: their stride is 0."""
        lead = len(shape) - len(self.shape)
        kept = (s if n == m else 0 for n, m, s in zip(self.shape, shape[lead:], self.strides))
        return Strided(tuple(shape), (*[0] * lead, *kept), self.offset)

    def slice(self, starts: Sequence[int], steps: Sequence[int], lengths: Sequence[int]) -> Strided:
        """Every `steps`-th element from `starts`."""
        offset = self.offset + sum(a * s for a, s in zip(starts, self.strides))
        strides = tuple(s * step for s, step in zip(self.strides, steps))
        return Strided(tuple(lengths), strides, offset)

    def reshape(self, shape: Sequence[int]) -> Strided | None:
        """The same elements in row-major order under another shape; None where only a copy can.

        >>> Strided.contiguous((2, 6)).reshape((4, 3)).strides
        (3, 1)
        >>> Strided.contiguous((2, 6)).transpose((1, 0)).reshape((12,)) is None
        True
        """
        if 0 in self.shape:
            return Strided(tuple(shape), row_major(shape), self.offset)
        old = [(n, s) for n, s in zip(self.shape, self.strides) if n != 1]
        new = list(shape)
        strides = [0] * len(new)
        i = j = 0
        while i < len(old):
            i, j, run, cut = _matched_run(old, i, new, j)
            if not _mergeable(run):
                return None
            step = run[-1][1]
            for axis in reversed(cut):
                strides[axis] = step
                step *= new[axis]
        return Strided(tuple(new), tuple(strides), self.offset)


def _matched_run(
    old: list[tuple[int, int]], i: int, new: list[int], j: int
) -> tuple[int, int, list[tuple[int, int]], list[int]]:
    """The shortest runs of old axes from i and new axes from j with as many elements."""
    run, cut = [old[i]], list[int]()
    have, want = old[i][0], 1
    i += 1
    while want != have or not cut:
        if want < have:
            if new[j] != 1:
                want *= new[j]
                cut.append(j)
            j += 1
        else:
            run.append(old[i])
            have *= old[i][0]
            i += 1
    return i, j, run, cut


def _mergeable(run: list[tuple[int, int]]) -> bool:
    return all(s == n * t for (_, s), (n, t) in pairwise(run))


@lru_cache(4096)
def _contiguous(shape: tuple[int, ...]) -> Strided:
    return Strided(shape, row_major(shape))


def collapse(
    shape: Sequence[int], strides: Sequence[Sequence[int]], apart: Sequence[int] = ()
) -> tuple[list[int], list[list[int]], list[int]]:
    """Axes of length one dropped, and neighbours merged where every access allows it.

    `apart` gives each axis a class; axes of different classes are never merged. Returns the new
    shape, the new strides of each access, and the classes.

    >>> collapse((2, 3, 4), [(12, 4, 1), (0, 4, 1)])
    ([2, 12], [[12, 1], [0, 1]], [0, 0])
    """
    classes = list(apart) or [0] * len(shape)
    axes = [i for i, n in enumerate(shape) if n != 1]
    new_shape: list[int] = []
    new_strides: list[list[int]] = [[] for _ in strides]
    new_classes: list[int] = []
    for i in axes:
        merges = (
            bool(new_shape)
            and new_classes[-1] == classes[i]
            and all(new[-1] == s[i] * shape[i] for new, s in zip(new_strides, strides))
        )
        if merges:
            new_shape[-1] *= shape[i]
        else:
            new_shape.append(shape[i])
            new_classes.append(classes[i])
        for new, s in zip(new_strides, strides):
            if merges:
                new[-1] = s[i]
            else:
                new.append(s[i])
    return new_shape, new_strides, new_classes


def reducible(space: tuple[int, ...], axes: tuple[int, ...], views: Sequence[Strided]) -> bool:
    """Whether neighbouring reduced axes merge in every view: the tree is then the shape's own."""
    last = None
    for i, n in enumerate(space):
        if n == 1:
            continue
        if last is not None and last in axes and i in axes:
            merged = [v.strides[last] == v.strides[i] * n for v in views]
            if not all(merged):
                return False
        last = i
    return True
