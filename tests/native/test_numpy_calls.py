"""Every NumPy function that has a rule, compiled: NumPy's values, the reference's gradients."""

from __future__ import annotations

import numpy as np
import pytest

import glassgrad as gg
from oracle.numpy_calls import CALLS

X = np.random.default_rng(5).normal(size=(2, 3)) + 0.3


def parts(found):
    return list(found) if isinstance(found, list | tuple) else [found]


def is_array(part):
    return isinstance(part, np.ndarray | np.generic) and part.dtype.kind in "fbiu"


@pytest.mark.parametrize("function", [pytest.param(f, id=f.__name__) for f in CALLS])
def test_compiled_call(function):
    for call in CALLS[function]:
        wants = parts(call(X))
        if not all(is_array(want) for want in wants):
            continue
        for got, want in zip(parts(gg.jit(call, engine="native")(X)), wants):
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)
        if all(want.dtype == np.float64 for want in wants):
            _same_gradient(call)


def _same_gradient(call):
    def loss(x):
        return np.sum(x**2) + sum(np.sum(np.sin(part)) for part in parts(call(x)))

    want, got = (gg.jit(gg.grad(loss), engine=engine)(X) for engine in ("reference", "native"))
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)
