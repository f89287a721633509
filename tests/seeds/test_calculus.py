"""Numbers of the lectures for the whole calculus: lines, descent, checks, layouts, tensors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from agreement import close, nodes_of, shown

import glassgrad as gg
from glassgrad.transform.check import DerivativeError


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_S0_08_a_line_at_a_point():
    value, slope = gg.linearize(lambda x: x**3, 1.0)
    for x in (1.1, 0.7, 3.0):
        close(value + slope(x - 1), 1 + 3 * (x - 1))
    assert value + slope(0.1) == 1.3
    close(1.1**3, 1.331)
    close(1.1**3 - (value + slope(0.1)), 3 * 0.1**2 + 0.1**3)


def test_S0_20_descent_says_what_stopped_it():
    def rosenbrock(p):
        return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2

    start = np.array([-1.8, 1.5])

    def descend(rate, **options):
        return gg.minimize(rosenbrock, start, "gd", learning_rate=rate, **options)

    found = descend(1e-3)
    assert (found.stopped, found.steps) == ("gradient norm", 32271) and found.gradient_norm < 1e-6
    assert np.linalg.norm(gg.grad(rosenbrock)(found.x)) < 1e-6
    close(found.values[1:4], [rosenbrock(p) for p in path(rosenbrock, start, 1e-3, 3)])
    shown(found.values[1:4], "244.076… 62.942… 5.2246…")
    slower = descend(5e-4)
    assert (slower.stopped, slower.steps) == ("gradient norm", 64878)
    for rate in (0.005, 0.01):
        diverged = descend(rate)
        assert diverged.stopped == "diverged" and diverged.steps == 3
        assert "below 2/λ = 0.0019968" in diverged.message and "1001.6006" in diverged.message
    never = descend(0.002)
    assert not never.converged and "below 2/λ = 0.0019968" in never.message
    limited = descend(1e-3, max_steps=1000)
    assert (limited.stopped, limited.steps) == ("max steps", 1000)
    stuck = gg.minimize(lambda p: np.sum(np.abs(p)), start, learning_rate=0.3, patience=5)
    assert stuck.stopped == "no improvement"
    for result in (found, never, limited, stuck):
        assert f"stopped after {result.steps} steps" in repr(result)


def path(f, x, rate, steps):
    """The points of gradient descent."""
    for _ in range(steps):
        x = x - rate * gg.grad(f)(x)
        yield x


def test_S0_21_a_nested_expression():
    X = np.array([[0.5, -1.0], [1.5, 2.0], [-0.3, 0.8]])
    y, w = np.array([1.0, 0.0, 1.0]), np.array([0.1, -0.2, 0.3])

    def error(w):
        total = 0.0
        for row, label in zip(X, y):
            total = total + label * np.log(1 / (1 + np.exp(w[0] + w[1] * row[0] + w[2] * row[1])))
        return -total / len(y)

    value, gradient = gg.value_and_grad(error)(w)
    close(value, 0.48912349895615986)
    shown(gradient, "0.341415047767 0.011057481187 0.017797548301")
    ones = np.column_stack([np.ones(3), X])
    close(gradient, np.mean(y[:, None] * sigmoid(ones @ w)[:, None] * ones, axis=0))
    gg.check_grads(error, (w,))


LINE_X, LINE_Y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])


def line_loss(phi, x, y):
    """The squared error of a line, for one example or the sum over many."""
    return np.sum((phi[0] + phi[1] * x - y) ** 2)


def mlp(layers, x):
    """The network 2-3-2-2-1 with ReLU."""
    h = x
    for weights, bias in layers[:-1]:
        h = np.maximum(bias + weights @ h, 0)
    weights, bias = layers[-1]
    return (bias + weights @ h)[0]


def work(*expressions):
    """Multiplications and additions of a graph: of a contraction the product of all its extents."""
    total = 0
    for node in nodes_of(*expressions):
        if node.name == "contract":
            x, y = node.inputs
            sizes = dict(zip((*node.op.lhs, *node.op.rhs), (*x.shape, *y.shape)))
            total += int(np.prod(list(sizes.values())))
        elif node.inputs and node.name not in ("reshape", "transpose", "broadcast", "item"):
            total += max(node.size, *(x.size for x in node.inputs))
    return total


def test_S1_06_a_gradient_for_each_example():
    phi = np.array([0.0, 1.0])
    each = gg.per_example_grad(line_loss)(phi, LINE_X, LINE_Y)
    close(each, [(-2, 0), (-4, -4), (0, 0)])
    close(each.sum(0), gg.grad(line_loss)(phi, LINE_X, LINE_Y))

    rng = np.random.default_rng(0)
    sizes, n = [2, 3, 2, 2, 1], 64
    layers = [(rng.normal(size=(b, a)), rng.normal(size=b)) for a, b in pairwise(sizes)]
    X, Y = rng.normal(size=(n, 2)), rng.normal(size=n)

    def loss(layers, x, y):
        return (mlp(layers, x) - y) ** 2

    def whole(layers, X, Y):
        return np.sum(gg.vmap(loss, in_axes=(None, 0, 0))(layers, X, Y))

    found = gg.per_example_grad(loss)(layers, X, Y)
    for (dW, db), (W, b), (total_W, total_b) in zip(found, layers, gg.grad(whole)(layers, X, Y)):
        assert dW.shape == (n, *W.shape) and db.shape == (n, *b.shape)
        close(dW.sum(0), total_W, rtol=1e-11)
        close(db.sum(0), total_b, rtol=1e-11)

    V = [(gg.variable("W", W.shape), gg.variable("b", b.shape)) for W, b in layers]
    A, B = gg.variable("X", X.shape), gg.variable("Y", Y.shape)

    def flat(tree):
        return [part for pair in tree for part in pair]

    together = work(*flat(gg.grad(whole)(V, A, B)))
    apart = work(*flat(gg.per_example_grad(loss)(V, A, B)))
    assert apart <= 3 * together


def test_S2_10_products_of_slopes():
    """A sigmoid that sits at 0 at every depth: the largest slope that a chain of them can have."""
    bounds = {5: 9.765625e-4, 10: 9.5367431640625e-07, 20: 9.094947017729282e-13}
    for depth, bound in bounds.items():

        def chain(x, depth=depth):
            for _ in range(depth):
                x = sigmoid(x) - 0.5
            return x

        assert gg.grad(chain)(0.0) == bound == 0.25**depth
        slopes = gg.vmap(gg.grad(chain))(np.linspace(-6, 6, 101))
        assert np.all(slopes <= bound) and np.all(slopes > 0)


def test_S2_21_chain_rule_in_denominator_layout():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(4, 5)), rng.normal(size=(3, 4))
    x = rng.normal(size=5)

    def a(x):
        return np.tanh(A @ x)

    def b(a):
        return np.sin(B @ a)

    by_x = gg.jacobian(a, layout="denominator")(x)
    by_a = gg.jacobian(b, layout="denominator")(a(x))
    whole = gg.jacobian(lambda x: b(a(x)), layout="denominator")(x)
    assert (by_x.shape, by_a.shape, whole.shape) == ((5, 4), (4, 3), (5, 3))
    close(whole, by_x @ by_a)
    np.testing.assert_array_equal(whole, gg.jacobian(lambda x: b(a(x)))(x).T)


def test_S3_36_a_weight_moves_one_unit():
    W, x = np.arange(6.0).reshape(2, 3), np.array([0.5, -1.0, 2.0])
    found = gg.jacobian(lambda W: W @ x)(W)
    assert found.shape == (2, 2, 3)
    for i in range(2):
        np.testing.assert_array_equal(found[i, i], x)
        np.testing.assert_array_equal(found[i, 1 - i], 0)
    assert np.flatnonzero(found[:, 1, 2]).tolist() == [1]  # W_23 moves z_2 alone


def test_S3_37_jacobian_form_and_shape_convention():
    rng = np.random.default_rng(0)
    W, b, u, x = rng.normal(size=(2, 4)), rng.normal(size=2), rng.normal(size=2), rng.normal(size=4)

    def score(W, b):
        return u @ np.tanh(W @ x + b)

    h = np.tanh(W @ x + b)
    delta = u * (1 - h**2)
    row = gg.jacobian(lambda z: u @ np.tanh(z))(W @ x + b)
    close(row, delta)  # the error signal has the shape of its layer
    jacobian_form = row @ gg.jacobian(lambda W: W @ x + b)(W).reshape(2, 8)
    shape_convention = gg.grad(score)(W, b)
    assert jacobian_form.shape == (8,) and shape_convention.shape == W.shape
    close(jacobian_form.reshape(W.shape), shape_convention)
    close(shape_convention, np.outer(delta, x))
    for layout, shape in (("numerator", (2, 2, 4)), ("denominator", (2, 4, 2))):
        assert gg.jacobian(lambda W: W @ x + b, layout=layout)(W).shape == shape

    V, c = gg.variable("W", W.shape), gg.variable("b", b.shape)
    g = gg.ComputationalGraph(score(V, c))
    for node in g.nodes:
        adjoint = g.ledger.cotangent(node)
        assert adjoint is None or (adjoint.shape, adjoint.dtype) == (node.shape, node.dtype)


def test_S3_46_numerical_gradient_check():
    def f(x):
        return np.exp(np.sin(x**2))

    def error(h, dtype):
        x, h, true = dtype(1), dtype(h), 2 * np.cos(1.0) * np.exp(np.sin(1.0))
        return abs(float((f(x + h) - f(x - h)) / (2 * h)) - true)

    wide = [error(h, np.float64) for h in (1e-1, 1e-2, 1e-3, 1e-4, 1e-6)]
    close(wide, [7.9e-2, 8.0e-4, 8.0e-6, 7.95e-8, 2.8e-11], rtol=0.05)
    assert abs(error(1e-10, np.float64) - 7e-8) <= np.spacing(2.3) / 2e-10
    known = {1e-2: 7.9e-4, 5e-3: 2.2e-4, 1e-3: 2.9e-5, 1e-4: 9.8e-4, 1e-5: 8.6e-3}
    narrow = {h: error(h, np.float32) for h in known}
    for h, want in known.items():  # up to the last place of one float32 value, over 2h
        assert abs(narrow[h] - want) <= 0.05 * want + np.spacing(np.float32(2.3)) / (2 * h)
    assert narrow[1e-4] > 5 * narrow[1e-3] and narrow[1e-5] > narrow[1e-4] > 2e-4

    calls = 0

    def counted(p):
        nonlocal calls
        calls += 1
        return np.sum(f(p))

    p, h = np.linspace(0.5, 1.5, 7), 1e-6
    steps = h * np.eye(7)
    central = [(counted(p + d) - counted(p - d)) / (2 * h) for d in steps]
    assert calls == 2 * p.size  # one function a parameter, twice
    np.testing.assert_allclose(central, gg.grad(lambda p: np.sum(f(p)))(p), rtol=1e-7)
    calls = 0
    gg.check_grads(counted, (p,))
    assert calls == 1  # traced once, whatever the number of parameters

    for x in (1.0, np.float32(1.0)):  # the checker is as sharp in both
        ((gap, allowed), _) = gg.check_grads(f, (x,)).gaps
        assert gap < 1e-11 and allowed < 1e-7
    slightly = gg.define_op(
        "slightly", lambda x: np.exp(x), partials=lambda x: (1 + 1e-6) * np.exp(x)
    )
    for x in (1.0, np.float32(1.0)):
        with pytest.raises(DerivativeError, match="at fault is slightly"):
            gg.check_grads(lambda x: slightly(np.sin(x**2)), (x,))


S4_X = np.array([1.0, -0.5, 2.0])
S4_W1 = np.array([[0.2, -0.1], [0.4, 0.3], [-0.3, 0.5]])
S4_W2 = np.array([[0.7, 0.1], [-1.2, 0.4]])


def test_S4_10_several_outputs():
    y = np.array([0.5, -1.0])

    def outputs(W1, W2):
        return np.tanh(S4_X @ W1) @ W2

    def loss(W1, W2):
        return np.sum((outputs(W1, W2) - y) ** 2)

    close(outputs(S4_W1, S4_W2), (-1.1381134397633694, 0.2003546242551114))
    value, (by_W1, by_W2) = gg.value_and_grad(loss, argnums=(0, 1))(S4_W1, S4_W2)
    close(value, 4.1242668655040085)
    close(by_W2, [[1.759496227037159, -1.2892998624005938],
                  [-2.0808920703144795, 1.52480796417774]])  # fmt: skip
    close(by_W1[0], (-1.4610740032954934, 2.9183521802309564))
    gg.check_grads(loss, (S4_W1, S4_W2))


def test_S4_20_tensors():
    rng = np.random.default_rng(0)
    X, K, C = (rng.normal(size=s) for s in ((2, 3, 4), (3, 4, 2, 2), (2, 4, 4)))

    def contracted(X, K):
        return np.einsum("abc,bcde->ade", X, K)

    def reduced(X, C):
        scaled = np.max(X, 1)[:, None, :] * np.mean(np.exp(C), 2)[:, None, :]
        return scaled + np.sum(X**2, (0, 2))[:, None]

    def convolved(X, K):
        windows = [X[:, i : i + 2, j : j + 3] for i in range(2) for j in range(2)]
        return np.tanh(sum(w * k for w, k in zip(windows, np.ravel(K[0, 0]))))

    for f, args in ((contracted, (X, K)), (reduced, (X, C)), (convolved, (X, K))):
        gg.check_grads(f, args)

    def z(Y):
        return np.sum(np.sin(Y) ** 2)

    Y = contracted(X, K)
    by_Y = gg.grad(z)(Y)
    by_X = gg.grad(lambda X: z(contracted(X, K)))(X)
    columns = gg.jacobian(lambda X: contracted(X, K))(X).reshape(Y.size, *X.shape)
    close(by_X, np.einsum("j,jabc->abc", by_Y.ravel(), columns), rtol=1e-11)
