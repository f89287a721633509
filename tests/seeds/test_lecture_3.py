"""Lecture "Neural network foundations" (CS224N, Yang): its numbers, through the public API."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import close, nodes_of, ops_of, shown

import glassgrad as gg

# -- a window classifier: s = u·tanh(Wx + b) ------------------------------------------------------

X = np.array([0.5, -0.1, -0.2, 0.3, 0.9, 0.4, 0, -0.3, 0.2, 0.6])
W = np.array(
    [
        [0.1, -0.2, 0.3, 0, 0.5, 0.4, -0.1, 0.2, 0, -0.3],
        [0.2, 0.1, -0.4, 0.3, 0.6, -0.2, 0.1, 0, 0.3, 0.1],
    ]
)
B = np.array([0.05, -0.05])
U = np.array([1.0, -1.5])
Z = np.array([0.43, 0.79])


def score(u, W, b, x):
    return np.dot(u, np.tanh(W @ x + b))


def score_graph():
    """The variables u, W, b, x, the pre-activation z, the score s, and all numbers."""
    u, b = gg.variables("u b", shape=(2,))
    W_, x = gg.variable("W", (2, 10)), gg.variable("x", (10,))
    z = W_ @ x + b
    return (u, W_, b, x), z, np.dot(u, np.tanh(z)), {u: U, W_: W, b: B, x: X}


def f_of_graph(x, y, z):
    return (x + y) * np.maximum(y, z)


def test_S3_27_a_cube():
    def f(x):
        return x**3

    x = gg.variable("x")
    (slope,) = gg.gradients(f(x), [x])
    assert str(slope) == "3*x**2"
    assert [gg.grad(f)(1.0), gg.grad(f)(4.0)] == [3, 48]
    nearby = gg.evaluate([f(x)], {x: 1.01}) + gg.evaluate([f(x)], {x: 4.01})
    close(nearby, [1.030301, 64.481201])
    shown([(f(1.01) - f(1)) / 0.01, (f(4.01) - f(4)) / 0.01], "3.0301 48.1201")


def test_S3_28_jacobian():
    def f(x):
        return np.array([x[0] * x[1], np.sin(x[0])])

    x = np.array([2.0, 3.0])
    expected = [[3, 2], [-0.4161468365471424, 0]]
    close(gg.jacobian(f)(x), expected)  # the numerator layout is the default
    close(gg.jacobian(f, layout="numerator")(x), expected)
    close(gg.jacobian(f, layout="denominator")(x), np.transpose(expected))


def test_S3_29_multiply_the_derivatives():
    x = gg.variable("x")
    y = x**2
    z = 3 * y
    assert str(gg.gradients(z, [x])[0]) == "6*x"
    assert gg.evaluate(gg.gradients(z, [x]), {x: 2.0}) == [12]

    def h(x):  # R^4 -> R^3
        return np.sin(x[:3] * x[1:])

    def g(y):  # R^3 -> R^2
        return np.array([y[0] * y[1] + y[2], np.exp(y[2])])

    at = np.array([0.3, -0.5, 0.7, 1.1])
    product = gg.jacobian(g)(h(at)) @ gg.jacobian(h)(at)
    close(gg.jacobian(lambda x: g(h(x)))(at), product)


def test_S3_30_elementwise_jacobian():
    close(gg.jacobian(np.tanh)(Z), np.diag([0.8357146367222611, 0.566497541372477]))


def test_S3_31_jacobians_of_a_layer():
    W, x, b = gg.variable("W", (2, 3)), gg.variable("x", (3,)), gg.variable("b", (2,))
    u, h = gg.variables("u h", shape=(2,))
    by_x = gg.jacobian(lambda x: W @ x + b)(x)
    by_b = gg.jacobian(lambda b: W @ x + b)(b)
    by_u = gg.jacobian(lambda u: u @ h)(u)
    assert str(by_x) == "W"
    assert (gg.evaluate(by_b, {}) == np.eye(2)).all()
    assert str(by_u) == "h"

    (gradient,) = gg.gradients(np.dot(u, h), [u])  # the shape convention
    assert str(gradient) == "h" and gradient.shape == u.shape


def test_S3_32_by_the_bias():
    expected = (0.8357146367222611, -0.8497463120587154)
    close(gg.grad(score, argnums=2)(U, W, B, X), expected)
    to_h = gg.jacobian(lambda h: np.dot(U, h))(np.tanh(Z))
    to_z = gg.jacobian(np.tanh)(Z)
    to_b = gg.jacobian(lambda b: W @ X + b)(B)
    close(to_h @ to_z @ to_b, expected)


def test_S3_34_one_error_signal():
    (_, W, b, x), z, s, values = score_graph()
    (delta,) = gg.gradients(s, [z], simplify=False)
    by_b, by_W, by_x = gg.gradients(s, [b, W, x], simplify=False)
    assert by_b.node is delta.node
    assert delta.node in by_W.node.inputs and delta.node in by_x.node.inputs
    slopes = [n for n in nodes_of(by_b, by_W, by_x) if n.name == "tanh_slope"]
    assert len(slopes) == 1
    close(gg.evaluate(delta, values), (0.8357146367222611, -0.8497463120587154))


def test_S3_35_outer_product():
    by_W, by_b, by_x = gg.grad(score, argnums=(1, 2, 3))(U, W, B, X)
    assert by_W.shape == W.shape
    close(
        by_W[0],
        [
            0.41785731836113055,
            -0.08357146367222612,
            -0.16714292734445224,
            0.2507143910166783,
            0.752143173050035,
            0.3342858546889045,
            0,
            -0.2507143910166783,
            0.16714292734445224,
            0.5014287820333566,
        ],
    )
    close(by_W, np.outer(by_b, X))
    close(by_x, W.T @ by_b)
    close(by_x[[0, 2]], [-0.08637779873951698, 0.5906129158401645])


def test_S3_40_small_graph():
    x, y, z = gg.variables("x y z")
    a, b = x + y, np.maximum(y, z)
    f = a * b
    g = gg.ComputationalGraph(f)
    assert g.forward({x: 1.0, y: 2.0, z: 0.0}) == 6
    g.backward()
    assert [g.values[n] for n in (a, b)] == [3, 2]
    assert [g.gradients[n] for n in (a, b)] == [2, 3]
    assert [g.gradients[n] for n in (x, y, z)] == [2, 5, 0]

    # A tie: half to each, as the registry says; it is what the central difference gives.
    assert b.node.op.kinks == "x = y: the gradient is split equally"
    point = np.array([1.0, 2.0, 2.0])
    assert g.forward(dict(zip((x, y, z), point))) == 6
    g.backward()
    assert [g.gradients[n] for n in (x, y, z)] == [2, 3.5, 1.5]
    steps = 2.0**-10 * np.eye(3)
    central = [(f_of_graph(*(point + h)) - f_of_graph(*(point - h))) / 2**-9 for h in steps]
    np.testing.assert_allclose(central, [2, 3.5, 1.5], rtol=1e-3)
    t = 0.5
    assert gg.grad(lambda p: f_of_graph(*p))(point).tolist() == [2, 2 + 3 * t, 3 * (1 - t)]


def test_S3_42_derivatives_from_the_formula():
    leaky = gg.define_op("S3_42_leaky", lambda z: np.where(z > 0, z, 0.01 * z))
    prelu = gg.define_op("S3_42_prelu", lambda z, alpha: np.where(z > 0, z, alpha * z))
    silu = gg.define_op("S3_42_silu", lambda x: x / (1 + np.exp(-x)))
    swish = gg.define_op("S3_42_swish", lambda x, beta: x / (1 + np.exp(-beta * x)))
    quick = gg.define_op("S3_42_quick_gelu", lambda x: x / (1 + np.exp(-1.702 * x)))
    gelu = gg.define_op(
        "S3_42_tanh_gelu",
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    )
    softplus = gg.define_op("S3_42_softplus", lambda x: np.log(1 + np.exp(x)))
    logistic = gg.define_op("S3_42_logistic", lambda x: 1 / (1 + np.exp(-x)))
    tanh = gg.define_op("S3_42_tanh", lambda x: 2 / (1 + np.exp(-2 * x)) - 1)
    relu = gg.define_op("S3_42_relu", lambda x: np.maximum(x, 0))
    D = gg.grad

    close([leaky(-3.0), D(leaky)(-3.0), D(leaky)(0.0), D(leaky)(3.0)], [-0.03, 0.01, 0.01, 1])
    close(D(prelu, argnums=1)(-3.0, 0.25), -3)
    shown([silu(1.0), D(silu)(1.0)], "0.7310585786 0.9276705119")
    shown([silu(-1.0), D(silu)(-1.0)], "-0.2689414214 0.0723294881")
    shown([swish(0.5, 2.0), D(swish)(0.5, 2.0)], "0.3655292893 0.9276705119")
    shown(D(swish, argnums=1)(1.0, 1.0), "0.1966119332")
    shown(quick(1.0), "0.8457957659")
    close(gelu(1.0), 0.8411919906082768)
    shown([D(tanh)(1.0), D(tanh)(3.0)], "0.4199743416 0.0098660372")
    assert [D(relu)(x) for x in (-1.0, 0.0, 2.0)] == [0, 0, 1]

    # Stable, though written naively.
    assert [softplus(1000.0), D(softplus)(1000.0), D(softplus)(-1000.0)] == [1000, 1, 0]
    close(D(logistic)(40.0), 4.248354255291589e-18)
    close(D(logistic)(-40.0), 4.248354255291589e-18)
    assert silu(-1000.0) == 0 and D(silu)(-1000.0) == 0 and D(silu)(1000.0) == 1

    # Checked: forward against reverse mode and central differences, on arrays, to second order.
    x = np.array([-2.5, -1.0, -0.1, 0.4, 1.0, 3.0])
    for f in (leaky, silu, quick, gelu, softplus, logistic, tanh, relu):
        slope = D(lambda x, f=f: np.sum(f(x)))
        close(gg.jvp(f, (x,), (np.ones(6),))[1], slope(x))
        for g, dg in ((f, slope), (slope, D(lambda x, slope=slope: np.sum(slope(x))))):
            central = (g(x + 1e-6) - g(x - 1e-6)) / 2e-6
            np.testing.assert_allclose(dg(x), central, rtol=1e-7, atol=1e-9)


def test_S3_43_all_gradients_at_once():
    (_, W, b, _), z, s, _ = score_graph()
    (delta,) = gg.gradients(s, [z], simplify=False)
    by_b, by_W = gg.gradients(s, [b, W], simplify=False)
    together = len(ops_of(by_b, by_W))
    alone = len(ops_of(by_b)), len(ops_of(by_W))
    assert together < sum(alone)
    assert sum(alone) - together == len(ops_of(delta))


VIEWS = {"broadcast", "reshape", "transpose"}
CHOICES = {"where", "less", "equal", "isfinite", "logical_and", "logical_not"}


def flops(*expressions):
    """The arithmetic of the graph, a scalar function counted as one; moves and choices are none."""
    count = 0
    for node in nodes_of(*expressions):
        if node.name == "contract":
            count += 2 * node.inputs[0].size * (node.inputs[1].size // node.inputs[1].shape[0])
        elif node.inputs and node.name not in VIEWS | CHOICES:
            count += max(node.size, *(x.size for x in node.inputs))
    return count


@pytest.mark.parametrize("size", [10, 40, 160, 640])
def test_S3_44_same_order_of_cost(size):
    rng = np.random.default_rng(size)
    variables = list(gg.variables("a b c d", shape=(8,)))
    matrix = gg.variable("M", (8, 8))
    values = [*variables]
    unary = [np.sin, np.tanh, np.exp, lambda v: matrix @ v, np.square]
    binary = [np.add, np.subtract, np.multiply, np.maximum]
    for _ in range(size):
        recent = values[-12:]
        i, j = rng.integers(len(recent), size=2)
        if rng.random() < 0.5:
            values.append(unary[rng.integers(len(unary))](recent[i]))
        else:
            values.append(binary[rng.integers(len(binary))](recent[i], recent[j]))
    y = sum(np.sum(v) for v in values[-12:])
    gradients = gg.gradients(y, [*variables, matrix], simplify=False)
    assert flops(y, *gradients) <= 5 * flops(y)
    assert len(ops_of(y, *gradients)) <= 10 * len(ops_of(y))  # with moves and choices

    g = gg.ComputationalGraph(y)
    place = {node: i for i, node in enumerate(g.nodes)}
    assert all(place[x] < place[node] for node in g.nodes for x in node.inputs)
    g.forward({**{v: np.full(8, 0.1) for v in variables}, matrix: np.eye(8)})
    g.backward()
    assert g.gradients[y] == 1
    for node in g.nodes:  # a term for each use by a successor
        uses = sum(successor.inputs.count(node) for successor in g.consumers(node))
        assert len(g.ledger.terms[node]) == (uses if node is not y.node else 1)


def test_S3_45_computational_graph():
    x, y, z = gg.variables("x y z")
    graph = gg.ComputationalGraph(f_of_graph(x, y, z))
    assert graph.forward({x: 1.0, y: 2.0, z: 0.0}) == 6
    inputs_gradients = graph.backward()
    assert [inputs_gradients[v] for v in (x, y, z)] == [2, 5, 0]
    assert len(inputs_gradients) == 3
    place = {node: i for i, node in enumerate(graph.nodes)}  # sorted topologically
    assert all(place[x] < place[node] for node in graph.nodes for x in node.inputs)
