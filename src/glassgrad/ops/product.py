"""The product along axes, as a tree of products of halves: right at zeros, to any order.

A rule that divides the product by each factor fails at zeros, and one that masks them loses second
derivatives; products of pairs need no rule at all.
"""

from __future__ import annotations

import numpy as np

from glassgrad.graph.dtype import INT64
from glassgrad.graph.family import cast, reshape
from glassgrad.graph.node import Node, constant
from glassgrad.ops.view import concatenate, rows, slice_, transpose


def product(x: Node, axes: tuple[int, ...], keepdims: bool = False) -> Node:
    """The product over axes; booleans and integers are multiplied in 64 bits, as NumPy does."""
    if x.dtype.kind == "b" or x.dtype.kind == "i":
        x = cast(x, INT64)
    elif x.dtype.kind == "u":
        x = cast(x, np.dtype(np.uint64))
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    shape = tuple(x.shape[i] for i in kept)
    count = int(np.prod([x.shape[i] for i in axes], dtype=np.int64))
    factors = reshape(transpose(x, (*axes, *kept)), (count, *shape))
    result = reshape(_halved(factors), shape)
    if not keepdims:
        return result
    return reshape(result, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


def _halved(x: Node) -> Node:
    """The product of the rows, as one row."""
    if x.shape[0] == 0:
        return constant(x.trace, np.ones((1, *x.shape[1:]), x.dtype))
    while x.shape[0] > 1:
        half = x.shape[0] // 2
        pairs = _every_second(x, 0, half) * _every_second(x, 1, half)
        odd = x.shape[0] % 2
        x = concatenate([pairs, rows(x, x.shape[0] - 1, x.shape[0])]) if odd else pairs
    return x


def _every_second(x: Node, start: int, count: int) -> Node:
    starts = (start, *[0] * (x.ndim - 1))
    return slice_(x, starts, (2, *[1] * (x.ndim - 1)), (count, *x.shape[1:]))
