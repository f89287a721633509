"""Activations of the lectures: their numbers, derivatives and tails, through the public API."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import close, ops_of, shown
from mpmath import mp, mpf

import glassgrad as gg
from glassgrad import nn, special

# -- lecture "foundations" ------------------------------------------------------------------------

RELUS = {
    "relu": nn.relu,
    "special": special.relu,
    "maximum": lambda x: np.maximum(x, 0),
    "where": lambda x: np.where(x > 0, x, 0),
    "clip": lambda x: np.clip(x, 0, None),
    "clip to infinity": lambda x: np.clip(x, 0, np.inf),
    "the other way round": lambda x: np.maximum(0, x),
}


@pytest.mark.parametrize("relu", RELUS.values(), ids=RELUS)
@pytest.mark.parametrize("engine", ["reference", "native"])
def test_S1_25_the_derivative_of_relu_is_an_indicator(relu, engine):
    points = np.array([-2.0, -1e-300, 0.0, 1e-300, 3.0])
    slope = gg.jit(gg.grad(lambda x: np.sum(relu(x))), engine=engine)
    assert slope(points).tolist() == [0, 0, 0, 1, 1]
    assert [gg.grad(relu)(float(x)) for x in points] == [0, 0, 0, 1, 1]


# -- lecture "neural networks" --------------------------------------------------------------------


def naive_sigmoid(z):
    return 1 / (1 + np.exp(-z))


LOGISTIC = "0.0474258732 0.2689414214 0.3775406688 0.5 0.6224593312 0.7310585786 0.9525741268"
SIGMOIDS = {"formula": naive_sigmoid, "nn": nn.sigmoid, "special": special.sigmoid}


@pytest.mark.parametrize("sigmoid", SIGMOIDS.values(), ids=SIGMOIDS)
def test_S2_06_sigmoid_tanh_relu(sigmoid):
    z = np.array([-3, -1, -0.5, 0, 0.5, 1, 3])
    shown(sigmoid(z), LOGISTIC)
    shown(np.tanh([1.0, 3.0]), "0.761594156 0.9950547537")
    assert nn.relu(z).tolist() == [0, 0, 0, 0, 0.5, 1, 3]


@pytest.mark.parametrize("sigmoid", SIGMOIDS.values(), ids=SIGMOIDS)
@pytest.mark.parametrize("engine", ["reference", "native"])
def test_S2_09_saturation_is_not_zero(sigmoid, engine):
    slope = gg.jit(gg.grad(lambda z: np.sum(sigmoid(z))), engine=engine)
    z = np.array([0, 2, 5, 10, 20, 40, 37.42994775023705])
    close(
        slope(z),
        [0.25, 0.1049935854035065, 0.006648056670790156, 4.539580773595167e-05,
         2.061153613941849e-09, 4.248354255291589e-18, 5.551115123125776e-17],
    )  # fmt: skip
    tanh_slope = gg.jit(gg.grad(lambda z: np.sum(np.tanh(z))), engine=engine)
    close(tanh_slope(np.array([20.0])), [1.6993417021166355e-17])
    single = tanh_slope(np.array([-9.010913848876953], np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, [5.96046e-08], rtol=1e-6)


LOGITS = np.array([2, -1.99, -0.01])
SOFTMAX = (0.8676877005685895, 0.016051974405802225, 0.11626032502560821)


def naive_softmax(z):
    e = np.exp(z)
    return e / np.sum(e)


SOFTMAXES = {"formula": naive_softmax, "nn": nn.softmax, "special": special.softmax}


@pytest.mark.parametrize("softmax", SOFTMAXES.values(), ids=SOFTMAXES)
def test_S2_17_softmax(softmax):
    value = gg.jit(softmax, engine="reference")
    close(value(LOGITS), SOFTMAX)
    shown(value(LOGITS), "0.868 0.016 0.116")
    assert abs(np.sum(value(LOGITS)) - 1) < 1e-15
    np.testing.assert_allclose(value(LOGITS + 1000), SOFTMAX, rtol=1e-12)
    jacobian = gg.jacobian(softmax)(LOGITS)
    p = np.array(SOFTMAX)
    np.testing.assert_allclose(jacobian, np.diag(p) - np.outer(p, p), rtol=1e-12)
    np.testing.assert_allclose(jacobian.sum(axis=1), 0, atol=1e-15)
    close(jacobian[0, 0], 0.11480575485058331)


@pytest.mark.parametrize("softmax", SOFTMAXES.values(), ids=SOFTMAXES)
def test_S2_18_cross_entropy(softmax):
    def loss(z, c):
        return -np.log(softmax(z)[c])

    values = [gg.value_and_grad(lambda z, c=c: loss(z, c))(LOGITS) for c in range(3)]
    close([v for v, _ in values], [0.14192342103411892, 4.131923421034119, 2.1519234210341187])
    close(values[0][1], (-0.13231229943141054, SOFTMAX[1], SOFTMAX[2]))
    for c, (_, slope) in enumerate(values):
        close(slope, SOFTMAX - np.eye(3)[c], rtol=1e-11)
    close(special.logsumexp(LOGITS), 2.141923421034119)
    close(np.logaddexp.reduce(LOGITS), 2.141923421034119)
    assert gg.value_and_grad(lambda z: loss(z, 1))(np.array([1000.0, 0, 0]))[0] == 1000


def test_S2_26_the_slope_of_sigmoid_cancels():
    def binary_loss(u, a, y):
        c = naive_sigmoid(np.dot(u, a))
        return -(y * np.log(c) + (1 - y) * np.log(1 - c))

    u, a = gg.variables("u a", shape=(2,))
    y = gg.variable("y")
    (slope,) = gg.gradients(binary_loss(u, a, y), [u])
    assert "divide" not in ops_of(slope)
    at, ones = np.array([20.0, 20.0]), np.array([1.0, 1.0])  # v = 40: c rounds to 1
    value, found = gg.value_and_grad(binary_loss)(at, ones, 0.0)
    assert value == 40 and found.tolist() == [1, 1]
    with np.errstate(all="ignore"):
        assert binary_loss(at, ones, 0.0) == np.inf
        c = naive_sigmoid(40.0)
        assert np.isnan(1 / (1 - c) * c * (1 - c))


# -- lecture "network details" --------------------------------------------------------------------


def test_S3_16_tanh_is_a_stretched_logistic():
    def other(z):
        return 2 * nn.sigmoid(2 * z) - 1

    z = np.linspace(-20, 20, 100001)
    assert np.abs(np.tanh(z) - other(z)).max() <= 3.4e-16
    slopes = [gg.grad(f)(0.0) for f in (np.tanh, other, nn.sigmoid)]
    assert slopes == [1, 1, 0.25]  # 4 times as steep; 2 times of 2·logistic(z) - 1
    assert gg.grad(lambda z: 2 * nn.sigmoid(z) - 1)(0.0) == 0.5
    points = np.array([-20.0, -3, -1e-3, 0.5, 20])
    close(
        gg.grad(lambda z: np.sum(other(z)))(points), gg.grad(lambda z: np.sum(np.tanh(z)))(points)
    )


def test_S3_17_leaky_and_parametric_relu():
    assert nn.leaky_relu(-3.0) == -0.03
    slopes = [gg.grad(nn.leaky_relu)(x) for x in (-3.0, 0.0, 2.0)]
    assert slopes == [0.01, 0.01, 1]  # at 0 the slope of the left side
    prelu = nn.leaky_relu  # with a slope that is learned
    by_slope = [gg.grad(prelu, argnums=1)(z, 0.25) for z in (-3.0, 0.0, 2.0)]
    assert by_slope == [-3, 0, 0]  # min(z, 0)
    assert gg.grad(nn.relu)(-3.0) == 0  # the dead zone


GELUS = [nn.gelu, special.gelu]


@pytest.mark.parametrize("gelu", GELUS)
def test_S3_18_gelu(gelu):
    x = np.array([1, -1, 0.5, 3])
    shown(gelu(x), "0.8413447461 -0.1586552539 0.3457312306 2.9959503059")
    slope = gg.grad(lambda x: np.sum(gelu(x)))
    shown(slope(np.array([1.0, 0, -1])), "1.0833154706 0.5 -0.0833154706")
    shown(nn.gelu_sigmoid(np.array([1.0])), "0.8457957659")
    close(nn.gelu_tanh(1.0), 0.8411919906082768)
    grid = np.linspace(-8, 8, 160001)
    gap = np.abs(gelu(grid) - nn.gelu_sigmoid(grid))
    assert abs(gap.max() - 0.02033487220914) < 1e-9
    assert abs(abs(grid[gap.argmax()]) - 2.2704) < 1e-3
    least = gg.minimize(gelu, -1.0, method="newton").x
    shown([least, gelu(least)], "-0.75179 -0.16997120748")


def test_S3_19_silu_and_swish():
    shown([nn.silu(1.0), gg.grad(nn.silu)(1.0)], "0.7310585786 0.9276705119")
    shown([nn.silu(-1.0), gg.grad(nn.silu)(-1.0)], "-0.2689414214 0.0723294881")
    least = gg.minimize(nn.silu, -1.0, method="newton", tol=1e-12).x
    shown([least, nn.silu(least)], "-1.27846454 -0.27846454276107")
    shown([nn.swish(0.5, 2.0), gg.grad(nn.swish)(0.5, 2.0)], "0.3655292893 0.9276705119")
    shown([gg.grad(nn.swish, argnums=1)(1.0, 1.0)], "0.1966119332")
    x = np.linspace(-4, 4, 81)
    assert np.array_equal(nn.swish(x, 0.0), x / 2)
    np.testing.assert_allclose(nn.swish(x, 1e9), np.maximum(x, 0), atol=1e-9)
    close(gg.grad(nn.swish)(1.0, 1.0), gg.grad(nn.silu)(1.0))


@pytest.mark.parametrize("sigmoid", SIGMOIDS.values(), ids=SIGMOIDS)
def test_S3_20_table_of_logistic_and_tanh(sigmoid):
    z = np.array([-3, -1, -0.5, 0, 0.5, 1, 3])
    shown(sigmoid(z), LOGISTIC)
    slopes = gg.grad(lambda z: np.sum(sigmoid(z)))(z)
    shown(slopes[:4], "0.0451766597 0.1966119332 0.2350037122 0.25")
    close(slopes, slopes[::-1])
    shown([np.tanh(1.0), gg.grad(np.tanh)(1.0)], "0.761594156 0.4199743416")
    shown([np.tanh(3.0), gg.grad(np.tanh)(3.0)], "0.9950547537 0.0098660372")


X = np.array([1.0, -2.0])
V, W = (
    np.array([[0.5, -0.3, 0.2], [0.1, 0.4, -0.6]]),
    np.array([[0.3, 0.2, -0.5], [-0.4, 0.1, 0.6]]),
)
B = np.array([0, 0.2, 0.1])


def test_S3_21_glu():
    v = np.array([0.1, 0, -0.1])

    def glu(x):
        return (x @ V + v) * nn.sigmoid(x @ W + B)

    close(glu(X), (0.3001040422380471, -0.6048173970437258, 0.2183760993258982))
    close(gg.grad(lambda x: np.sum(glu(x)))(X), (0.12096045136963418, 0.2459803945467373))
    joined = nn.glu(X @ np.concatenate([V, W], axis=1) + np.concatenate([v, B]))
    close(joined, glu(X))


def test_S3_22_swiglu():
    c = np.array([0.05, -0.05, 0])

    def swiglu(x, beta):
        return (x @ V + c) * nn.swish(x @ W + B, beta)

    close(swiglu(X, 1.0), (0.2888501406541203, -0.12646181938186996, -0.37627881730000917))
    slope = gg.grad(lambda x: np.sum(swiglu(x, 1.0)))(X)
    close(slope, (0.32741816848880784, 0.038224534704420804))
    close(swiglu(X, 2.0), (0.3465960616889212, -0.13769816182586397, -0.08773121906475218))
    joined = X @ np.concatenate([V, W], axis=1) + np.concatenate([c, B])
    for beta in (1.0, 2.0):
        close(nn.swiglu(joined, beta), swiglu(X, beta))
        layer = nn.Gated(nn.Linear(V.T, c), nn.Linear(W.T, B), nn.Swish(np.array(beta)))
        close(layer(X), swiglu(X, beta))
        close(
            gg.grad(lambda x, f=layer: np.sum(f(x)))(X),
            gg.grad(lambda x, b=beta: np.sum(swiglu(x, b)))(X),
        )


# -- tails, for the forms that are no ops of their own --------------------------------------------


def _quick(x):
    return x / (1 + mp.exp(-mpf(1.702) * x))


def _tanh_form(x):
    u = mp.sqrt(2 / mp.pi) * (x + mpf(0.044715) * x**3)
    return x * (1 + mp.tanh(u)) / 2


@pytest.mark.parametrize(("f", "true"), [(nn.gelu_sigmoid, _quick), (nn.gelu_tanh, _tanh_form)])
@pytest.mark.parametrize("x", [-6.5, -3.0, -1e-5, 0.0, 0.7, 6.5])
def test_other_forms_of_gelu_in_the_tails(f, true, x):
    with mp.workdps(80):
        wants = [float(mp.diff(true, mpf(x), n)) for n in range(3)]
    got = [f(np.float64(x)), gg.grad(f)(x), gg.grad(gg.grad(f))(x)]
    np.testing.assert_allclose(got, wants, rtol=1e-10)
