"""Differentiation inside a traced function, by a variable that another gradient gave."""

from __future__ import annotations

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import optim

P = np.array([1.0, 2.0])


def bowl(q):
    return np.sum(q**2)


def second_of_two(p):
    """Laws fire on what lies beneath the inner variable, which stays the same node."""
    return gg.grad(bowl)(p - 0.1 * gg.grad(bowl)(p))


CASES = {
    "grad": second_of_two,
    "idle terms": lambda p: gg.grad(bowl)(p * 1.0 + 0 * p),
    "vjp": lambda p: gg.vjp(bowl, p * 1.0 - 0.1 * gg.grad(bowl)(p))[1](1.0)[0],
    "jvp": lambda p: gg.jvp(np.square, (p * 1.0 - 0.1 * gg.grad(bowl)(p),), (np.ones(2),))[1],
    "jacobian": lambda p: gg.jacobian(np.square)(p * 1.0 - 0.1 * gg.grad(bowl)(p)),
    "hessian": lambda p: gg.hessian(lambda q: np.sum(q**3))(p * 1.0 - 0.1 * gg.grad(bowl)(p)),
}


@pytest.mark.parametrize("name", CASES)
def test_inner_derivatives_at_computed_points(name):
    f = CASES[name]
    now = f(P)
    for engine in ("reference", "native"):
        np.testing.assert_allclose(gg.jit(f, engine=engine)(P), now, rtol=1e-13)
    weights = np.cos(np.arange(now.size)).reshape(now.shape)
    slope = gg.grad(lambda p: np.sum(weights * f(p)))(P)
    for i, e in enumerate(np.eye(2) * 1e-5):
        measured = np.sum(weights * (f(P + e) - f(P - e))) / 2e-5
        assert slope[i] == pytest.approx(measured, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("opt", [optim.SGD, optim.Adam, optim.AdaDelta])
def test_descent_is_differentiated_by_its_learning_rate(opt):
    def end(rate):
        rule = opt(lr=rate)
        p, state = P, rule.init(P)
        for _ in range(4):
            p, state = rule.step(p, gg.grad(bowl)(p), state)
        return bowl(p)

    value, slope = gg.value_and_grad(end)(0.1)
    assert value == pytest.approx(end(0.1), rel=1e-12)
    assert slope == pytest.approx((end(0.1 + 1e-6) - end(0.1 - 1e-6)) / 2e-6, rel=1e-6)
