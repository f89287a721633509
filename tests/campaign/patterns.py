"""Computations that the native engine knows as a whole: layers, softmax, normalisation, losses."""

from __future__ import annotations

from campaign.maker import EXTENTS, FLOATS, Maker
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import Broadcast, Reshape
from glassgrad.graph.node import Node, constant, make
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.contract import Contract
from glassgrad.ops.gather import Take
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.view import Transpose

GATES = ("tanh", "sigmoid", "relu", "silu", "gelu", "softplus")


def _over_rows(m: Maker, kind: str, x: Node) -> Node:
    """A reduction of the last axis, spread over it again."""
    total = make(Reduce(kind, (x.ndim - 1,)), x)
    return make(Broadcast(x.shape), make(Reshape((*x.shape[:-1], 1)), total))


def layer(m: Maker) -> Node | None:
    """A product with a bias, an activation, and often another layer or a loss behind it."""
    dtype = m.one(FLOATS)
    batch, wide = m.one((1, 5, 16, 33, 64)), m.one((1, 4, 10, 16, 50, 70))
    x = m.input(m.array((batch, wide), dtype))
    for _ in range(m.one((1, 1, 2, 3))):
        wide, new = x.shape[1], m.one((1, 3, 10, 16, 33, 64))
        w = m.input(m.array((wide, new), dtype) / max(1, wide) ** 0.5)
        z = make(Contract((0, 1), (1, 2), (0, 2)), x, w)
        b = m.input(m.array((new,), dtype))
        z = make(REGISTRY["add"], z, m.spread(b, z.shape))
        gate = REGISTRY.get(m.one(GATES), REGISTRY["tanh"])
        x = make(gate, z) if m.chance(0.8) else z
    kept = m.keep(x)
    return m.one((lambda m, x: x, softmax_of, normed, cross_entropy))(m, x) if kept else None


def softmax(m: Maker) -> Node | None:
    """Softmax, normalisation or a loss of something that is there."""
    x = m.viewed(m.pick("f", at_least=1))
    return m.one((softmax_of, normed, cross_entropy))(m, x) if x.size else None


def softmax_of(m: Maker, x: Node) -> Node | None:
    """Numbers over each row that sum to 1."""
    e = k.exp(k.subtract(x, _over_rows(m, "max", x)))
    return m.keep(k.divide(e, _over_rows(m, "sum", e)))


def normed(m: Maker, x: Node) -> Node | None:
    """Rows of mean 0 and variance 1."""
    n = m.spread(constant(m.trace, float(x.shape[-1]), x.dtype), x.shape)
    centred = k.subtract(x, k.divide(_over_rows(m, "sum", x), n))
    spread = k.divide(_over_rows(m, "sum", k.square(centred)), n)
    little = m.spread(constant(m.trace, 0.01, x.dtype), x.shape)
    return m.keep(k.divide(centred, k.sqrt(k.add(spread, little))))


def cross_entropy(m: Maker, x: Node) -> Node | None:
    """The loss of each row for a label."""
    if x.ndim != 2:
        return softmax_of(m, x)
    n, classes = x.shape
    labels = m.input(m.rng.integers(0, classes, (n,)))
    every = m.input(m.rng.permutation(n).astype("i8"))
    ends = make(Reduce("logsumexp", (1,)), x)
    return m.keep(k.subtract(ends, make(Take(0), x, every, labels)))


def batches(m: Maker) -> Node | None:
    """Products of many matrices at once, with an operand in another order of axes."""
    dtype = m.one((*FLOATS, "i4"))
    b, i, j, n = (m.one(EXTENTS) for _ in range(4))
    if b * max(i * j, j * n, i * n) > 20_000:
        return None
    x = m.input(m.array((b, i, j), dtype))
    y = m.input(m.array((b, n, j), dtype))
    rhs, shape = m.one((((0, 3, 2), None), ((0, 2, 3), (0, 2, 1))))
    if shape is not None:
        y = make(Transpose(shape), y)
    return m.made(Contract((0, 1, 2), rhs, m.one(((0, 1, 3), (1, 0, 3), (0, 3, 1)))), x, y)
