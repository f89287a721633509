"""Families of ops that move numbers: joins, writes, computed places, orders; and random words."""

from __future__ import annotations

import numpy as np

from campaign.maker import EXTENTS, MOST_ELEMENTS, Maker
from glassgrad.graph.node import Node, constant, item, make
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.gather import Scatter, ScatterAdd, Take
from glassgrad.ops.prefix import Prefix
from glassgrad.ops.random import RandomBits
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.sort import Sort
from glassgrad.ops.view import Concatenate, Place, Slice, Update


def concatenate(m: Maker) -> Node | None:
    """Two or three arrays, one after the other."""
    x = m.viewed(m.pick(at_least=1))
    axis = int(m.rng.integers(x.ndim))
    parts = [x]
    for _ in range(int(m.rng.integers(1, 3))):
        n = m.one(EXTENTS[:6])
        shape = tuple(n if i == axis else m for i, m in enumerate(x.shape))
        parts.append(x if m.chance(0.3) else m.input(m.array(shape, x.dtype)))
    return m.made(Concatenate(axis), *parts)


def write(m: Maker) -> Node | None:
    """A slice of zeros or of an array, written to."""
    x = m.viewed(m.pick(at_least=1))
    starts, steps, lengths = m.cut(x.shape)
    if m.chance(0.5):
        v = make(Slice(starts, steps, lengths), x)
        v = v if m.chance(0.3) else m.beside(v)  # where it was, or elsewhere
        return m.made(Place(x.shape, starts, steps), v)
    v = m.input(m.array(lengths, x.dtype))
    return m.made(Update(starts, steps), x, v)


def indices(m: Maker, extent: int, shape: tuple[int, ...]) -> Node:
    """Random indices into an axis, some counted from the end."""
    dtype = m.one(("i8", "i8", "i4", "u4", "i2"))
    low = 0 if dtype[0] == "u" or m.chance(0.5) else -extent
    return m.input(m.rng.integers(low, extent, shape).astype(dtype))


def gather(m: Maker) -> Node | None:
    """Elements read at computed places, or added or written there."""
    x = m.viewed(m.pick(at_least=1))
    count = 2 if x.ndim > 1 and m.chance(0.2) else 1
    axis = int(m.rng.integers(0, x.ndim - count + 1))
    if 0 in x.shape[axis : axis + count]:
        return None
    shape = m.one(((), (m.one(EXTENTS),), (2, 3)))
    at = [indices(m, x.shape[axis + j], shape) for j in range(count)]
    rows = m.made(Take(axis), x, *at)
    if rows is None or rows.size > MOST_ELEMENTS or m.chance(0.5):
        return rows
    v = m.beside(rows)
    if m.chance(0.6):
        return None if x.dtype.kind == "b" else m.made(ScatterAdd(axis), x, v, *at)
    return m.made(Scatter(axis), x, v, *at)


def prefix(m: Maker) -> Node | None:
    """Running sums."""
    x = m.viewed(m.pick("iuf", at_least=1))
    return m.made(Prefix(int(m.rng.integers(x.ndim)), m.chance(0.5)), x)


def sort(m: Maker) -> Node | None:
    """Sorted values, or where they came from."""
    x = m.viewed(m.pick(at_least=1))
    node = m.made(Sort(int(m.rng.integers(x.ndim))), x)
    return None if node is None else m.keep(item(node, int(m.rng.integers(2))))


def draw(m: Maker) -> Node | None:
    """Random words of a key."""
    key = m.input(m.rng.integers(0, 2**32, (2,)).astype("u4"))
    return m.made(RandomBits(m.shape(2), int(m.rng.integers(3))), key)


def windows(m: Maker) -> Node | None:
    """All windows of some length along an axis, overlapping, and their sums or largest."""
    x = m.viewed(m.pick(at_least=1))
    axis = int(m.rng.integers(x.ndim))
    n = x.shape[axis]
    width, step = m.one((1, 2, 3, 5)), m.one((1, 1, 2, 3))
    if n < width:
        return None
    starts = np.arange(0, n - width + 1, step)
    at = m.input((starts[:, None] + np.arange(width)).astype(m.one(("i8", "i4"))))
    seen = m.made(Take(axis), x, at)
    if seen is None or seen.size > MOST_ELEMENTS or m.chance(0.3):
        return seen
    return m.made(Reduce(m.one(("max", "min")), (axis + 1,)), seen)


def rows(m: Maker) -> Node | None:
    """A table of which few rows are used, and a step down along what they add up to."""
    n, d = int(m.rng.integers(1, 200)), m.one(EXTENTS)
    dtype = m.one(("f4", "f8"))
    table = m.input(m.array((n, d), dtype))
    at = indices(m, n, (m.one((0, 1, 3, 8, 17)),))
    used = m.made(Take(0), table, at)
    if used is None:
        return None
    slope = make(REGISTRY["multiply"], make(REGISTRY["tanh"], used), m.beside(used))
    zeros = m.zeros((n, d), dtype)
    added = make(ScatterAdd(0), zeros, slope, at)
    rate = m.spread(constant(m.trace, 0.125, dtype), (n, d))
    return m.made(REGISTRY["subtract"], table, make(REGISTRY["multiply"], added, rate))
