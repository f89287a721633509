"""What a traced program sees: creation, guards, other threads, containers, other people's code."""

from __future__ import annotations

import threading
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import optimize

import glassgrad as gg
from glassgrad.transform.trace import trace_call

X = np.array([1.0, 2.0, 3.0])


def test_arrays_made_inside_take_part():
    def f(x):
        a = np.zeros(3)
        a[0] = x[0] * x[1]
        b = np.ones((2, 3))
        b[1] = a + x
        c = np.array([[x[2], 1.0], [0.5, x[0]]])
        d = np.full(3, x[1])
        e = np.empty(2)
        e[:] = x[:2]
        return a.sum() + (b**2).sum() + np.sum(c @ c) + d @ x + e @ np.asarray([x[0], 2.0])

    g = gg.grad(f)(X)
    step = 1e-6
    for i, unit in enumerate(np.eye(3)):
        near = (f(X + step * unit) - f(X - step * unit)) / (2 * step)
        assert abs(g[i] - near) < 1e-7


@pytest.mark.parametrize("create", [np.zeros, np.ones, np.empty, lambda s: np.full(s, 2.0)])
@pytest.mark.parametrize("shape", [3, (3,), (2, 3), (), 0])
def test_creation_functions_give_arrays_of_numpys_shape_and_dtype(create, shape):
    seen = []
    gg.grad(lambda x: seen.append(create(shape)) or x)(1.0)
    assert (seen[0].shape, seen[0].dtype) == (create(shape).shape, np.float64)


def test_creation_outside_a_trace_is_numpys_own():
    before = np.zeros
    gg.grad(lambda x: np.sum(np.zeros(3) + x))(1.0)
    assert np.zeros is before and type(np.zeros(2)) is np.ndarray


def test_another_thread_sees_numpy_untouched():
    inside, done, seen = threading.Event(), threading.Event(), []

    def other():
        inside.wait(10)
        a = np.zeros(3)
        a[0] = 1.0
        seen.extend([type(a), type(np.array([1.0])), type(np.asarray([2.0])), a[0]])
        done.set()

    thread = threading.Thread(target=other)
    thread.start()

    def f(x):
        inside.set()
        assert done.wait(10)
        return np.sum(np.zeros(3) + x)

    assert gg.grad(f)(1.0) == 3.0
    thread.join()
    assert seen == [np.ndarray, np.ndarray, np.ndarray, 1.0]


def test_two_threads_differentiate_at_once():
    results = {}

    def work(k):
        def f(x):
            a = np.zeros(20)
            for i in range(20):
                a[i] = x[i % 3] * k
            return np.sum(a**2)

        results[k] = [gg.grad(f)(X) for _ in range(10)]

    threads = [threading.Thread(target=work, args=(k,)) for k in (1.0, 2.0, 3.0)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k, found in results.items():
        want = 2 * k * k * X * np.array([7, 7, 6])
        assert all(np.allclose(g, want, rtol=1e-14) for g in found)
    assert np.zeros.__module__ == "numpy"


# -- guards -----------------------------------------------------------------------------------


def branching(x):
    if x[0] > x[1]:
        return x[0] * x[2]
    return x[1] ** 2


@pytest.mark.parametrize(
    ("x", "want"), [([3.0, 1.0, 2.0], [2.0, 0, 3.0]), ([1.0, 3.0, 2.0], [0, 6.0, 0])]
)
def test_branches_follow_the_values(x, want):
    assert np.array_equal(gg.grad(branching)(np.array(x)), want)


def guards_of(f, x):
    return [
        (g.node.name, np.asarray(g.value).tolist())
        for g in trace_call(f, (x,), {}, (0,)).trace.guards
    ]


def test_what_was_looked_at_is_remembered_once():
    assert guards_of(branching, X) == [("less", False)]
    assert guards_of(lambda x: x.sum(), X) == []
    assert (
        guards_of(lambda x: x[int(np.argsort(x)[0])], X) == [("slice", [0])]
        or len(guards_of(lambda x: x[int(np.argsort(x)[0])], X)) == 1
    )


def test_an_integer_result_can_be_an_index_and_a_loop_can_depend_on_values():
    def f(x):
        best = np.argsort(x)[-1]
        total, n = x[best] ** 2, 0
        while total < 100:
            total, n = total * 2, n + 1
        return total

    assert np.array_equal(gg.grad(f)(X), [0.0, 0.0, 2 * 3.0 * 16])


def test_masks_of_booleans_choose_by_the_values():
    f = lambda x: np.sum(x[x > 1.5] ** 2)  # noqa: E731
    assert np.array_equal(gg.grad(f)(X), [0.0, 4.0, 6.0])


def test_float_of_what_carries_no_derivative_is_allowed():
    def f(x):
        n = float(np.sum(x > 1.5))
        return np.sum(x) * n * float(gg.stop_gradient(x)[0])

    assert np.array_equal(gg.grad(f)(X), [2.0, 2.0, 2.0])


# -- containers ---------------------------------------------------------------------------------

Pair = namedtuple("Pair", "left right")


@dataclass(frozen=True)
class Layer:
    weight: Any
    bias: Any
    name: str = "dense"


def test_nested_containers_come_back_in_their_structure():
    params = {
        "layers": [
            Layer(np.ones((2, 3)), np.zeros(2)),
            Layer(np.ones((1, 2)), np.zeros(1), "last"),
        ],
        "pair": Pair(2.0, (np.float32(1.5), None)),
        "empty": [],
    }

    def f(p):
        h = X
        for layer in p["layers"]:
            h = np.tanh(layer.weight @ h + layer.bias)
        return np.sum(h) * p["pair"].left * p["pair"].right[0]

    g = gg.grad(f)(params)
    assert list(g) == ["layers", "pair", "empty"] and g["empty"] == []
    assert isinstance(g["layers"][1], Layer) and g["layers"][1].name == "last"
    assert g["layers"][0].weight.shape == (2, 3) and g["layers"][1].bias.shape == (1,)
    assert isinstance(g["pair"], Pair) and g["pair"].right[1] is None
    assert g["pair"].right[0].dtype == np.float32
    value = f(params)
    np.testing.assert_allclose(g["pair"].left, value / 2, rtol=1e-6)


def test_aux_and_several_arguments():
    f = lambda a, b, c: (np.sum(a * b) + c, {"sum": a + b, "n": 3})  # noqa: E731
    (value, aux), (ga, gc) = gg.value_and_grad(f, argnums=(0, 2), has_aux=True)(X, X + 1, 2.0)
    assert value == np.sum(X * (X + 1)) + 2 and aux["n"] == 3
    assert np.array_equal(aux["sum"], 2 * X + 1) and np.array_equal(ga, X + 1) and gc == 1.0


def test_results_share_no_memory_with_arguments():
    g = gg.grad(lambda x, y: np.sum(x * y))(X, Y := X + 1)
    g[0] = 99
    assert Y[0] == 2.0
    value, _ = gg.vjp(lambda x: x, X)
    value[0] = 99
    assert X[0] == 1.0


# -- other people's code --------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 7])
def test_scipys_rosenbrock_unmodified(n):
    x = np.random.default_rng(n).normal(size=n)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-11)  # noqa: E731
    close(gg.grad(optimize.rosen)(x), optimize.rosen_der(x))
    close(gg.hessian(optimize.rosen)(x), optimize.rosen_hess(x))
    close(gg.jacobian(optimize.rosen_der)(x), optimize.rosen_hess(x))
    v = np.arange(1.0, n + 1)
    close(gg.hvp(optimize.rosen)(x, v), optimize.rosen_hess_prod(x, v))
    found = optimize.minimize(optimize.rosen, x, jac=gg.grad(optimize.rosen), method="BFGS")
    np.testing.assert_allclose(found.x, np.ones(n), atol=1e-4)
