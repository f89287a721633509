"""Lecture "Neural networks and backpropagation" (Lampos): its numbers, through the public API."""

from __future__ import annotations

import numpy as np
from agreement import close

import glassgrad as gg


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# -- one neuron ---------------------------------------------------------------------------------

X = np.array([0.5, 0.6, 0.1])
W = np.array([0.2, 0.3, 0.9])
B = 0.5


def neuron(w, b, x):
    return sigmoid(np.dot(w, x) + b)


# -- the toy network: 2-2-1, sigmoid everywhere, no bias ----------------------------------------

TOY_W = np.array([[0.1, 0.2], [0.3, -0.4]])
TOY_U = np.array([0.5, -0.6])
TOY_X = np.array([1.0, 2.0])


def cross_entropy(y, c):
    return -(y * np.log(c) + (1 - y) * np.log(1 - c))


def toy_network(W, u, x=TOY_X):
    """z, a, v and the output c."""
    z = W @ x
    a = sigmoid(z)
    v = np.dot(u, a)
    return z, a, v, sigmoid(v)


def toy_loss(W, u, y):
    return cross_entropy(y, toy_network(W, u)[-1])


DU = {
    1: (-0.29805614576147654, -0.18078019072011317),
    0: (0.32440318544037805, 0.19676047807803224),
}
DW = [
    [-0.05626415830509268, -0.11252831661018536],
    [0.06751698996611122, 0.13503397993222244],
]


def test_S2_04_neuron():
    w, x = gg.variables("w x", shape=(3,))
    b = gg.variable("b")
    z = np.dot(w, x) + b
    a = sigmoid(z)
    values = {w: W, b: B, x: X}
    close(gg.evaluate(z, values), 0.87)
    close(gg.evaluate(a, values), 0.7047456979980911)
    assert round(gg.evaluate(a, values), 3) == 0.705
    slope = 0.20807919915127449
    close(gg.evaluate(gg.gradients(a, [z])[0], values), slope)
    close(gg.evaluate(a * (1 - a), values), slope)

    by_w, by_b, by_x = gg.grad(neuron, argnums=(0, 1, 2))(W, B, X)
    close(by_w, (0.10403959957563724, 0.12484751949076468, 0.02080791991512745))
    close(by_b, slope)
    close(by_x, (0.0416158398302549, 0.06242375974538234, 0.18727127923614703))


def test_S2_05_bias_as_an_input():
    def with_bias_inside(w, x):
        return sigmoid(np.dot(w, x))

    w, x = np.array([0.5, 0.2, 0.3, 0.9]), np.array([1.0, 0.5, 0.6, 0.1])
    value, (by_w, by_x) = gg.value_and_grad(with_bias_inside, argnums=(0, 1))(w, x)
    close(value, 0.7047456979980911)
    close(by_w[0], 0.20807919915127449)
    close(by_w[1:], (0.10403959957563724, 0.12484751949076468, 0.02080791991512745))
    close(by_x[1:], (0.0416158398302549, 0.06242375974538234, 0.18727127923614703))


def test_S2_19_square_of_a_sum():
    def f(x):
        return (x**2 + 1) ** 2

    assert [gg.grad(f)(x) for x in (1.0, 2.0, 3.0)] == [8, 40, 120]
    x = gg.variable("x")
    (found,) = gg.gradients(f(x), [x])
    slide = 2 * (x**2 + 1) * 2 * x
    assert gg.simplify(found, expand=True).node is gg.simplify(slide, expand=True).node


def test_S2_22_chain_for_one_neuron():
    w, x = gg.variables("w x", shape=(3,))
    b = gg.variable("b")
    z = np.dot(w, x) + b
    a = sigmoid(z)
    loss = -np.log(a)
    g = gg.ComputationalGraph(loss)
    values = {w: W, b: B, x: X}
    close(g.forward(values), 0.34991825330155735)
    g.backward()
    assert g.gradients[loss] == 1
    close(g.gradients[a], -1 / 0.7047456979980911)
    by_w = (-0.14762715100095447, -0.17715258120114535, -0.029525430200190897)
    close(g.gradients[w], by_w)
    close(g.gradients[b], -0.29525430200190894)
    close(g.gradients[z], g.values[a] - 1)

    found = gg.grad(lambda w, b: -np.log(neuron(w, b, X)), argnums=(0, 1))(W, B)
    close(found[0], by_w)
    close(found[1], -0.29525430200190894)
    close(found[0], (neuron(W, B, X) - 1) * X)


def test_S2_23_chain_for_two_layers():
    def loss(W1, w2, a0):
        a1 = sigmoid(W1 @ a0)
        return -np.log(sigmoid(np.dot(w2, a1)))

    W1, w2, a0 = TOY_W, TOY_U, TOY_X
    by_W1, by_w2 = gg.grad(loss, argnums=(0, 1))(W1, w2, a0)
    _, a1, _, a2 = toy_network(W1, w2, a0)
    close(by_w2, (a2 - 1) * a1)
    close(by_W1, np.outer((a2 - 1) * w2 * a1 * (1 - a1), a0))
    close(by_w2, DU[1])
    close(by_W1, DW)


def test_S2_24_binary_cross_entropy():
    c = 0.5211636635184103
    for y, slope in [(1, -1.9187830426414114), (0, 2.0883962302189403)]:
        found = gg.grad(lambda c, y=y: cross_entropy(y, c))(c)
        close(found, slope)
        close(found, (c - y) / (c * (1 - c)))


def test_S2_25_toy_net_gradients():
    W = gg.variable("W", (2, 2))
    u = gg.variable("u", (2,))
    z, a, v, c = toy_network(W, u)
    g = gg.ComputationalGraph(c)
    values = {W: TOY_W, u: TOY_U}
    close(g.forward(values), 0.5211636635184103)
    close(g.values[z], (0.5, -0.5))
    close(g.values[a], (0.6224593312018546, 0.3775406687981454))
    close(g.values[v], 0.08470526432204006)
    g.backward()
    close(g.gradients[v], 0.2495520993464795)

    losses = {1: 0.6516911531256971, 0: 0.7363964174477374}
    x = TOY_X
    _, a, _, c = toy_network(TOY_W, TOY_U)
    for y, expected in losses.items():
        value, (by_W, by_u) = gg.value_and_grad(toy_loss, argnums=(0, 1))(TOY_W, TOY_U, y)
        close(value, expected)
        close(by_u, DU[y])
        close(by_u, (c - y) * a)
        close(by_W, np.outer((c - y) * TOY_U * a * (1 - a), x))
        if y == 1:
            close(by_W, DW)


def test_S2_30_one_step_of_descent():
    rate, y = 0.1, 1
    by_W, by_u = gg.grad(toy_loss, argnums=(0, 1))(TOY_W, TOY_U, y)
    W, u = TOY_W - rate * by_W, TOY_U - rate * by_u
    close(u, (0.5298056145761476, -0.5819219809279886))
    close(
        W,
        [
            [0.10562641583050927, 0.21125283166101855],
            [0.2932483010033889, -0.4135033979932223],
        ],
    )
    loss, _ = gg.value_and_grad(toy_loss)(W, u, y)
    close(loss, 0.6358063257019609)
