"""Scans against the same loop unrolled."""

import numpy as np
import pytest

import glassgrad as gg
from oracle import loops

CASES = [pytest.param(x, id=x.name) for x in loops.LOOPS]


@pytest.mark.parametrize("check", [loops.check_value, loops.check_gradient, loops.check_hessian])
@pytest.mark.parametrize("loop", CASES)
def test_loop(loop, check):
    check(loop)


def _rolled(w, xs):
    carry, ys = gg.scan(lambda c, x: (np.tanh(w @ c + x), np.sum(c)), np.zeros(2), xs)
    return np.sum(carry) + np.sum(ys**2)


def _unrolled(w, xs):
    c, ys = np.zeros(2), []
    for x in xs:
        ys.append(np.sum(c))
        c = np.tanh(w @ c + x)
    return np.sum(c) + np.sum(np.stack(ys) ** 2)


@pytest.mark.parametrize(
    "transform",
    [gg.grad, gg.hessian, lambda f: gg.grad(lambda w, x: np.sum(gg.grad(f)(w, x) ** 3))],
)
def test_scan_is_the_unrolled_loop_to_every_order(transform):
    w, xs = np.array([[0.5, -0.2], [0.3, 0.8]]), np.array([[0.1, 0.2], [-0.3, 0.5], [0.7, -0.4]])
    np.testing.assert_allclose(
        transform(_rolled)(w, xs), transform(_unrolled)(w, xs), rtol=1e-12, atol=1e-14
    )
