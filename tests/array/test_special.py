"""gg.special on plain and traced arrays, in both float dtypes; new functions under vmap."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import special
from glassgrad.graph.serial import dumps, loads

X = np.linspace(-2, 2, 7)
FUNCTIONS = [
    special.erf, special.erfc, special.normal_cdf, special.normal_pdf, special.relu,
    special.sigmoid, special.log_sigmoid, special.softplus, special.silu, special.gelu,
    special.softmax, special.log_softmax, special.logsumexp,
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("f", FUNCTIONS)
def test_dtype_and_derivatives(f, dtype):
    x = X.astype(dtype) + dtype(0.1)
    of_integers = np.int64 if f is special.relu else np.float64
    assert f(x).dtype == dtype and f([1, 2]).dtype == of_integers
    assert gg.grad(lambda x: np.sum(f(x)))(x).dtype == dtype
    np.testing.assert_array_equal(gg.jit(f, engine="reference")(x), f(x))
    np.testing.assert_array_equal(gg.vmap(f)(np.stack([x, x]))[1], f(x))
    if dtype == np.float64:
        gg.check_grads(lambda x: np.sum(np.sin(f(x))), (x,), order=2)


def test_one_hot():
    want = np.eye(4)[[[2, 0], [3, 3]]]
    np.testing.assert_array_equal(special.one_hot([[2, 0], [3, 3]], 4), want)
    assert special.one_hot(np.array([1]), 2, np.float32).dtype == np.float32
    traced = gg.jit(lambda i: special.one_hot(i, 4), engine="reference")
    np.testing.assert_array_equal(traced(np.array([[2, 0], [3, 3]])), want)
    with pytest.raises(ValueError, match="label 4 is not one of 4 classes"):
        special.one_hot([4], 4)
    with pytest.raises(TypeError, match="integer labels, not float64"):
        special.one_hot([1.0], 4)


def test_functions_of_one_example_and_of_many():
    def f(x, i):
        y = x * 1.0
        y[i] = x[:2]
        return [np.cumsum(y), np.argmax(y), np.std(y), np.linalg.norm(y), np.cumprod(y),
                np.pad(y, 1), np.flip(y), np.round(y, 1), y // 0.5]  # fmt: skip

    xs = np.random.default_rng(0).normal(size=(3, 5))
    indices = np.array([[0, 3], [4, 4], [1, -1]])
    for k in range(3):
        for got, want in zip(gg.vmap(f)(xs, indices), f(xs[k], indices[k])):
            np.testing.assert_allclose(got[k], want, rtol=1e-14, atol=1e-14)


def test_graphs_with_partial_sums_and_writes_are_kept_in_files():
    x = gg.variable("x", (4,))
    y = np.cumsum(x)
    y[np.array([0, 2])] = x[1:3]
    (again,) = loads(dumps([y.node]))
    assert [n.name for n in (again, *again.inputs)] == [n.name for n in (y.node, *y.node.inputs)]


def test_bernoulli():
    drawn = gg.random.bernoulli(gg.random.key(0), 0.3, 20000)
    assert drawn.dtype == np.bool_ and abs(drawn.mean() - 0.3) < 0.01
    p = np.array([0.0, 1.0])
    assert gg.random.bernoulli(gg.random.key(1), p).tolist() == [False, True]
    slope = gg.grad(lambda p: np.sum(np.where(gg.random.bernoulli(gg.random.key(2), p), 2 * p, p)))
    assert set(slope(np.full(50, 0.5)).tolist()) == {1.0, 2.0}
