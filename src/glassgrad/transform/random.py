"""`gg.random`: numbers from keys. A key says its numbers; nothing hidden is advanced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassgrad.array import Array
from glassgrad.array.handle import as_node
from glassgrad.engines.reference import evaluate
from glassgrad.graph.dtype import FLOAT64, as_dtype
from glassgrad.graph.errors import DTypeError
from glassgrad.graph.node import ACTIVE, Node, Trace
from glassgrad.ops import random as ops


def key(seed: int) -> Any:
    """The key of a seed: two words of uint32. The same seed gives the same numbers everywhere.

    >>> import glassgrad as gg
    >>> gg.random.key(7)
    array([7, 0], dtype=uint32)
    """
    if not isinstance(seed, int | np.integer) or not 0 <= int(seed) < 1 << 64:
        raise DTypeError(f"a seed is an integer from 0 to 2**64 - 1, not {seed!r}")
    number = int(seed)
    return np.array([number & 0xFFFFFFFF, number >> 32], np.uint32)


def _drawn(key: Any, draw: Callable[[Node], Node]) -> Any:
    """The drawn node: as a handle while a trace is written, else its value."""
    traced = isinstance(key, Array)
    trace = ACTIVE.get()
    node = draw(as_node(key, trace or (key.node.trace if traced else Trace())))
    if traced or trace is not None:
        return Array(node)
    return np.array(evaluate([node], {})[0])[()]


def _shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(n) for n in shape)


def _real(dtype: Any) -> Any:
    found = as_dtype(dtype, "random numbers")
    if found.kind != "f":
        raise DTypeError(f"uniform and normal numbers are float32 or float64, not {found}")
    return found


def split(key: Any, n: int = 2) -> Any:
    """`n` new keys, shape (n, 2), unrelated to each other and to the old one.

    >>> import glassgrad as gg
    >>> gg.random.split(gg.random.key(0)).shape
    (2, 2)
    """
    return _drawn(key, lambda k: ops.split(k, n))


def uniform(key: Any, shape: int | Sequence[int] = (), dtype: Any = FLOAT64) -> Any:
    """Numbers evenly spread over the open interval (0, 1).

    >>> import glassgrad as gg
    >>> 0 < gg.random.uniform(gg.random.key(0)) < 1
    np.True_
    """
    return _drawn(key, lambda k: ops.uniform(k, _shape(shape), _real(dtype)))


def normal(key: Any, shape: int | Sequence[int] = (), dtype: Any = FLOAT64) -> Any:
    """Standard normal numbers.

    >>> import glassgrad as gg
    >>> gg.random.normal(gg.random.key(0), (2, 3)).shape
    (2, 3)
    """
    return _drawn(key, lambda k: ops.normal(k, _shape(shape), _real(dtype)))


def bernoulli(key: Any, p: Any = 0.5, shape: int | Sequence[int] | None = None) -> Any:
    """Booleans, true with probability p; in the shape of p, if no other is given.

    An answer is yes or no, so no gradient flows to p.

    >>> import glassgrad as gg
    >>> gg.random.bernoulli(gg.random.key(0), 0.5, 4).shape
    (4,)
    """
    drawn = uniform(key, np.shape(p) if shape is None else shape)
    return drawn < p


def permutation(key: Any, n: int) -> Any:
    """The numbers 0 to n-1 in random order.

    >>> import glassgrad as gg
    >>> sorted(gg.random.permutation(gg.random.key(0), 4).tolist())
    [0, 1, 2, 3]
    """
    return _drawn(key, lambda k: ops.permutation(k, int(n)))
