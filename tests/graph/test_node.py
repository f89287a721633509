"""Nodes: interned within a trace, inputs fresh, constants by bits or identity, origins apart."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.graph.errors import GraphError
from glassgrad.graph.function import Function
from glassgrad.graph.node import Trace, constant, item, new_input
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.sort import sort
from glassgrad.rewrite.pipeline import finish, tidy


def test_equal_nodes_are_one():
    a, b = gg.variables("a b")
    assert (a + b).node is (a + b).node
    assert (a + b).node is not (b + a).node
    assert np.sum(a * b).node is np.sum(a * b).node


def test_inputs_are_never_interned():
    trace = Trace()
    assert new_input(trace, "x", (), "f8") is not new_input(trace, "x", (), "f8")
    twice = gg.grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 2.0)
    assert twice == (2.0, 2.0)


def test_constants_are_known_by_dtype_and_bits():
    trace = Trace()
    assert constant(trace, 0.0) is constant(trace, 0.0)
    assert constant(trace, 0.0) is not constant(trace, -0.0)
    assert constant(trace, True) is not constant(trace, 1.0)
    assert constant(trace, np.float32(1)) is not constant(trace, 1.0)
    assert constant(trace, np.nan) is constant(trace, np.nan)


def test_large_constants_are_known_by_identity_and_read_only():
    trace = Trace()
    x, y = np.arange(100.0), np.arange(100.0)
    first = constant(trace, x)
    assert constant(trace, x) is first
    assert constant(trace, y) is not first
    x[0] = 7.0  # a later write of the caller's
    again = constant(trace, x)
    assert again is not first
    assert first.op.value[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        first.op.value[0] = 1.0


def test_traces_that_meet_become_one():
    (a,) = gg.variables("a")
    (b,) = gg.variables("b")
    e = a * b + 1
    assert a.node.trace.root() is b.node.trace.root() is e.node.trace.root()
    assert gg.evaluate(e, {a: 2.0, b: 3.0}) == 7.0


def test_a_node_with_several_results_is_read_by_items():
    x = new_input(Trace(), "x", (3,), "f8")
    values, places = sort(x, 0)
    assert values.inputs[0] is places.inputs[0]
    assert (values.dtype, places.dtype) == (np.float64, np.int64)
    assert values.inputs[0].outputs == (((3,), np.dtype("f8")), ((3,), np.dtype("i8")))


def test_functions_are_equal_by_structure():
    def square_plus_one():
        x = new_input(Trace(), "anything", (), "f8")
        return Function([x], [x * x + 1.0])

    assert square_plus_one() == square_plus_one()
    assert hash(square_plus_one()) == hash(square_plus_one())
    x = new_input(Trace(), "x", (), "f8")
    assert square_plus_one() != Function([x], [x * x + 2.0])


def test_a_node_remembers_every_line_that_wrote_it():
    (a,) = gg.variables("a")
    first = np.sin(a) * 2
    second = np.sin(a) * 2
    assert first.node is second.node
    lines = {site.line for site in first.node.trace.sites(first.node)}
    assert len(lines) == 2
    assert all("np.sin(a) * 2" in site.text for site in first.node.trace.sites(first.node))


def test_origins_survive_differentiation_and_rewriting():
    (a,) = gg.variables("a")
    y = np.sin(a * a)
    (d,) = gg.gradients(y, [a])
    texts = {s.text for n in topological_order([d.node]) for s in n.trace.sites(n) if n.inputs}
    assert texts == {"y = np.sin(a * a)"}
    (again,) = finish(tidy([d.node]))
    assert again.trace.sites(again)


@pytest.mark.parametrize("n", [1_000, 100_000])
def test_a_deep_chain_is_linear(n):
    """Node counts, not times: 2 nodes a step forward, a fixed number a step backward."""
    (x,) = gg.variables("x")
    y = x
    for _ in range(n):
        y = np.sin(y) * 0.5
    order = topological_order([y.node])
    assert len(order) == 2 * n + 2
    (d,) = gg.gradients(y, [x], simplify=False)
    assert len(topological_order([d.node])) <= 6 * n + 10
    value, slope = gg.evaluate([y, d], {x: 0.3})
    assert np.isfinite([value, slope]).all()


def test_an_op_is_immutable_and_a_graph_has_no_cycle():
    (a,) = gg.variables("a")
    op = np.sum(gg.variable("x", (3,))).node.op
    with pytest.raises(AttributeError, match="immutable"):
        op.axes = (1,)
    with pytest.raises(GraphError, match="does not exist"):
        item(a.node, 0)
