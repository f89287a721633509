"""Programs of many steps stay linear: nodes and elements are counted, not seconds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.diff import reverse
from glassgrad.engines.reference import evaluate
from glassgrad.graph.traverse import topological_order
from glassgrad.rewrite.pipeline import stabilise
from glassgrad.transform.trace import trace_call


def cost(f, x):
    """Nodes, and elements of all their values, in the value and the gradient of f together."""
    traced = trace_call(f, (x,), {}, (0,))
    (y,) = stabilise(traced.outputs)
    order = topological_order([y, *reverse.gradients(y, traced.nodes)])
    return len(order), sum(n.size for n in order)


def scalar_writes(x):
    z = np.zeros(len(x))
    for i in range(len(x)):
        z[i] = x[i] * 2.0
    return np.sum(z * z)


def matrix_writes(x):
    n = len(x) // 4
    z = np.zeros((n, 4))
    for i in range(n):
        for j in range(4):
            z[i, j] = x[4 * i + j]
    return np.sum(z @ z.T)


def row_writes(x):
    z = np.zeros((len(x), 2))
    for i in range(len(x)):
        z[i] = x[i]
    return np.sum(z**2)


def reads(x):
    total = 0.0
    for i in range(len(x)):
        total = total + x[i] * x[i]
    return total


def recurrence(x):
    z = np.zeros(len(x))
    z[0] = x[0]
    for i in range(1, len(x)):
        z[i] = z[i - 1] * 0.5 + x[i]
    return np.sum(z)


@pytest.mark.parametrize("f", [scalar_writes, matrix_writes, row_writes, reads, recurrence])
def test_loops_of_reads_and_writes_are_linear(f):
    sizes = (200, 400, 800)
    nodes, elements = zip(*(cost(f, np.linspace(0.5, 1.5, n)) for n in sizes))
    square = f is matrix_writes  # its product z @ z.T has n*n/16 elements by itself
    for small, large in pairwise(nodes):
        assert large < 2.1 * small
    for small, large in pairwise(elements):
        assert large < (4.1 if square else 2.1) * small


def test_twenty_thousand_scalar_writes_and_reads():
    n = 20_000

    def f(x):
        z = np.zeros(n)
        for i in range(n):
            z[i] = x[i % 4]
        return np.sum(z * z)

    nodes, elements = cost(f, np.array([0.5, 1.0, -2.0, 3.0]))
    assert nodes < 4 * n and elements < 20 * n


def test_a_chain_of_a_hundred_thousand_nodes():
    n = 100_000

    def f(x):
        for _ in range(n):
            x = x * 1.00001
        return x

    traced = trace_call(f, (2.0,), {}, (0,))
    nodes = [*traced.outputs, *reverse.gradients(traced.outputs[0], traced.nodes)]
    assert len(topological_order(nodes)) <= 2 * n + 3
    value, gradient = evaluate(nodes, traced.trace.root().values)
    np.testing.assert_allclose([value, gradient], [2 * 1.00001**n, 1.00001**n], rtol=1e-10)


def test_a_deep_chain_to_second_order_and_forward():
    def f(x):
        for _ in range(1200):
            x = np.sin(x)
        return x

    first = gg.grad(f)(1.0)
    assert gg.jvp(f, (1.0,), (1.0,))[1] == pytest.approx(first, rel=1e-12)
    step = 1e-6
    near = (gg.grad(f)(1.0 + step) - gg.grad(f)(1.0 - step)) / (2 * step)
    assert gg.grad(gg.grad(f))(1.0) == pytest.approx(near, rel=1e-6)
