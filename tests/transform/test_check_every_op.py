"""gg.check_grads on every elementwise op: right rules pass, each slightly wrong one is named."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.array import Array
from glassgrad.graph.algebra import NODES
from glassgrad.graph.family import Elementwise
from glassgrad.graph.op import REGISTRY
from glassgrad.transform.check import DerivativeError

PART = 1e-6  # of the derivative


def arguments(op):
    """Points inside the op's sample intervals."""
    rng = np.random.default_rng(len(op.name))
    return tuple(rng.uniform(low, high, 5) for low, high in op.samples)


def applied(op):
    return lambda *xs: Array(op.apply(*(x.node for x in xs)))


def real_ops():
    found = [op for op in REGISTRY.values() if isinstance(op, Elementwise)]
    return [
        op for op in found
        if op.result != "bool" and op.name not in ("where", "stop_gradient") and op.partials
    ]  # fmt: skip


@pytest.mark.parametrize("op", real_ops(), ids=str)
def test_right_and_slightly_wrong(op):
    args = arguments(op)
    gg.check_grads(applied(op), args)
    right = op.partials

    def wrong(k, y, *xs):
        return tuple(None if p is None else p * (1 + PART) for p in right(k, y, *xs))

    if all(p is None for p in right(NODES, *nodes(op))):
        return  # the derivative is zero: nothing to be slightly wrong
    object.__setattr__(op, "partials", wrong)
    try:
        with pytest.raises(DerivativeError, match=f"of order 1(.|\n)*at fault is {op.name}:"):
            gg.check_grads(applied(op), args)
    finally:
        object.__setattr__(op, "partials", right)


def nodes(op):
    xs = [x.node for x in gg.variables(" ".join(f"x{i}" for i in range(op.arity)))]
    return op.apply(*xs), *xs
