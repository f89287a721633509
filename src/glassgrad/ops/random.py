"""Counter-based random numbers: a key and an index say the number, there is no state."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.dtype import FLOAT32, FLOAT64, UINT32, DType
from glassgrad.graph.errors import DTypeError, ShapeError
from glassgrad.graph.family import cast, reshape
from glassgrad.graph.node import Node, make
from glassgrad.graph.op import Aval, Op, Shape
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.sort import sort
from glassgrad.ops.view import slice_


class RandomBits(Op):
    """Words of Philox4x32-10 (Salmon et al. 2011): word i is word i mod 4 of block i div 4.

    The block's counter is (i div 4, stream, 0, 0); the key is the operand, two words of uint32.
    """

    name = "random_bits"
    verb = "passes no gradient: random words are integers"
    cost = "none on reals: 10 rounds of integers for four words"
    shape: Shape
    stream: int

    def infer(self, *inputs: Node) -> Aval:
        """Words of uint32 in that shape."""
        key = inputs[0]
        if key.shape != (2,) or key.dtype != UINT32:
            raise DTypeError(
                f"a random key is two words of uint32 made by gg.random.key(seed), got "
                f"{key.dtype}{list(key.shape)}{at_caller()}"
            )
        return self.shape, UINT32

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """None: a key carries no derivative."""
        return (None,)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """None: integers carry no derivative."""
        return None


DRAW, SPLIT = 0, 1  # streams: numbers and new keys never share a counter


def split(key: Node, n: int) -> Node:
    """`n` new keys, shape (n, 2)."""
    return make(RandomBits((n, 2), SPLIT), key)


def uniform(key: Node, shape: Shape, dtype: DType = FLOAT64) -> Node:
    """Numbers in the open interval (0, 1), on a grid of 2^-23 (float32) or 2^-52 (float64)."""
    if dtype == FLOAT32:
        bits = cast(make(RandomBits(tuple(shape), DRAW), key), FLOAT64)
        return cast((k.floor(bits * 2.0**-9) + 0.5) * 2.0**-23, FLOAT32)
    pairs = cast(make(RandomBits((2, *shape), DRAW), key), FLOAT64)
    high, low = (_row(pairs, i) for i in (0, 1))
    return (high * 2.0**20 + k.floor(low * 2.0**-12) + 0.5) * 2.0**-52


def _row(x: Node, i: int) -> Node:
    starts = (i, *[0] * (x.ndim - 1))
    return reshape(slice_(x, starts, (1,) * x.ndim, (1, *x.shape[1:])), x.shape[1:])


def normal(key: Node, shape: Shape, dtype: DType = FLOAT64) -> Node:
    """Standard normal numbers, by Box and Muller's formula from two uniform ones each."""
    pairs = uniform(key, (2, *shape), dtype)
    return k.sqrt(-2 * k.log(_row(pairs, 0))) * k.cos(2 * math.pi * _row(pairs, 1))


def permutation(key: Node, n: int) -> Node:
    """The numbers 0 to n-1 in random order, int64."""
    if n < 0:
        raise ShapeError(f"a permutation of {n} numbers does not exist{at_caller()}")
    return sort(uniform(key, (n,)), 0)[1]


def philox(key: np.ndarray, n: int, stream: int) -> np.ndarray:
    """The first `n` words of a stream of a key: the definition, in NumPy.

    >>> philox(np.array([0, 0], np.uint32), 4, 0)
    array([1713891541, 3781805453, 3159862348, 2600524760], dtype=uint32)
    """
    blocks = np.arange(-(-n // 4), dtype=np.uint64)
    word = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    c = [blocks & word, np.full_like(blocks, stream), blocks >> shift, np.zeros_like(blocks)]
    k0, k1 = (np.uint64(v) for v in key)
    for _ in range(10):
        p, q = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(q >> shift) ^ c[1] ^ k0, q & word, (p >> shift) ^ c[3] ^ k1, p & word]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & word, (k1 + np.uint64(0xBB67AE85)) & word
    return np.stack(c, axis=-1).reshape(-1)[:n].astype(np.uint32)
