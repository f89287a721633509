"""Functions that a program calls (remat, custom rules) on the native engine."""

import numpy as np

import glassgrad as gg

X = np.linspace(-1, 2, 7)


def agree(f, *args):
    found = gg.jit(f)(*args)
    np.testing.assert_allclose(found, gg.jit(f, engine="reference")(*args), rtol=1e-11)


def test_remat_and_its_gradient():
    def f(x):
        inner = gg.remat(lambda x: np.tanh(np.sin(x) * x))
        return np.sum(inner(inner(x)) ** 2)

    agree(f, X)
    agree(gg.grad(f), X)
    agree(gg.hessian(f), X)


def test_remat_in_a_loop():
    def f(x):
        body = gg.remat(lambda c: np.log(np.sum(np.exp(c))) * np.sin(c))
        return np.sum(gg.scan(lambda c, _: (body(c), None), x, length=3)[0])

    agree(f, X)
    agree(gg.grad(f), X)


def test_a_custom_rule_is_obeyed():
    through = gg.custom_rule(np.floor, vjp=lambda g, y, x: g * 3)

    def f(x):
        return np.sum(through(x * 2) * x)

    agree(f, X)
    agree(gg.grad(f), X)
    assert gg.jit(gg.grad(lambda x: through(x)))(2.5) == 3
