"""Families of ops on numbers: elementwise, conversions, reductions, products."""

from __future__ import annotations

import numpy as np

from campaign.maker import EXTENTS, FLOATS, MOST_ELEMENTS, WHOLE, Maker
from glassgrad.engines import reference
from glassgrad.graph.family import Broadcast, Cast, Elementwise
from glassgrad.graph.node import Node, constant, make
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.contract import Contract
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.view import Transpose

ELEMENTWISE = [op for _, op in sorted(REGISTRY.items()) if isinstance(op, Elementwise)]


def elementwise(m: Maker) -> Node | None:
    """Any elementwise op."""
    op = m.one(ELEMENTWISE)
    if op.name == "where":
        x = m.viewed(m.pick())
        c = m.input(m.array(x.shape, bool))
        return m.made(op, m.beside(c), x, m.beside(x))
    x = m.viewed(m.pick(m.one(("f",) * 6 + ("iu", "iu", "biuf"))))
    operands = [x, *(m.beside(x) for _ in range(op.arity - 1))]
    found = m.made(op, *operands)
    if found is None and x.dtype.kind == "f":  # move the operands into the domain
        operands = [tamed(m, y, *span) for y, span in zip(operands, op.samples)]
        found = m.made(op, *operands)
    return found


def tamed(m: Maker, x: Node, low: float, high: float) -> Node:
    """The values squeezed into an interval."""
    sigmoid, add, multiply = (REGISTRY[n] for n in ("sigmoid", "add", "multiply"))
    width = make(Broadcast(x.shape), constant(m.trace, high - low, x.dtype))
    start = make(Broadcast(x.shape), constant(m.trace, low, x.dtype))
    return make(add, make(multiply, make(sigmoid, x), width), start)


def cast(m: Maker) -> Node | None:
    """Another dtype; reals that an integer cannot hold are not cast."""
    x = m.viewed(m.pick())
    names = ("?", *FLOATS, *FLOATS, *WHOLE) if x.dtype.kind == "f" else ("f4", *WHOLE)
    dtype = np.dtype(m.one(names))
    if x.dtype.kind == "f" and dtype.kind in "iu":
        value = m.values.get(x)
        value = reference.evaluate([x], m.values)[0] if value is None else value
        low = -100 if dtype.kind == "i" else 0
        if value.size and (value.min() < low or value.max() > 100):
            return None
    return m.made(Cast(dtype), x) if dtype != x.dtype else None


def reduce(m: Maker) -> Node | None:
    """A reduction over some axes."""
    x = m.viewed(m.pick(at_least=1))
    axes = tuple(i for i in range(x.ndim) if m.chance(0.5)) or (x.ndim - 1,)
    kind = m.one(("sum", "sum", "max", "min", "any", "all", "logsumexp"))
    if kind == "sum" and x.dtype == np.dtype(bool):
        return None
    return m.made(Reduce(kind, axes), x)


def contract(m: Maker) -> Node | None:
    """A product of two arrays over some labels: batch, rows, summed, columns."""
    x = m.viewed(m.pick("f" if m.chance(0.9) else "iu", at_least=1))
    if x.ndim > 4:
        return None
    shared = [i for i in range(x.ndim) if m.chance(0.5)]
    own = [x.ndim + j for j in range(int(m.rng.integers(0, 3)))]
    rhs = [*shared, *own]
    rhs = [rhs[i] for i in m.rng.permutation(len(rhs))]
    sizes = dict(enumerate(x.shape)) | {i: m.one(EXTENTS) for i in own}
    y = m.input(m.array(tuple(sizes[i] for i in rhs), x.dtype))
    kept = [i for i in shared if m.chance(0.3)]
    out = [*kept, *(i for i in range(x.ndim) if i not in shared), *own]
    out = [out[i] for i in m.rng.permutation(len(out))] if m.chance(0.3) else out
    if np.prod([sizes[i] for i in out], dtype=np.int64) > MOST_ELEMENTS:
        return None
    operands = (x, tuple(range(x.ndim)), y, tuple(rhs))
    if m.chance(0.5):
        operands = (*operands[2:], *operands[:2])
    a, lhs, b, rhs_ = operands
    number: dict[int, int] = {}
    for label in (*lhs, *rhs_):
        number.setdefault(label, len(number))
    named = [tuple(number[i] for i in labels) for labels in (lhs, rhs_, out)]
    return m.made(Contract(*named), a, b)


def product(m: Maker) -> Node | None:
    """A matrix product large enough to be cut into blocks, of operands in any order of axes."""
    i, k, j = (m.one((1, 6, 32, 65, 100, 130, 257, 1024)) for _ in range(3))
    i = 900 if m.chance(0.3) else i
    if i * k + k * j > 300_000 or i * j > 16 * MOST_ELEMENTS:
        return None
    dtype = m.one(FLOATS)
    x, y = (m.input(m.array(shape, dtype) / 8) for shape in ((i, k), (j, k)))
    if m.chance(0.3):
        x = make(Transpose((1, 0)), m.input(m.array((k, i), dtype)))
    node = m.made(Contract((0, 1), (2, 1), (0, 2)), x, y)
    return node and m.made(Reduce("sum", (int(m.rng.integers(2)),)), node)
