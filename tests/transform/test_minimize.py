"""gg.minimize: every method, every stopping rule, containers, both engines."""

import numpy as np
import pytest
from scipy.optimize import rosen

import glassgrad as gg
from glassgrad.graph.errors import CalculusError

START = np.array([-1.8, 1.5])


def valley(v):
    return (1 - v[0]) ** 2 + 100 * (v[1] - v[0] ** 2) ** 2


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_second_order_methods(method, engine):
    found = gg.minimize(rosen, np.zeros(8), method, tol=1e-8, engine=engine)
    assert found.converged and found.engine == engine
    np.testing.assert_allclose(found.x, np.ones(8), rtol=1e-8)
    assert found.steps < 200
    assert len(found.values) == len(found.norms) == found.steps + 1
    assert found.norms[-1] == found.gradient_norm < 1e-8
    assert found.value == found.values[-1]


def test_descent_is_descent():
    """The same points as the formula x ← x − ηg, and u ← βu + g, x ← x − ηu."""
    slope = gg.grad(valley)
    for method, beta in (("gd", 0.0), ("momentum", 0.9)):
        found = gg.minimize(valley, START, method, learning_rate=1e-4, max_steps=20)
        x, u, values = START, np.zeros(2), []
        for _ in range(21):
            values.append(valley(x))
            u = beta * u + slope(x)
            x = x - 1e-4 * u
        np.testing.assert_allclose(found.values, values, rtol=1e-12)
        assert found.stopped == "max steps" and found.steps == 20
        assert "max_steps is reached" in found.message


def test_containers_keep_their_structure_and_dtype():
    target = {"a": np.arange(6.0, dtype=np.float32).reshape(2, 3), "b": np.float32(2.0)}

    def loss(p):
        return np.sum((p["a"] - target["a"]) ** 2) + (p["b"] - 2) ** 2

    start = {"a": np.zeros((2, 3), np.float32), "b": np.float32(0)}
    for method in ("gd", "momentum", "newton", "lbfgs"):
        found = gg.minimize(loss, start, method, learning_rate=0.05 if method[0] in "gm" else None)
        assert found.x["a"].dtype == np.float32 and np.ndim(found.x["b"]) == 0
        np.testing.assert_allclose(found.x["a"], target["a"], atol=1e-4)
    assert gg.minimize(lambda x: (x - 1) ** 2, 4.0, "newton").x == 1.0


def test_no_improvement():
    found = gg.minimize(lambda x: np.abs(x), 0.25, learning_rate=0.2, patience=10)
    assert found.stopped == "no improvement" and found.steps < 20
    assert found.value == min(found.values)
    flat = gg.minimize(lambda x: np.sum(np.abs(x - 1.0)), np.zeros(3), "lbfgs")
    assert flat.stopped in ("no improvement", "gradient norm")
    np.testing.assert_allclose(flat.x, 1, atol=1e-6)


def test_divergence_returns_the_best_point_and_names_the_rate():
    found = gg.minimize(lambda x: 5 * x**2, 1.0, learning_rate=0.3)
    assert found.stopped == "diverged" and found.x == 1.0 and found.value == 5.0
    assert "must be below 2/λ = 0.2, where λ = 10 " in found.message
    heavy = gg.minimize(lambda x: 5 * x**2, 1.0, "momentum", learning_rate=0.5, momentum=0.5)
    assert "2(1 + momentum)/λ = 0.3," in heavy.message
    assert gg.minimize(lambda x: np.exp(x**2), 40.0).stopped == "diverged"
    for method in ("newton", "lbfgs", "gd"):  # no minimum
        endless = gg.minimize(lambda x: -(x**2), 1.0, method, learning_rate=0.5)
        assert endless.stopped == "diverged"
    assert gg.minimize(lambda x: np.log(x) * x, 0.0 * np.nan).stopped == "diverged"


def test_engines_are_said():
    def looped(x):
        return gg.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * 0.5), (0, x))[1] ** 2

    def bounded(x):
        return gg.cond(x > 0, lambda x: (x - 1) ** 2, lambda x: (x - 1) ** 4, x)

    assert gg.minimize(valley, START, "newton").engine == "native"
    found = gg.minimize(bounded, 3.0, "lbfgs")
    assert found.converged and found.engine == "native"
    with pytest.raises(CalculusError, match="while_loop has no reverse mode"):
        gg.minimize(looped, 1.0, engine="reference")


@pytest.mark.parametrize(
    ("call", "words"),
    [(lambda: gg.minimize(valley, START, "adam"), "method is one of gd, momentum"),
     (lambda: gg.minimize(valley, START, engine="fast"), "engine one of"),
     (lambda: gg.minimize(valley, {}), "no real numbers"),
     (lambda: gg.minimize(lambda x: x, START), "one number")],
)  # fmt: skip
def test_bad_calls(call, words):
    with pytest.raises(CalculusError, match=words):
        call()
