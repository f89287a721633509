"""Shapes, masks, linear layers and word vectors of the lectures, through the public API."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import close, nodes_of, ops_of
from test_lecture_1 import network_graph

import glassgrad as gg
from glassgrad import nn
from glassgrad.cli.main import main
from glassgrad.rewrite.pipeline import stabilise, tidy
from glassgrad.train.store import load


def test_S0_01_vectors_rows_and_columns():
    vector, column = gg.variable("v", (3,)), gg.variable("c", (3, 1))
    row = gg.variable("r", (1, 3))
    assert [x.shape for x in (vector, column, row)] == [(3,), (3, 1), (1, 3)]
    assert column.T.shape == (1, 3) and row.T.shape == (3, 1) and vector.T.shape == (3,)
    assert (column + row).shape == (3, 3)  # as in NumPy
    with gg.strict_shapes():
        for other in (row, vector):
            with pytest.raises(ValueError) as caught:
                column + other
            message = str(caught.value)
            assert f"c of shape (3, 1) and {other} of shape {other.shape}" in message
            assert "(3, 3)" in message and "column + other" in message
        assert (column + row.T).shape == (3, 1)
        assert (np.ones((2, 3)) * vector + 1).shape == (2, 3)  # one operand alone is repeated
    assert (column + row).shape == (3, 3)


TOPICS = ["Sport", "Politics", "Business"]


def test_S0_04_a_softmax_head(tmp_path):
    p = np.array([0.01, 0.82, 0.17])
    head = nn.softmax(np.log(p) + 3.0)
    np.testing.assert_allclose(head, p, rtol=1e-12)
    assert abs(np.sum(head) - 1) <= 1e-12
    assert TOPICS[np.argmax(head)] == "Politics"
    close(nn.cross_entropy(np.log(p), 1), 0.19845093872383832)
    close(-np.log(0.82), 0.19845093872383832)

    words = {"Sport": "goal", "Politics": "vote", "Business": "share"}
    lines = [f"the {words[topic]} of today\t{topic}\n" for topic in TOPICS * 20]
    (tmp_path / "news.txt").write_text("".join(lines), encoding="utf-8")
    folder = tmp_path / "model"
    assert main(["train", "text", str(tmp_path / "news.txt"), "--out", str(folder)]) == 0
    model = load(folder)
    assert sorted(model.classes) == sorted(TOPICS)  # the map of the numbers is saved with it


def test_S1_26_the_jacobian_of_relu_is_a_mask():
    b = np.array([1.0, -2.0, 3.0])
    assert (gg.jacobian(nn.relu)(b) == np.diag([1.0, 0.0, 1.0])).all()
    g = np.array([5.0, 7.0, 11.0])
    assert gg.vjp(nn.relu, b)[1](g)[0].tolist() == [5, 0, 11]

    n = 10**6
    x, v = gg.variable("x", (n,)), gg.variable("v", (n,))
    (slope,) = gg.gradients(np.sum(nn.relu(x) * v), [x])
    assert max(node.size for node in nodes_of(slope)) == n  # no matrix anywhere
    values = np.where(np.arange(n) % 2, 1.0, -1.0)
    found = gg.jit(gg.grad(lambda x: np.sum(nn.relu(x) * 3.0)))(values)
    assert (found == 3.0 * (values > 0)).all()


def test_S1_27_the_backward_pass_needs_products_and_thresholds():
    _, loss, values = network_graph()
    gradients = gg.gradients(loss, list(values))
    used = set(ops_of(*gradients, outside=[loss]))
    products, masks = {"contract", "multiply"}, {"less", "where"}
    rest = {"add", "subtract", "negative"}
    moves = {"reshape", "broadcast", "transpose"}
    assert used <= products | masks | rest | moves
    assert {"contract", "where", "less"} <= used


def test_S2_28_the_derivative_of_the_sigmoid_is_neat():
    x = gg.variable("x")
    e, s = np.exp(-x), 1 / (1 + np.exp(-x))
    forms = [
        e / (1 + e) ** 2,
        s * (1 - s),
        s * (1 / (1 + np.exp(x))),
        gg.gradients(s, [x])[0],
        gg.gradients(nn.sigmoid(x), [x])[0],
    ]
    found = {tidy(stabilise([form.node]))[0] for form in forms}
    assert len(found) == 1  # all are one node
    (slope,) = found
    assert str(gg.Array(slope)) == "sigmoid'(x)"
    close(gg.evaluate(gg.Array(slope), {x: 40.0}), 4.248354255291589e-18)
    close(gg.evaluate(gg.Array(slope), {x: -40.0}), 4.248354255291589e-18)
    close(
        gg.value_and_grad(lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2)(0.5)[0], 0.2350037122015945
    )


# -- a window of words --------------------------------------------------------------------------


WORDS = np.arange(12.0).reshape(6, 2) / 10


def window_loss(L, ids):
    return np.sum(np.sin(L[ids].reshape(-1)) * np.arange(1.0, 11.0))


def test_S3_13_word_vectors_are_learned():
    ids = np.array([4, 1, 4, 0, 2])  # one word twice
    one_hot = np.eye(6)[ids]
    assert (WORDS[ids] == one_hot @ WORDS).all()
    gradient = gg.grad(window_loss)(WORDS, ids)
    by_one_hot = gg.grad(lambda L: window_loss(one_hot @ L, np.arange(5)))(WORDS)
    close(gradient, by_one_hot)
    assert np.flatnonzero(gradient.any(axis=1)).tolist() == [0, 1, 2, 4]

    rows, values = gg.grad(window_loss, sparse=True)(WORDS, ids)
    assert rows.tolist() == ids.tolist() and values.shape == (5, 2)
    dense = np.zeros_like(WORDS)
    np.add.at(dense, rows, values)
    close(dense, gradient)  # the two rows of the repeated word add up
    close(gradient[4], values[0] + values[2])


X = np.array([0.5, -0.1, -0.2, 0.3, 0.9, 0.4, 0, -0.3, 0.2, 0.6])
W = np.array(
    [
        [0.1, -0.2, 0.3, 0, 0.5, 0.4, -0.1, 0.2, 0, -0.3],
        [0.2, 0.1, -0.4, 0.3, 0.6, -0.2, 0.1, 0, 0.3, 0.1],
    ]
)
B, U = np.array([0.05, -0.05]), np.array([1.0, -1.5])


def score(x):
    return np.dot(U, np.tanh(W @ x + B))


def test_S3_14_the_score_of_a_window():
    x = gg.variable("x", (10,))
    z = W @ x + B
    h = np.tanh(z)
    s = np.dot(U, h)
    g = gg.ComputationalGraph(nn.sigmoid(s))
    close(g.forward({x: X}), 0.3584053187958234)
    close(g.values[z], (0.43, 0.79))
    close(g.values[h], (0.405321308689463, 0.658409035955251))
    close(g.values[s], -0.5822922452434136)


def test_S3_15_a_high_score_for_a_location():
    value, slope = gg.value_and_grad(lambda x: -np.log(nn.sigmoid(score(x))))(X)
    close(value, 1.026090757601347)
    close(slope[4:6], (0.059020595551100105, -0.32351456920814065))  # of the middle word


W1 = np.array([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]])
W2 = np.array([[1.0, 0.0, 2.0], [-1.0, 1.0, 0.5]])


def test_S3_23_linear_layers_collapse():
    x = gg.variable("x", (2,))
    folded = gg.simplify(W2 @ (W1 @ x))
    assert str(folded) == "[[-1.0, 3.0], [1.5, 2.25]] @ x"
    assert ops_of(folded) == ["contract"]
    at = np.array([1.0, -1.0])
    close(gg.evaluate(folded, {x: at}), (-4, -0.75))
    close(gg.jacobian(lambda x: W2 @ (W1 @ x))(at), [[-1, 3], [1.5, 2.25]])
    three = gg.simplify(np.eye(2) * 2 @ (W2 @ (W1 @ x)))  # any number of layers
    assert ops_of(three) == ["contract"]
    close(gg.evaluate(three, {x: at}), (-8, -1.5))
    between = gg.simplify(W2 @ np.tanh(W1 @ x))  # with a bend in between they do not
    assert ops_of(between).count("contract") == 2


# -- credit assignment --------------------------------------------------------------------------


def test_S4_05_local_error_times_local_input():
    x, y = np.array([1.0, -0.5, 2.0]), 0.5
    V1, V2 = gg.variable("W1", (3, 2)), gg.variable("W2", (2,))
    a = x @ V1
    z = np.tanh(a)
    guess = z @ V2
    g = gg.ComputationalGraph(0.5 * (guess - y) ** 2)  # the slide leaves the 2 out
    g.forward(
        {
            V1: np.array([[0.2, -0.1], [0.4, 0.3], [-0.3, 0.5]]),
            V2: np.array([0.7, -1.2]),
        }
    )
    g.backward()
    delta, delta1 = -1.6381134397633694, np.array([-0.8159515674316146, 1.1727302766212901])
    close(g.gradients[guess], delta)
    close(g.gradients[a], delta1)
    close(g.gradients[V2], delta * g.values[z])
    close(g.gradients[V1], np.outer(x, g.gradients[a]))
