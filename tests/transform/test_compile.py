"""gg.jit: same results as the plain function, on both engines; new signatures and guards compile
anew.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.graph.errors import CalculusError, NoRuleError, ShapeError

ENGINES = ["reference", "native"]
pytestmark = pytest.mark.parametrize("engine", ENGINES)


class Pair(NamedTuple):
    first: np.ndarray
    second: float


def test_values_and_containers(engine):
    def f(p, x, scale):
        return {
            "y": p.first @ x * scale,
            "pair": Pair(x, p.second + 1),
            "n": [x.sum(), "text", None],
        }

    p, x = Pair(np.arange(6.0).reshape(2, 3), 2.0), np.array([1.0, -1.0, 2.0])
    compiled = gg.jit(f, engine=engine)
    for _ in range(2):
        got, want = compiled(p, x, 0.5), f(p, x, 0.5)
        np.testing.assert_allclose(got["y"], want["y"], rtol=1e-15)
        assert got["pair"].second == 3.0 and isinstance(got["pair"], Pair)
        assert got["n"][1:] == ["text", None] and got["n"][0] == 2.0
    assert f"{engine} engine, 1 programs" in repr(compiled)


def test_python_numbers_are_weak(engine):
    step = gg.jit(lambda x, rate: x - rate * x, engine=engine)
    assert step(np.ones(3, np.float32), 0.1).dtype == np.float32
    assert step(np.ones(3), 0.1).dtype == np.float64
    assert gg.jit(lambda a, b: a * b, engine=engine)(2.0, 3.0) == 6.0


def test_a_new_shape_or_dtype_compiles_anew(engine):
    f = gg.jit(lambda x: np.sum(x * x), engine=engine)
    assert f(np.arange(3.0)) == 5.0
    assert f(np.arange(4.0)) == 14.0
    assert f(np.arange(3, dtype=np.float32)) == np.float32(5)
    assert f(np.arange(3.0)) == 5.0
    assert "3 programs" in repr(f)


def test_guards_choose_the_course(engine):
    traced = []

    def f(x):
        traced.append(1)
        total = x
        for _ in range(int(np.sum(x > 0))):
            total = total * 2
        return total if x[0] > 0 else -total

    compiled = gg.jit(f, engine=engine)
    for x in ([1.0, 2.0], [-1.0, 2.0], [-1.0, -2.0], [3.0, 4.0], [-5.0, 6.0]):
        x = np.array(x)
        want = x * 2.0 ** np.sum(x > 0) * (1 if x[0] > 0 else -1)
        np.testing.assert_array_equal(compiled(x), want)
    assert len(traced) == 3


def test_gradients_compile(engine):
    def loss(w, x, y):
        return np.mean((np.tanh(x @ w) - y) ** 2)

    rng = np.random.default_rng(0)
    w, x, y = rng.normal(size=3), rng.normal(size=(5, 3)), rng.normal(size=5)
    compiled = gg.jit(gg.value_and_grad(loss), engine=engine)
    value, gradient = compiled(w, x, y)
    plain_value, plain_gradient = gg.value_and_grad(loss)(w, x, y)
    np.testing.assert_allclose(value, plain_value, rtol=1e-12)
    np.testing.assert_allclose(gradient, plain_gradient, rtol=1e-12)


def test_compiled_functions_differentiate(engine):
    f = gg.jit(lambda x: np.sum(np.sin(x) ** 2), engine=engine)
    x = np.array([0.3, 1.0])
    np.testing.assert_allclose(gg.grad(f)(x), np.sin(2 * x), rtol=1e-14)


def test_results_belong_to_the_caller(engine):
    constant = np.arange(3.0)
    f = gg.jit(lambda x: (x, constant, x * 2), engine=engine)
    x = np.ones(3)
    first, kept, doubled = f(x)
    first += 1
    kept += 1
    again = f(x)
    np.testing.assert_array_equal(x, np.ones(3))
    np.testing.assert_array_equal(again[1], np.arange(3.0))
    np.testing.assert_array_equal(doubled, 2 * np.ones(3))
    assert again[2] is not doubled


def test_arguments_of_any_layout(engine):
    f = gg.jit(lambda x: x @ x.T + 1, engine=engine)
    base = np.arange(24.0).reshape(4, 6)
    for x in (base[::-1], base[:, ::2], np.asfortranarray(base), base.T[1:3]):
        np.testing.assert_allclose(f(x), x @ x.T + 1, rtol=1e-14)


def test_keyword_arguments_and_decorator(engine):
    @gg.jit(engine=engine)
    def f(x, *, power):
        return np.sum(x**power)

    assert f(np.arange(3.0), power=2.0) == 5.0


def test_the_caller_s_arrays_are_never_changed(engine):
    def f(x):
        x[0] = 5.0
        x *= 2
        return x

    x = np.ones(3)
    np.testing.assert_array_equal(gg.jit(f, engine=engine)(x), [10.0, 2.0, 2.0])
    np.testing.assert_array_equal(x, np.ones(3))


def test_bad_input_is_an_error_on_the_user_s_line(engine):
    with pytest.raises(NoRuleError, match=r"np\.exp.*\n.*test_compile\.py"):
        gg.jit(lambda x: math.exp(x), engine=engine)(1.0)
    with pytest.raises(ShapeError, match=r"matmul: shapes \(2, 3\) and \(2, 3\)"):
        gg.jit(lambda x: x @ x, engine=engine)(np.ones((2, 3)))
    with pytest.raises(CalculusError, match="reference, native"):
        gg.jit(lambda x: x, engine=engine + "s")
    with pytest.raises(IndexError, match="index 9 is out of range"):
        gg.jit(lambda x, i: x[i], engine=engine)(np.ones(3), np.array([0, 9]))


def test_check_finds_what_would_be_frozen(engine):
    rng = np.random.default_rng(0)
    with pytest.raises(CalculusError, match=r"gg\.random with a key"):
        gg.jit(lambda x: x + rng.normal(), engine=engine, check=True)(1.0)
    steady = gg.jit(lambda x, key: x + gg.random.normal(key), engine="reference", check=True)
    assert steady(1.0, gg.random.key(0)) == steady(1.0, gg.random.key(0))


def test_report_says_what_was_compiled(engine):
    f = gg.jit(lambda x: np.sum(np.exp(x)), engine=engine)
    f(np.ones(3))
    assert "exp" in f.report() and engine in f.report()
