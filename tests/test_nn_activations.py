"""Activations by their formulas, their slopes by those of SciPy and mpmath, on both engines."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn
from glassgrad.nn.activation import activation

X = np.array([-30.0, -5.0, -1.0, -0.25, 0.5, 1.0, 5.0, 30.0])
FORMULAS = {
    "identity": lambda x: x,
    "relu": lambda x: max(x, 0),
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "log_sigmoid": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "leaky_relu": lambda x: x if x > 0 else x / 100,
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * mpmath.ncdf(x),
    "gelu_tanh": lambda x: (
        x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)))
    ),
    "gelu_sigmoid": lambda x: x / (1 + mpmath.exp(-mpmath.mpf("1.702") * x)),
}


def test_every_activation_has_a_formula():
    assert set(FORMULAS) == set(nn.ACTIVATIONS)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("engine", [None, "reference", "native"])
def test_values_and_slopes(name, engine):
    f = activation(name)
    slope = gg.grad(lambda x: np.sum(f(x)))
    if engine:
        f, slope = gg.jit(f, engine=engine), gg.jit(slope, engine=engine)
    with mpmath.workdps(40):
        exact = [FORMULAS[name](mpmath.mpf(x)) for x in X]
        slopes = [mpmath.diff(FORMULAS[name], mpmath.mpf(x)) for x in X]
    np.testing.assert_allclose(f(X), np.array(exact, float), rtol=1e-12, atol=1e-290)
    np.testing.assert_allclose(slope(X), np.array(slopes, float), rtol=1e-11, atol=1e-22)


@pytest.mark.parametrize("name", [*nn.ACTIVATIONS, "glu", "swiglu"])
def test_single_precision_stays(name):
    x = X.astype(np.float32)
    assert activation(name)(x).dtype == np.float32
    assert gg.jit(activation(name), engine="reference")(x).dtype == np.float32


def test_gates_halve_the_last_axis():
    x = np.arange(8.0).reshape(2, 4) - 3
    a, b = x[:, :2], x[:, 2:]
    np.testing.assert_allclose(nn.glu(x), a / (1 + np.exp(-b)), rtol=1e-14)
    np.testing.assert_allclose(nn.swiglu(x), a * b / (1 + np.exp(-b)), rtol=1e-14)
    np.testing.assert_allclose(nn.swiglu(x, 3.0), a * b / (1 + np.exp(-3 * b)), rtol=1e-14)
    np.testing.assert_allclose(gg.jit(nn.glu)(x), nn.glu(x), rtol=1e-14)
    with pytest.raises(ValueError, match="glu halves the last axis, which has 3 entries"):
        nn.glu(np.ones((2, 3)))


def test_a_gated_layer_is_its_formula_and_learns_beta():
    x = np.random.default_rng(0).standard_normal((4, 3))
    layer = nn.Gated.init(3, 2, nn.Swish.init(2.0, np.float64), key=gg.random.key(0), dtype=float)
    a, b = (x @ m.weight.T + m.bias for m in (layer.value, layer.gate))
    np.testing.assert_allclose(layer(x), a * b / (1 + np.exp(-2.0 * b)), rtol=1e-13)
    joined = np.concatenate([a, b], axis=1)
    np.testing.assert_allclose(nn.swiglu(joined, 2.0), layer(x), rtol=1e-13)
    slope = gg.jit(gg.grad(lambda layer: np.sum(layer(x))))(layer).act.beta
    s = 1 / (1 + np.exp(-2.0 * b))
    assert float(slope) == pytest.approx(np.sum(a * b * b * s * (1 - s)), rel=1e-12)
    with pytest.raises(ValueError, match="need one shape"):
        nn.Gated(layer.value, nn.Linear.init(3, 1, key=gg.random.key(0)), layer.act).validate()


def test_swish_learns_beta():
    layer = nn.Swish.init(1.5, np.float64)
    np.testing.assert_allclose(layer(X), X / (1 + np.exp(-1.5 * X)), rtol=1e-13)
    found = gg.grad(lambda layer: np.sum(layer(X)))(layer).beta
    s = 1 / (1 + np.exp(-1.5 * X))
    assert float(found) == pytest.approx(np.sum(X * X * s * (1 - s)), rel=1e-12)
    assert nn.count_parameters(layer) == 1


def test_slopes_at_the_kinks():
    slope = {n: float(gg.grad(activation(n))(0.0)) for n in ("relu", "leaky_relu", "elu")}
    assert slope == {"relu": 0.0, "leaky_relu": 0.01, "elu": 1.0}
