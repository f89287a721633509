"""Static memory: offsets of buffers from the time each is alive, in one aligned block.

Two buffers may share bytes when no moment needs both. Offsets are chosen first-fit, largest buffer
first, which is within a few per cent of the best for the graphs of training steps. Where there are
very many, the small ones share places of their own size, which takes no longer for each; or all do,
where that needs less, or where all are of one size: then nothing needs less.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

ALIGNMENT = 64
_FITTED = 512  # the largest buffers are placed with care, in quadratic time
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if os.name == "posix" else {}
SLACK = 64  # so that a whole vector may be read past the last element


@dataclass(frozen=True)
class Interval:
    """A buffer of `size` bytes, needed from moment `first` up to and including `last`."""

    size: int
    first: int
    last: int

    def meets(self, other: Interval) -> bool:
        """True when some moment needs both."""
        return self.first <= other.last and other.first <= self.last


def padded(size: int) -> int:
    """The bytes that a buffer takes: with slack, rounded up to the alignment."""
    return (size + SLACK + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def plan(intervals: list[Interval]) -> tuple[list[int], int]:
    """The offset of every buffer and the size of the block that holds them all.

    >>> plan([Interval(100, 0, 1), Interval(100, 1, 2), Interval(100, 2, 3)])
    ([0, 192, 0], 384)
    """
    alike = len({padded(i.size) for i in intervals}) == 1
    found = None if alike else _plan(intervals)
    if found is not None and len(intervals) <= _FITTED:
        return found
    columns = _columns(intervals)
    together = [_hull(intervals, column) for column in columns]
    starts, size = _plan(together)
    if found is not None and size >= found[1]:
        return found
    offsets = [0] * len(intervals)
    for start, column in zip(starts, columns):
        for i in column:
            offsets[i] = start
    return offsets, size


def _plan(intervals: Sequence[Interval]) -> tuple[list[int], int]:
    """The largest placed with care, the others stacked above them."""
    offsets = [0] * len(intervals)
    order = sorted(range(len(intervals)), key=lambda i: (-intervals[i].size, intervals[i].first))
    end = _fit(intervals, order[:_FITTED], offsets)
    return offsets, _stack(intervals, order[_FITTED:], offsets, end)


def _columns(intervals: Sequence[Interval]) -> list[list[int]]:
    """Buffers of one size, needed one after the other: as few columns as there can be."""
    free: dict[int, list[tuple[int, int]]] = {}  # by size: (free after this moment, column)
    columns: list[list[int]] = []
    for i in sorted(range(len(intervals)), key=lambda i: intervals[i].first):
        places = free.setdefault(padded(intervals[i].size), [])
        if places and places[0][0] < intervals[i].first:
            _, at = heappop(places)
        else:
            at = len(columns)
            columns.append([])
        columns[at].append(i)
        heappush(places, (intervals[i].last, at))
    return columns


def _hull(intervals: Sequence[Interval], column: Sequence[int]) -> Interval:
    """A column as one buffer."""
    parts = [intervals[i] for i in column]
    return Interval(
        max(p.size for p in parts), min(p.first for p in parts), max(p.last for p in parts)
    )


def _fit(intervals: Sequence[Interval], order: Sequence[int], offsets: list[int]) -> int:
    """First fit, in this order; returns the end."""
    placed: list[tuple[int, int, int, int]] = []  # from, to; needed from, to
    end = 0
    for i in order:
        this = intervals[i]
        wanted, first, last, at = padded(this.size), this.first, this.last, 0
        for start, stop, begins, ends in placed:
            if start >= at + wanted:
                break
            if stop > at and begins <= last and first <= ends:
                at = stop
        offsets[i] = at
        insort(placed, (at, at + wanted, first, last))
        end = max(end, at + wanted)
    return end


def _stack(
    intervals: Sequence[Interval], order: Sequence[int], offsets: list[int], end: int
) -> int:
    """The many small ones: places of one size each, taken again when they are free."""
    free: dict[int, list[tuple[int, int]]] = {}  # by size: (free after this moment, offset)
    for i in sorted(order, key=lambda i: intervals[i].first):
        size = padded(intervals[i].size)
        places = free.setdefault(size, [])
        if places and places[0][0] < intervals[i].first:
            _, at = heappop(places)
        else:
            at, end = end, end + size
        offsets[i] = at
        heappush(places, (intervals[i].last, at))
    return end


class Arena:
    """A zeroed, aligned block of memory; `address` is where it starts.

    It belongs to this process: after a fork, each of both has its own.
    """

    def __init__(self, size: int) -> None:
        self.size = max(size, ALIGNMENT)
        try:
            self._block = mmap.mmap(-1, self.size + ALIGNMENT, **_PRIVATE)
        except (OSError, ValueError, OverflowError) as error:
            raise MemoryError(f"an arena of {self.size} bytes is needed: {error}") from error
        hold = ctypes.c_char.from_buffer(self._block)
        start = ctypes.addressof(hold)
        self._hold = hold
        self.address = (start + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
