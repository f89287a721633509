"""Jacobians: all rows at once have the numbers of one by one; printed forms; modes and layouts."""

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess

import glassgrad as gg
from glassgrad.transform import jacobian as module

R = np.random.default_rng(0)


def curved(x):
    """Views, reductions, contractions, a loop and a choice."""
    y = np.tanh(W @ x)[::-1] * np.max(x)
    last, kept = gg.scan(lambda c, v: (np.sin(c * v), c + v), y[0], x)
    ends = np.array([last, np.sum(np.sort(x)[:2] ** 3)])
    return np.concatenate([np.where(y > 0, y**2, -y), kept, ends])


W = R.normal(size=(4, 3))
X = R.normal(size=3)


@pytest.mark.parametrize("mode", ["forward", "reverse", "auto"])
@pytest.mark.parametrize("layout", ["numerator", "denominator"])
def test_all_rows_at_once_equal_one_by_one(monkeypatch, mode, layout):
    at_once = gg.jacobian(curved, layout=layout, mode=mode)(X)
    hessians = gg.jacobian(gg.jacobian(curved, mode=mode), mode=mode)(X)
    monkeypatch.setattr(module, "MOST_AT_ONCE", 0)
    one_by_one = gg.jacobian(curved, layout=layout, mode=mode)(X)
    np.testing.assert_allclose(at_once, one_by_one, rtol=1e-13, atol=1e-15)
    again = gg.jacobian(gg.jacobian(curved, mode=mode), mode=mode)(X)
    np.testing.assert_allclose(hessians, again, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_hessian_compiled(engine):
    x = R.normal(size=12)
    np.testing.assert_allclose(gg.jit(gg.grad(rosen), engine=engine)(x), rosen_der(x), rtol=1e-12)
    np.testing.assert_allclose(
        gg.jit(gg.hessian(rosen), engine=engine)(x), rosen_hess(x), rtol=1e-12, atol=1e-12
    )


def test_no_loop_is_left():
    x = gg.variable("x", (4,))
    for e in (gg.hessian(rosen)(x), gg.jacobian(lambda x: np.exp(x) * x)(x)):
        assert "scan" not in {n.name for n in gg.ComputationalGraph(e).nodes}


def test_it_prints_readably():
    x = gg.variable("x", (3,))
    assert str(gg.jacobian(lambda x: np.sin(x) * x)(x)) == "eye(3)*x*cos(x) + eye(3)*sin(x)"
    A = gg.variable("A", (2, 3))
    assert str(gg.jacobian(lambda x: A @ x)(x)) == "A"


def test_of_a_batch_and_in_a_batch():
    xs = R.normal(size=(5, 3))
    each = gg.vmap(gg.jacobian(curved))(xs)
    np.testing.assert_allclose(each, [gg.jacobian(curved)(x) for x in xs], rtol=1e-12, atol=1e-14)
    whole = gg.jacobian(gg.vmap(lambda x: np.sum(x) * x))(xs)
    for i in range(5):
        for j in range(5):
            want = gg.jacobian(lambda x: np.sum(x) * x)(xs[i]) if i == j else 0
            np.testing.assert_allclose(whole[i, :, j], np.broadcast_to(want, (3, 3)), rtol=1e-13)
