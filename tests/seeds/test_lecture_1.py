"""Lecture "Gradients" (Deep Learning for Data Science): its numbers, through the public API."""

from __future__ import annotations

import numpy as np
from agreement import close, nodes_of, ops_of, shown

import glassgrad as gg

# -- the line through three points ------------------------------------------------------------

X = np.array([0.0, 1.0, 2.0])
Y = np.array([1.0, 3.0, 2.0])


def line_loss(phi, x=X, y=Y):
    return np.sum((phi[0] + phi[1] * x - y) ** 2)


# -- the toy network: scalars all the way -------------------------------------------------------

BETA = np.array([0.1, -0.2, 0.3, -0.4])
OMEGA = np.array([0.5, 1.5, 0.6, 2.0])
OMEGA_TURNED = np.array([0.5, 1.5, -0.6, 2.0])


def relu(z):
    return np.maximum(z, 0)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def toy_network(beta, omega, x, a):
    """All intermediate quantities: f0, h1, f1, h2, f2, h3, f3."""
    f = [beta[0] + omega[0] * x]
    h = []
    for k in (1, 2, 3):
        h.append(a(f[-1]))
        f.append(beta[k] + omega[k] * h[-1])
    return f, h


def toy_loss(beta, omega, x=2.0, y=1.0, a=relu):
    f, _ = toy_network(beta, omega, x, a)
    return (f[-1] - y) ** 2


# -- the same with matrices -------------------------------------------------------------------

LAYERS = [
    (np.array([0.1, 0.9, 0.2]), np.array([[0.5, -0.3], [0.2, 0.4], [-0.6, 0.1]])),
    (np.array([0.05, -0.1]), np.array([[0.3, -0.2, 0.5], [0.7, 0.1, -0.4]])),
    (np.array([0.3, 0.2]), np.array([[0.6, -0.5], [0.2, 0.9]])),
    (np.array([-0.25]), np.array([[1.2, -0.7]])),
]
INPUT, TARGET = np.array([1.0, -2.0]), 0.5


def network(layers, x):
    """The pre-activations f0 … f3."""
    f = []
    h = x
    for beta, omega in layers:
        f.append(beta + omega @ h)
        h = relu(f[-1])
    return f


def network_loss(layers, x=INPUT, y=TARGET):
    return np.sum((network(layers, x)[-1] - y) ** 2)


def test_S1_02_one_step():
    phi = np.array([0.0, 1.0])
    close(phi - 0.1 * gg.grad(line_loss)(phi), [0.6, 1.4])


def test_S1_03_least_squares():
    phi = np.array([0.0, 1.0])
    examples = [gg.grad(line_loss)(phi, x, y) for x, y in zip(X, Y)]
    close(examples, [(-2, 0), (-4, -4), (0, 0)])
    value, gradient = gg.value_and_grad(line_loss)(phi)
    close(value, 5)
    close(gradient, (-6, -4))
    best = np.array([1.5, 0.5])
    np.testing.assert_allclose(gg.grad(line_loss)(best), 0, atol=1e-12)


def toy_graph(a, omega=OMEGA):
    """The toy network: parameters, quantities from f3 back to f0, loss, and all numbers."""
    names = "b0 b1 b2 b3 w0 w1 w2 w3 x y"
    *parameters, x, y = gg.variables(names)
    f, h = toy_network(parameters[:4], parameters[4:], x, a)
    loss = (f[3] - y) ** 2
    inner = [f[3], h[2], f[2], h[1], f[1], h[0], f[0]]
    values = dict(zip([*parameters, x, y], [*BETA, *omega, 2.0, 1.0]))
    return parameters, inner, loss, values


def test_S1_11_toy_network_forward():
    _, inner, loss, values = toy_graph(relu)
    g = gg.ComputationalGraph(loss)
    close(g.forward(values), 0.8836)
    f = inner[::-2]
    close([g.values[n] for n in f], (1.1, 1.45, 1.17, 1.94))


def test_S1_12_toy_network_adjoints():
    _, inner, loss, values = toy_graph(relu)
    expected = [1.88, 3.76, 3.76, 2.256, 2.256, 3.384, 3.384]
    close(gg.evaluate(gg.gradients(loss, inner), values), expected)
    g = gg.ComputationalGraph(loss)
    close(g.forward(values), 0.8836)
    g.backward()
    close([g.gradients[n] for n in inner], expected)


def test_S1_13_toy_network_gradients():
    by_beta, by_omega = gg.grad(toy_loss, argnums=(0, 1))(BETA, OMEGA)
    close(by_beta, (3.384, 2.256, 3.76, 1.88))
    close(by_omega, (6.768, 2.4816, 5.452, 2.1996))
    _, h = toy_network(BETA, OMEGA, 2.0, relu)
    close(by_omega, np.array([2.0, *h]) * by_beta)


def test_S1_14_other_activations():
    def gradients(a):
        return gg.grad(lambda *parameters: toy_loss(*parameters, a=a), argnums=(0, 1))(
            BETA, OMEGA_TURNED
        )

    _, inner, loss, values = toy_graph(np.tanh, OMEGA_TURNED)
    g = gg.ComputationalGraph(loss)
    close(g.forward(values), 2.9300135254432242)
    f = [g.values[n] for n in inner[::-2]]
    shown(f, "1.1 1.0007485326 -0.1571450048 -0.7117282277")
    by_beta, by_omega = gradients(np.tanh)
    close(
        by_beta,
        (0.9059867971423137, 1.6814838112268393, -6.680576596721124, -3.42345645536392),
    )
    close(
        by_omega,
        (1.8119735942846273, 1.3460261459934202, -5.089987033668379, 0.5335940066884801),
    )

    _, _, loss, values = toy_graph(sigmoid, OMEGA_TURNED)
    close(gg.evaluate(loss, values), 0.21599350313349036)
    _, by_omega = gradients(sigmoid)
    close(
        by_omega,
        (0.031730059347431415, 0.042350808525596285, -0.3314309386690715, -0.43465791363407585),
    )


def test_S1_16_already_computed():
    parameters, inner, loss, _ = toy_graph(np.tanh)
    joint = gg.gradients(loss, parameters, simplify=False)
    adjoints = gg.gradients(loss, inner, simplify=False)
    under = nodes_of(*joint)
    assert [under.count(adjoint.node) for adjoint in adjoints] == [1] * 7

    def products(*gradients):
        return ops_of(*gradients, outside=[loss]).count("multiply")

    assert products(*joint) == 1 + 6 + 4
    # One parameter at a time nothing is shared: a chain of 1 + 1 … 1 + 6 products, and one for ω.
    alone = [products(d) for d in joint]
    assert alone == [7, 5, 3, 1, 8, 6, 4, 2] and sum(alone) == 36


def test_S1_18_shapes_of_gradients():
    a, A = np.ones(4), np.ones((4, 3))
    assert gg.grad(lambda a: np.sum(a**2))(a).shape == (4,)
    assert gg.grad(lambda A: np.sum(A**2))(A).shape == (4, 3)


def test_S1_19_layouts_of_a_jacobian():
    A = np.array([[1.0, 2, 3, 4], [0, -1, 2, 5], [7, 1, 1, -2]])

    def f(a):
        return np.sin(A @ a) + a[:3] ** 2

    a = np.array([0.1, -0.2, 0.3, 0.4])
    rows_are_variables = gg.jacobian(f, layout="denominator")(a)
    rows_are_functions = gg.jacobian(f, layout="numerator")(a)
    assert rows_are_variables.shape == (4, 3) and rows_are_functions.shape == (3, 4)
    assert (rows_are_variables == rows_are_functions.T).all()
    expected = np.cos(A @ a)[:, None] * A + np.eye(3, 4) * 2 * a
    close(rows_are_functions, expected)
    assert (gg.jacobian(f)(a) == rows_are_functions).all()


def test_S1_20_jacobian_of_a_linear_layer():
    beta3, omega3 = -0.4, 2.0
    assert gg.grad(lambda h: beta3 + omega3 * h)(0.7) == omega3

    (beta, omega), h = LAYERS[0], np.array([1.0, -2.0])

    def layer(h):
        return beta + omega @ h

    assert (gg.jacobian(layer, layout="denominator")(h) == omega.T).all()
    assert (gg.jacobian(layer, layout="numerator")(h) == omega).all()


def test_S1_21_jacobian_by_the_bias():
    assert gg.grad(lambda beta3: beta3 + 2.0 * 0.7)(-0.4) == 1

    beta, omega = LAYERS[0]
    identity = gg.jacobian(lambda beta: beta + omega @ INPUT)(beta)
    assert (identity == np.eye(3)).all()

    # The pullback passes the cotangent on as it is: no identity matrix anywhere.
    b, v = gg.variables("b v", shape=(3,))
    (found,) = gg.gradients(np.dot(v, b + omega @ INPUT), [b])
    assert found.node is v.node


def network_graph():
    """The pre-activations f0 … f3 on variables, the loss, and the numbers for all variables."""
    layers = [
        (gg.variable(f"b{k}", beta.shape), gg.variable(f"W{k}", omega.shape))
        for k, (beta, omega) in enumerate(LAYERS)
    ]
    f = network(layers, INPUT)
    loss = np.sum((f[-1] - TARGET) ** 2)
    variables = [variable for pair in layers for variable in pair]
    numbers = [array for pair in LAYERS for array in pair]
    return f, loss, dict(zip(variables, numbers))


def test_S1_22_matrix_forward_pass():
    f, loss, values = network_graph()
    g = gg.ComputationalGraph(loss)
    close(g.forward(values), 1.62333081)
    expected = [(1.2, 0.3, -0.6), (0.35, 0.77), (0.125, 0.963), (-0.7741,)]
    for found, value in zip(f, expected):
        close(g.values[found], value)
    close(gg.value_and_grad(network_loss)(LAYERS)[0], 1.62333081)


def test_S1_23_matrix_backward_pass():
    f, loss, values = network_graph()
    found = gg.evaluate(gg.gradients(loss, f[::-1]), values)
    expected = [
        (-2.5482,),
        (-3.05784, 1.78374),
        (-1.477956, 3.134286),
        (1.7506134, 0.6090198, 0),
    ]
    for gradient, value in zip(found, expected):
        close(gradient, value)
    for k in (1, 2, 3):  # the lecture's formula
        indicator = gg.evaluate(f[k - 1], values) > 0
        close(found[4 - k], indicator * (LAYERS[k][1].T @ found[3 - k]))


def test_S1_24_matrix_gradients():
    gradients = gg.grad(network_loss)(LAYERS)
    by_f = [
        (1.7506134, 0.6090198, 0),
        (-1.477956, 3.134286),
        (-3.05784, 1.78374),
        (-2.5482,),
    ]
    by_omega = [
        [[1.7506134, -3.5012268], [0.6090198, -1.2180396], [0, 0]],
        [[-1.7735472, -0.4433868, 0], [3.7611432, 0.9402858, 0]],
        [[-1.070244, -2.3545368], [0.624309, 1.3734798]],
        [[-0.318525, -2.4539166]],
    ]
    for (found_beta, found_omega), beta, omega in zip(gradients, by_f, by_omega):
        close(found_beta, beta)
        close(found_omega, omega)
