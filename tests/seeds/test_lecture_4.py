"""Lecture "Backpropagation" (CMSC 35246): its numbers, through the public API."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import close, nodes_of

import glassgrad as gg
from glassgrad.graph.serial import dumps, loads

# -- a 3-2-1 network, tanh hidden, linear output ------------------------------------------------

X = np.array([1.0, -0.5, 2.0])
W1 = np.array([[0.2, -0.1], [0.4, 0.3], [-0.3, 0.5]])
W2 = np.array([0.7, -1.2])
Y = 0.5


def network(W1, W2, x=X):
    """a, z and the output."""
    a = x @ W1
    z = np.tanh(a)
    return a, z, z @ W2


def loss(W1, W2, x=X, y=Y):
    return (network(W1, W2, x)[-1] - y) ** 2


def test_S4_01_one_neuron():
    x, w, y = np.array([1.0, 2.0, -1.0]), np.array([0.5, -0.25, 1.0]), 1.0

    def loss(w):
        return (x @ w - y) ** 2

    value, gradient = gg.value_and_grad(loss)(w)
    delta = x @ w - y
    assert (x @ w, delta, value) == (-1, -2, 4)
    close(gradient, (-4, -8, 4))
    close(gradient, 2 * delta * x)
    close(w - 0.1 * gradient, (0.9, 0.55, 0.6))

    half = gg.grad(lambda w: 0.5 * loss(w))(w)  # the 2 absorbed: the slide's rule
    close(w - 0.1 * half, (0.7, 0.15, 0.8))


def test_S4_02_network_forward():
    V1, V2 = gg.variable("W1", (3, 2)), gg.variable("W2", (2,))
    a, z, guess = network(V1, V2)
    g = gg.ComputationalGraph((guess - Y) ** 2)
    close(g.forward({V1: W1, V2: W2}), 2.683415641533378)
    close(g.values[a], (-0.6, 0.75))
    close(g.values[z], (-0.5370495669980352, 0.6351489523872873))
    close(g.values[guess], -1.1381134397633694)


def test_S4_03_by_the_output_weights():
    by_W2 = gg.grad(loss, argnums=1)(W1, W2)
    close(by_W2, (1.759496227037159, -2.0808920703144795))
    _, z, guess = network(W1, W2)
    close(by_W2, 2 * (guess - Y) * z)


def test_S4_04_by_the_hidden_weights():
    by_W1 = gg.grad(loss)(W1, W2)
    close(
        by_W1,
        [
            [-1.6319031348632291, 2.3454605532425803],
            [0.8159515674316146, -1.1727302766212901],
            [-3.2638062697264583, 4.690921106485161],
        ],
    )
    a, _, guess = network(W1, W2)
    close(by_W1, np.outer(X, 2 * (guess - Y) * W2 * (1 - np.tanh(a) ** 2)))


def test_S4_07_vectorised():
    def half(W1, W2):  # the slide's rule absorbs the 2
        return 0.5 * loss(W1, W2)

    by_W1, by_W2 = gg.grad(half, argnums=(0, 1))(W1, W2)
    a, z, guess = network(W1, W2)
    delta = guess - Y
    delta1 = (W2 * delta) * (1 - np.tanh(a) ** 2)
    close(by_W2, delta * z)
    close(by_W1, np.outer(X, delta1))

    V1, V2 = W1 - 0.1 * by_W1, W2 - 0.1 * by_W2
    close(V2, (0.612025188648142, -1.095955396484276))
    close(V1[0], (0.2815951567431615, -0.21727302766212903))
    close(gg.value_and_grad(loss)(V1, V2)[0], 0.5630189454765131)


def test_S4_11_bias_neurons():
    def gradient(name, term):
        """The gradient by a new parameter of the output neuron, and by its pre-activation."""
        w, z, y, p = gg.variables(f"w z y {name}")
        v = w * z + term(p)
        by_p, by_v = gg.gradients((np.tanh(v) - y) ** 2, [p, v])
        assert by_p.node is by_v.node  # the bias gradient is delta
        return by_p

    bias = gradient("b", lambda b: b)
    weight = gradient("b", lambda b: b * 1.0)  # of an input that is constantly 1
    assert len(nodes_of(bias)) == len(nodes_of(weight))
    assert str(bias) == str(weight)

    def with_biases(b1, b2, W1, W2):
        return (np.tanh(X @ W1 + b1) @ W2 + b2 - Y) ** 2

    def with_ones(V1, V2):
        z = np.tanh(np.append(X, 1.0) @ V1)
        return (np.concatenate([z, np.ones(1)]) @ V2 - Y) ** 2

    b1, b2 = np.array([0.3, -0.2]), 0.1
    by_b1, by_b2, by_W1, by_W2 = gg.grad(with_biases, argnums=(0, 1, 2, 3))(b1, b2, W1, W2)
    by_V1, by_V2 = gg.grad(with_ones, argnums=(0, 1))(np.vstack([W1, b1]), np.append(W2, b2))
    close(by_V1, np.vstack([by_W1, by_b1]))
    close(by_V2, np.append(by_W2, by_b2))


def test_S4_13_gradient_by_some_variables():
    def f(x, y):
        return np.sum(np.exp(x) * y)

    x, y = np.array([0.1, -0.2]), np.array([2.0, 3.0])
    close(gg.grad(f)(x, y), y * np.exp(x))
    close(gg.grad(f, argnums=1)(x, y), np.exp(x))
    a, b = gg.variables("a b", shape=(2,))
    (by_a,) = gg.gradients(f(a, b), [a])
    assert str(by_a) in ("exp(a)*b", "b*exp(a)")

    with pytest.raises(TypeError) as caught:
        gg.grad(lambda x: np.exp(x))(x)
    message = str(caught.value)
    assert "(2,)" in message and all(way in message for way in ("sum", "jacobian", "vjp"))
    with pytest.raises(TypeError, match=r"\(2,\).*sum.*jacobian"):
        gg.gradients(np.exp(a), [a])


def test_S4_15_product():
    x, y = gg.variables("x y")
    assert [str(d) for d in gg.gradients(x * y, [x, y])] == ["y", "x"]
    assert gg.grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 3.0) == (3, 2)


def test_S4_16_logistic_regression():
    x, w, b = np.array([1.0, 2.0]), np.array([0.5, -0.25]), 0.1

    def guess(w, b):
        return 1 / (1 + np.exp(-(x @ w + b)))

    value, (by_w, by_b) = gg.value_and_grad(guess, argnums=(0, 1))(w, b)
    close(value, 0.52497918747894)
    close(by_w, (0.24937604019289197, 0.49875208038578395))
    close(by_b, 0.24937604019289197)

    v, c = gg.variable("w", (2,)), gg.variable("b")
    (by_c,) = gg.gradients(guess(v, c), [c])  # through the nodes dot, + and sigmoid
    assert str(by_c) == "sigmoid'(b + dot([1.0, 2.0], w))"


def test_S4_17_layer_with_relu():
    X = np.array([[1, -1], [2, 0.5]])
    W = np.array([[1, 0, -1], [0.5, -2, 1]])
    b = np.array([0, 0.1, -0.2])

    def layer(X, W, b):
        return np.maximum(0, X @ W + b)

    H, _ = gg.vjp(layer, X, W, b)
    close(H, [[0.5, 2.1, 0], [2.25, 0, 0]])
    by_X, by_W, by_b = gg.grad(lambda *args: np.sum(layer(*args)), argnums=(0, 1, 2))(X, W, b)
    close(by_W, [[3, 1, 0], [-0.5, -1, 0]])
    close(by_b, (2, 1, 0))
    close(by_X, [[1, -1.5], [1, 0.5]])


def paths(g, x, values):
    """Each path from x to the output: the product of its local derivatives."""
    if x is g.output:
        return [1.0]
    products = []
    for consumer in g.consumers(x):
        for term in g.ledger.terms[x]:
            if term.consumer is consumer:
                upstream = g.gradients[consumer]
                local = gg.evaluate(gg.Array(term.node), values) / upstream
                products += [local * rest for rest in paths(g, consumer, values)]
    return products


def test_S4_18_one_two_and_n_paths():
    x, y, z = gg.variables("x y z")

    def contributions(e, wrt, values):
        g = gg.ComputationalGraph(e)
        g.forward(values)
        g.backward()
        found = paths(g, wrt.node, values)
        close(sum(found), g.gradients[wrt])
        return sorted(found)

    close(contributions(np.exp(np.sin(x)), x, {x: 0.5}), [np.exp(np.sin(0.5)) * np.cos(0.5)])
    small = (x + y) * np.maximum(y, z)
    close(contributions(small, y, {x: 1.0, y: 2.0, z: 0.0}), [2, 3])
    several = sum(np.sin(k * x) for k in range(1, 6))
    close(
        contributions(several, x, {x: 0.5}),
        sorted(k * np.cos(0.5 * k) for k in range(1, 6)),
    )
    diamonds = x
    for _ in range(4):
        diamonds = np.sin(diamonds) + np.cos(diamonds)
    assert len(contributions(diamonds, x, {x: 0.3})) == 2**4


def test_S4_19_jacobian_gradient_products():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(5, 4)), rng.normal(size=(3, 5))

    def f(x):
        return np.tanh(B @ np.sin(A @ x)) + np.exp(x[:3])

    x, t, g = rng.normal(size=4), rng.normal(size=4), rng.normal(size=3)
    J = gg.jacobian(f)(x)
    _, pullback = gg.vjp(f, x)
    _, push = gg.jvp(f, (x,), (t,))
    (found,) = pullback(g)
    close(found, J.T @ g)
    close(push, J @ t)
    close(g @ push, found @ t)


def test_S4_21_adjoint_of_every_node():
    V1, V2 = gg.variable("W1", (3, 2)), gg.variable("W2", (2,))
    a, z, guess = network(V1, V2)
    error = guess - Y
    e = error**2
    g = gg.ComputationalGraph(e)
    values = {V1: W1, V2: W2}
    g.forward(values)
    g.backward()
    assert g.gradients[e] == 1
    assert all(g.gradients[n].shape == n.shape for n in g.nodes)

    numbers = [g.values[n] for n in (a, z, guess, error)]
    delta = 2 * numbers[3]
    to_z = delta * W2
    expected = [to_z * (1 - numbers[1] ** 2), to_z, delta, delta]
    for node, gradient in zip((a, z, guess, error), expected):
        close(g.gradients[node], gradient)
    close(gg.evaluate(gg.gradients(e, [z])[0], values), to_z)  # and its algebraic expression
    assert str(gg.gradients(e, [guess])[0]) == str(gg.simplify(2 * (guess - Y)))


def test_S4_22_new_op_in_ten_lines():
    bump = gg.define_op("S4_22_bump", lambda x: np.exp(-1 / (1 - x**2)), samples=((-0.9, 0.9),))
    x = np.linspace(-0.9, 0.9, 7)
    close(bump(x), np.exp(-1 / (1 - x**2)))
    slope = gg.grad(lambda x: np.sum(bump(x)))(x)
    close(slope[x != 0], (bump(x) * -2 * x / (1 - x**2) ** 2)[x != 0])
    close(gg.jvp(bump, (x,), (np.ones(7),))[1], slope)
    central = (bump(x + 1e-6) - bump(x - 1e-6)) / 2e-6
    np.testing.assert_allclose(slope, central, rtol=1e-7, atol=1e-9)


def test_S4_23_cross_entropy_and_weight_decay():
    X = np.array([[1, 2], [-1, 0.5]])
    labels = np.array([0, 2])
    W1 = np.array([[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]])
    W2 = np.array([[0.2, -0.1, 0.4], [0.3, 0.7, -0.5], [-0.4, 0.6, 0.1]])
    decay_rate = 0.01

    def cross_entropy(W1, W2):
        logits = np.maximum(X @ W1, 0) @ W2
        log_total = np.log(np.sum(np.exp(logits), axis=1))
        return np.sum(log_total - logits[np.arange(2), labels])

    def decay(W1, W2):
        return decay_rate * (np.sum(W1**2) + np.sum(W2**2))

    def total(W1, W2):
        return cross_entropy(W1, W2) + decay(W1, W2)

    def both(f):
        return gg.value_and_grad(f, argnums=(0, 1))(W1, W2)

    value, (likely1, _) = both(cross_entropy)
    close(value, 2.382336790248782)
    close(
        likely1,
        [
            [0.20125357403809166, -0.7950777042209722, 0],
            [-0.2768809719370682, 0.3187720738081302, 0],
        ],
    )
    value, (decay1, decay2) = both(decay)
    close(value, 0.0248)
    assert (decay1 == 0.02 * W1).all() and (decay2 == 0.02 * W2).all()
    value, (by_W1, by_W2) = both(total)
    close(value, 2.407136790248782)
    close(by_W1[0][0], 0.20325357403809166)
    close(by_W2[2], (-0.008, 0.012, 0.002))

    V1, V2 = gg.variable("W1", (2, 3)), gg.variable("W2", (3, 3))
    g = gg.ComputationalGraph(total(V1, V2))
    assert len(g.consumers(V1)) == len(g.consumers(V2)) == 2  # two paths back


def test_S4_25_symbol_to_symbol(monkeypatch):
    x = gg.variable("x")
    second = gg.grad(gg.grad(np.sin))(x)
    assert str(second) == "-sin(x)"
    assert gg.simplify(second + np.sin(x)).node.name == "const"

    w, v = gg.variables("w v", shape=(3,))

    def refuse(*args, **kwargs):
        raise AssertionError("a number was looked at")

    with monkeypatch.context() as patched:  # no array is touched
        patched.setattr(gg.Array, "__array__", refuse)
        patched.setattr(gg.Array, "value", refuse)
        with pytest.raises(AssertionError):
            np.asarray(w)
        (by_w,) = gg.gradients(np.sum(np.tanh(w * v) ** 2), [w])
    for e in (w, by_w):
        with pytest.raises(ValueError, match="has no value"):
            e.value()
    assert "tanh'(w*v)" in str(by_w)  # printable

    values = {w: np.array([0.1, -0.4, 2.0]), v: np.array([1.0, 0.5, -0.3])}
    (again,) = gg.gradients(np.sum(by_w), [v])  # differentiable again
    step = 1e-6

    def slopes(shift):
        return gg.evaluate(np.sum(by_w), {w: values[w], v: values[v] + shift})

    central = [(slopes(h) - slopes(-h)) / (2 * step) for h in step * np.eye(3)]
    np.testing.assert_allclose(gg.evaluate(again, values), central, rtol=1e-7)

    simple = gg.simplify(by_w, expand=True)  # simplifiable
    close(gg.evaluate(simple, values), gg.evaluate(by_w, values))
    loaded = gg.Array(loads(dumps([by_w.node]))[0])  # serialisable
    assert str(loaded) == str(by_w)
    inputs = {str(gg.Array(n)): gg.Array(n) for n in gg.ComputationalGraph(np.sum(loaded)).inputs}
    found = gg.evaluate(loaded, {inputs["w"]: values[w], inputs["v"]: values[v]})
    assert (found == gg.evaluate(by_w, values)).all()
