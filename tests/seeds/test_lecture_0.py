"""Lecture "Gradient and backpropagation" (Habernal): its numbers, through the public API."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from agreement import close, nodes_of, shown

import glassgrad as gg
from glassgrad.graph.serial import dumps, loads


def rosenbrock(x, y, a=1, b=100):
    return (a - x) ** 2 + b * (y - x**2) ** 2


def rosenbrock_of(p):
    return rosenbrock(p[0], p[1])


START = np.array([-1.8, 1.5])


def compiled(variables, *expressions):
    """Expressions as one plain Python function: what glassgrad prints is code that runs."""
    body = ", ".join(str(e) for e in expressions)
    return eval(f"lambda {', '.join(map(str, variables))}: ({body})")


def test_S0_03_three_products():
    x, y = gg.variables("x y", shape=(3,))
    A, B = gg.variable("A", (2, 3)), gg.variable("B", (3, 4))
    products = {"x*y": x * y, "dot(x, y)": np.dot(x, y), "A @ B": A @ B}
    assert [str(e) for e in products.values()] == list(products)
    ops = [e.node.op for e in products.values()]
    assert [repr(op).partition("(")[0] for op in ops] == ["multiply", "dot", "matmul"]
    assert len(set(ops)) == 3

    assert products["A @ B"].shape == (2, 4)
    C = gg.variable("C", (2, 4))
    with pytest.raises(ValueError) as caught:
        A @ C  # the line that the message shows
    message = str(caught.value)
    assert "matmul" in message and "(2, 3)" in message and "(2, 4)" in message
    assert "test_lecture_0.py" in message and "A @ C" in message


def test_S0_05_squared_loss():
    y, guess = np.array([1.0, 2.0, 3.0]), np.array([1.5, 1.0, 3.0])

    def risk(guess):
        return np.mean((y - guess) ** 2)

    value, gradient = gg.value_and_grad(risk)(guess)
    close(value, 0.4166666666666667)
    close(gradient, [1 / 3, -2 / 3, 0])


def test_S0_07_composition():
    def f(x):
        return np.sin(x) ** 2

    def g(u):
        return np.exp(u) + u

    def compose(g, f):
        return lambda x: g(f(x))

    x = gg.variable("x")
    assert compose(g, f)(x).node is g(f(x)).node
    assert compose(g, f)(0.7) == g(f(0.7))
    assert gg.evaluate(compose(g, f)(x), {x: 0.7}) == g(f(0.7))


def test_S0_09_derivative_is_a_function():
    D = gg.grad
    assert callable(D(np.sin)) and callable(D(D(np.sin)))
    assert D(D(lambda x: x**3))(2.0) == 12
    for c in (-1.0, 0.0, 2.5):
        close(D(np.sin)(c), np.cos(c))
    assert str(D(np.sin)(gg.variable("x"))) == "cos(x)"
    assert str(D(np.sin)(gg.variable("t"))) == "cos(t)"


def test_S0_11_descent_in_one_dimension():
    def descend(f, x, rate, steps):
        slope = gg.grad(f)
        path = [x]
        for _ in range(steps):
            path.append(path[-1] - rate * slope(path[-1]))
        return np.array(path)

    def quartic(x):
        return (x**2 + 1) ** 2

    path = descend(quartic, 1.0, 0.05, 4)
    close(path[1:], [0.6, 0.4368, 0.3327722151936, 0.25884770968807547])
    assert (np.diff(quartic(path)) < 0).all()

    close(descend(np.square, 1.0, 0.1, 10)[-1], 0.1073741824)
    close(descend(np.square, 1.0, 1.1, 10)[-1], 6.1917364224)
    for rate, converges in [(-0.1, 0), (0.01, 1), (0.5, 1), (0.99, 1), (1.0, 0), (1.01, 0)]:
        path = abs(descend(np.square, 1.0, rate, 50))
        assert (path[-1] < path[0]) == bool(converges)


def test_S0_12_rosenbrock():
    points = {
        (-1.8, 1.5): (310.6, (-1258.4, -348)),
        (0.0, 0.0): (1, (-2, 0)),
        (-1.5, 2.0): (12.5, (-155, -50)),
        (1.0, 1.0): (0, (0, 0)),
    }
    for point, (value, gradient) in points.items():
        found, slopes = gg.value_and_grad(rosenbrock, argnums=(0, 1))(*point)
        close(found, value)
        close(slopes, gradient)

    x, y = gg.variables("x y")
    by_x, by_y = gg.gradients(rosenbrock(x, y), [x, y])
    for found, slide in [
        (by_x, -400 * x * y + 400 * x**3 + 2 * x - 2),
        (by_y, 200 * y - 200 * x**2),
    ]:
        assert gg.simplify(found, expand=True).node is gg.simplify(slide, expand=True).node


def test_S0_13_descent_on_rosenbrock():
    x, y = gg.variables("x y")
    by_x, by_y = gg.gradients(rosenbrock(x, y), [x, y])
    slopes = compiled([x, y], by_x, by_y)

    def path(rate, steps):
        x, y = START
        for _ in range(steps):
            u, v = slopes(x, y)
            x, y = x - rate * u, y - rate * v
            yield x, y

    steps = list(path(1e-3, 3))
    close(steps[0], (-0.5416, 1.848))
    shown(steps[1], "-0.87532038748 1.537066112")
    shown(steps[2], "-1.14147665481 1.38289004575")
    shown([rosenbrock(*p) for p in steps], "244.076… 62.942… 5.2246…")

    with np.errstate(over="ignore", invalid="ignore"):
        for rate in (0.005, 0.01):
            values = [rosenbrock(*p) for p in path(rate, 3)]
            assert rosenbrock(*START) < values[0] < values[1] < values[2] and values[2] > 1e20

    # All rates at once: the same formulas on arrays.
    rates = np.array([1e-3, 5e-4, 2e-3])
    first = np.zeros(3, int)
    x, y = np.full(3, START[0]), np.full(3, START[1])
    for step in range(64878 + 1):
        u, v = slopes(x, y)
        small = (np.hypot(u, v) < 1e-6) & (first == 0)
        first[small] = step
        x, y = x - rates * u, y - rates * v
    assert first.tolist() == [32271, 64878, 0]

    largest = np.linalg.eigvalsh(gg.hessian(rosenbrock_of)(np.ones(2)))[-1]
    shown(largest, "1001.6006")
    shown(2 / largest, "0.0019968")
    assert 1e-3 < 2 / largest < 2e-3


def test_S0_15_hessian_of_rosenbrock():
    hessian = gg.hessian(rosenbrock_of)
    H = hessian(np.array([1.0, 1.0]))
    close(H, [[802, -400], [-400, 200]])
    small, large = np.linalg.eigvalsh(H)
    shown([small, large, large / small], "0.3993607674876 1001.600639233 2508.0096")
    close(hessian(START), [[3290, 720], [720, 200]])


def test_S0_16_partial_derivatives():
    x1, x2, x3 = gg.variables("x1 x2 x3")
    f = x1**2 * x2 + np.cos(x3)
    partials = gg.gradients(f, [x1, x2, x3])
    assert [str(d) for d in partials] == ["2*x1*x2", "x1**2", "-sin(x3)"]
    values = gg.evaluate([f, *partials], {x1: 1.0, x2: 2.0, x3: 3.0})
    close(values, [1.0100075033995546, 4, 1, -0.1411200080598672])


def test_S0_17_multivariate_chain_rule():
    u, v = gg.variables("u v")
    q, h = u * v, u + v
    g = gg.ComputationalGraph(q**2 * h)
    close(g.forward({u: 2.0, v: 3.0}), 180)
    g.backward()
    close(g.gradients[u], 216)
    close(g.gradients[v], 156)

    def paths_to(x):
        terms = [gg.Array(term.node) for term in g.ledger.terms[x.node]]
        return sorted(gg.evaluate(terms, {u: 2.0, v: 3.0}))

    close(paths_to(u), [36, 180])
    close(paths_to(v), [36, 120])


def test_S0_18_steepest_ascent():
    gradient = gg.grad(rosenbrock_of)(START)
    norm = np.linalg.norm(gradient)
    close(norm, 1305.6318623563077)
    shown(gradient / norm, "-0.96382451768 -0.26653761296")

    angles = 2 * np.pi * np.arange(3600) / 3600
    directions = np.stack([np.cos(angles), np.sin(angles)])
    here = np.full(3600, START[0]), np.full(3600, START[1])
    _, slopes = gg.jvp(rosenbrock, here, tuple(directions))
    assert (slopes <= norm).all()
    best = slopes.argmax()
    assert slopes[best] >= norm * (1 - 1e-6)
    assert np.linalg.norm(directions[:, best] - gradient / norm) <= np.pi / 3600

    _, slope = gg.jvp(rosenbrock_of, (START,), (gradient / norm,))
    close(slope, norm)
    _, slope = gg.jvp(rosenbrock_of, (START,), (np.ones(2) / np.sqrt(2),))
    shown(slope, "-1135.8963333")


def test_S0_19_gradient_means_two_things():
    x = gg.variable("x", (2,))
    (d,) = gg.gradients(np.sum(x**3), [x])
    assert repr(d).startswith("<expression ") and str(d) == "3*x**2"
    value = gg.evaluate(d, {x: np.array([1.0, 2.0])})
    assert isinstance(value, np.ndarray) and value.tolist() == [3, 12]

    function = gg.grad(lambda x: np.sum(x**3))
    assert repr(function).startswith("<gradient function of ")
    assert function(np.array([1.0, 2.0])).tolist() == [3, 12]


def test_S0_23_a_graph_is_no_tree():
    a, b = gg.variables("a b")
    r, s = a + b, b + 1
    e = r * s
    g = gg.ComputationalGraph(e)
    one = next(n for n in g.nodes if n.name == "const")
    assert set(g.nodes) == {a.node, b.node, one, r.node, s.node, e.node} and len(g.nodes) == 6
    assert g.consumers(b) == [r.node, s.node]  # the parents of b
    assert g.arguments(r) == (a.node, b.node)  # the children of r

    file = json.loads(dumps([e.node]))
    names = [row["op"] for row in file["nodes"]]
    first, last = names.index("add"), names.index("multiply")
    file["nodes"][first]["inputs"][0] = last
    with pytest.raises(ValueError, match=f"cycle.*{first} -> {last} -> {first}"):
        loads(json.dumps(file))


def test_S0_24_working_example():
    a, b = gg.variables("a b")
    r, s = a + b, b + 1
    e = r * s
    g = gg.ComputationalGraph(e)
    assert g.forward({a: 2.0, b: 1.0}) == 6
    g.backward()
    assert [g.values[n] for n in (r, s, e)] == [3, 2, 6]
    assert [g.gradients[n] for n in (e, r, s, a, b)] == [1, 2, 3, 2, 5]
    assert gg.evaluate([*gg.gradients(r, [a, b]), *gg.gradients(s, [b])], {}) == [1, 1, 1]

    assert g.forward({a: 2.0, b: 3.0}) == 20
    g.backward()
    assert [g.values[n] for n in (r, s)] == [5, 4]
    assert [g.gradients[n] for n in (a, b)] == [4, 9]

    assert [str(d) for d in gg.gradients(e, [a, b])] == ["b + 1", "a + 2*b + 1"]


def test_S0_26_several_consumers():
    x = gg.variable("x")
    g = gg.ComputationalGraph(2 * x + x**2 + np.sin(x))
    g.forward({x: 1.0})
    g.backward()
    close(g.gradients[x], 4.5403023058681398)
    assert len(g.consumers(x)) == 3
    summands = [gg.Array(term.node) for term in g.ledger.terms[x.node]]
    close(sorted(gg.evaluate(summands, {x: 1.0})), [np.cos(1.0), 2, 2])


def test_S0_27_value_and_partials():
    product = gg.define_op("S0_27_product", lambda x, y: x * y, partials=lambda x, y: (y, x))
    assert product(2.0, 3.0) == 6
    assert gg.grad(product, argnums=(0, 1))(2.0, 3.0) == (3, 2)
    assert gg.grad(lambda x: product(x, x))(3.0) == 6
    assert gg.grad(gg.grad(lambda x: product(x, x)))(3.0) == 2

    # The partial rule that is given is the one that is used: straight through a step.
    step = gg.define_op("S0_27_step", lambda x: np.floor(x), partials=lambda x: 1.0)
    assert (step(2.5), gg.grad(step)(2.5), gg.grad(np.floor)(2.5)) == (2, 1, 0)

    derived = gg.define_op("S0_27_derived", lambda x, y: x * np.exp(y))
    e = np.exp(3.0)
    close(gg.grad(derived, argnums=(0, 1))(2.0, 3.0), (e, 2 * e))

    for f, value, slope in [
        (lambda x: x - x, 0, 0),
        (lambda x: x / x, 1, 0),
        (lambda x: x**x, 4, 6.772588722239782),
    ]:
        found = gg.value_and_grad(f)(2.0)
        close(found, (value, slope))

    x = gg.variable("x")
    assert [str(gg.gradients(e, [x])[0].node.name) for e in (x - x, x / x)] == ["const", "const"]


def test_S0_28_everything_once():
    a, b = gg.variables("a b")
    r, s = a + b, b + 1
    e = np.sin(r * s) * (r * s) + r
    g = gg.ComputationalGraph(e)
    g.forward({a: 2.0, b: 1.0})
    g.backward()
    computed = [n for n in g.nodes if n not in g.inputs]
    assert list(g.evaluations) == computed  # in topological order
    assert set(g.evaluations.values()) == {1}

    visited = [n for n in g.ledger.totals if n.inputs]  # one adjoint each, consumers first
    assert visited == [n for n in reversed(g.nodes) if n.inputs]
    assert len(g.gradients) == len(g.nodes)


def test_S0_29_caching():
    def diamonds(v, n=60):
        for _ in range(n):
            v = np.sin(v) + np.cos(v)
        return v

    value, slope = gg.value_and_grad(diamonds)(0.3)
    close(value, 1.2587281774927206)
    close(slope, -3.683426961125037e-12)

    x = gg.variable("x")
    sizes = []
    for n in (60, 120, 180):
        e = diamonds(x, n)
        (d,) = gg.gradients(e, [x])
        assert len(nodes_of(e)) == 3 * n + 1
        sizes.append(len(nodes_of(e, d)))
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] <= 60 * 12


def test_S0_30_nested_functions():
    def f(u):
        return np.exp(u)

    def g(v):
        return np.sin(v)

    def h(x):
        return x**2

    def y(x):
        return f(g(h(x)))

    D = gg.grad
    a = 1.0
    close(y(a), 2.319776824715853)
    factors = [D(f)(g(h(a))), D(g)(h(a)), D(h)(a)]
    close(factors, [2.319776824715853, 0.5403023058681398, 2])
    close(D(y)(a), 2.506761534986894)
    close(np.prod(factors), 2.506761534986894)
    close(D(y)(0.5), 1.240882609167237)


WITHOUT_NETWORKS = """
import sys
for part in ("nn", "text", "data", "train", "cli"):
    sys.modules["glassgrad." + part] = None  # an import of it fails
import numpy as np
import glassgrad as gg
from glassgrad import optim

def f(p):
    return np.exp(np.sin(p[0] ** 2)) + (p[1] - 3) ** 2

opt = optim.SGD(lr=0.1)
p = np.array([0.5, 0.0])
state = opt.init(p)
for _ in range(200):
    p, state = opt.step(p, gg.grad(f)(p), state)
print(abs(p[0]) < 1e-12, abs(p[1] - 3) < 1e-12)
"""


def test_S0_31_core_without_networks():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORKS], capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.stderr) == (["True", "True"], "")
