"""Graphs as JSON: what is written loads back to the same graph, and nothing else loads."""

import json

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.graph.errors import GraphError
from glassgrad.graph.function import Function
from glassgrad.graph.node import Input
from glassgrad.graph.serial import dumps, loads
from glassgrad.graph.traverse import topological_order


def as_function(outputs):
    """A graph with its inputs numbered: equal for equal graphs of different traces."""
    inputs = [n for n in topological_order(outputs) if isinstance(n.op, Input)]
    return Function(inputs, outputs)


def sample_graphs():
    a, b = gg.variables("a b")
    x = gg.variable("x", (3, 2))
    w = gg.variable("w", (2,), np.float32)
    i = gg.variable("i", (4,), np.int64)
    loss = np.sum(np.tanh(x @ np.arange(2.0)) ** 2)
    last, kept = gg.scan(lambda c, row: (np.sin(c + row), c), np.zeros(2), x)
    return {
        "scalars": [(a + b) * (b + 1)],
        "gradient": gg.gradients((a + b) * (b + 1), [a, b]),
        "network": [loss, *gg.gradients(loss, [x])],
        "float32": [np.where(w > 0, np.exp(w), 1.5)],
        "rows": [x[::-1][:2].T, np.take(x, i, axis=0), np.sort(x, axis=0), x.reshape(6)],
        "large constant": [x * np.linspace(0, 1, 6).reshape(3, 2) + np.full((3, 2), np.inf)],
        "special floats": [a * np.nan, a * -0.0, a * np.inf],
        "scan": [last, kept, *gg.gradients(np.sum(last), [x])],
    }


@pytest.mark.parametrize("name", sample_graphs())
def test_a_graph_loads_back_the_same(name):
    nodes = [e.node for e in sample_graphs()[name]]
    text = dumps(nodes)
    again = loads(text)
    assert as_function(again) == as_function(nodes)
    assert dumps(again) == text


def test_a_loaded_graph_computes_the_same():
    x = gg.variable("x", (3,))
    e = np.sum(np.exp(x) * x)
    (again,) = loads(dumps([e.node]))
    (y,) = [n for n in topological_order([again]) if n.name == "input"]
    value = np.array([0.1, -2.0, 3.0])
    assert gg.evaluate(gg.Array(again), {gg.Array(y): value}) == gg.evaluate(e, {x: value})


def base():
    a = gg.variable("a")
    return json.loads(dumps([(np.sin(a) * 2.0).node]))


def changed(change):
    data = base()
    change(data)
    return json.dumps(data)


HOSTILE = {
    "not json": ("{", "no JSON"),
    "a list": ("[]", "no graph file"),
    "another format": ('{"format": "pickle"}', "no graph file"),
    "a later version": (changed(lambda d: d.update(version=99)), "version 99"),
    "no nodes": (changed(lambda d: d.pop("nodes")), "'nodes' must be a list"),
    "unregistered op": (
        changed(lambda d: d["nodes"][1].update(op="os.system")),
        "'os.system' is not registered",
    ),
    "class for an op": (changed(lambda d: d["nodes"][1].update(op="__class__")), "not registered"),
    "op is a list": (changed(lambda d: d["nodes"][1].update(op=["sin"])), "not registered"),
    "unknown parameter": (
        changed(lambda d: d["nodes"][1].update({"with": {"math": 1}})),
        "has no parameters",
    ),
    "missing input": (changed(lambda d: d["nodes"][1].update(inputs=[77])), "row 77"),
    "negative input": (changed(lambda d: d["nodes"][1].update(inputs=[-1])), "row -1"),
    "text input": (changed(lambda d: d["nodes"][1].update(inputs=["0"])), "row '0'"),
    "cycle": (changed(lambda d: d["nodes"][1].update(inputs=[3])), "a cycle: 1 -> 3 -> 1"),
    "cycle with itself": (changed(lambda d: d["nodes"][1].update(inputs=[1])), "a cycle: 1 -> 1"),
    "too many inputs": (changed(lambda d: d["nodes"][1].update(inputs=[0, 0])), "row 1"),
    "short constant": (changed(lambda d: d["nodes"][2].update(shape=[5])), "needs 40"),
    "huge constant": (changed(lambda d: d["nodes"][2].update(shape=[10**9] * 4)), "bytes"),
    "no base64": (changed(lambda d: d["nodes"][2].update(data="%%%")), "base64"),
    "object dtype": (changed(lambda d: d["nodes"][0].update(dtype="object")), "dtype object"),
    "nonsense dtype": (changed(lambda d: d["nodes"][0].update(dtype="f8,f8")), "row 0"),
    "negative shape": (changed(lambda d: d["nodes"][0].update(shape=[-1])), "non-negative"),
    "row is text": (changed(lambda d: d["nodes"].__setitem__(1, "sin")), "not an object"),
    "output outside": (changed(lambda d: d.update(outputs=[9])), "row 9"),
    "deep nesting": ("[" * 100_000, "no JSON"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_damaged_or_hostile_file_is_refused(name):
    text, message = HOSTILE[name]
    with pytest.raises(GraphError) as found:
        loads(text)
    assert message in str(found.value)


def test_a_hostile_parameter_is_refused():
    x = gg.variable("x", (2, 3))
    data = json.loads(dumps([np.sum(x, axis=0).node]))
    for given in ({"kind": "sum"}, {"kind": "sum", "axes": [7]}, {"axes": {"a": 1}}, [1]):
        data["nodes"][1]["with"] = given
        with pytest.raises(GraphError):
            loads(json.dumps(data))
