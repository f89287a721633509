"""Digests of graphs: equal where graphs are, and told apart by all that matters."""

import os
import subprocess
import sys

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.graph.digest import digest
from glassgrad.graph.node import Trace, make, new_input
from glassgrad.ops.random import RandomBits


def traced(f, *specs, labels="abc"):
    trace = Trace()
    inputs = [new_input(trace, label, s, d) for label, (s, d) in zip(labels, specs)]
    found = f(*map(gg.Array, inputs))
    outputs = found if isinstance(found, tuple) else (found,)
    return digest([y.node for y in outputs], inputs)


VECTOR = ((4,), "f8")
DIFFERENT = {
    "the op": (lambda x, y: x * y, lambda x, y: x + y),
    "the order of operands": (lambda x, y: x - y, lambda x, y: y - x),
    "the order of outputs": (lambda x, y: (x * y, x + y), lambda x, y: (x + y, x * y)),
    "a number": (lambda x, y: x * 2.0 + y, lambda x, y: x * 3.0 + y),
    "the sign of zero": (lambda x, y: x + 0.0, lambda x, y: x + (-0.0)),
    "a parameter": (lambda x, y: x[1:], lambda x, y: x[:3]),
    "an axis": (lambda x, y: np.outer(x, y).sum(0), lambda x, y: np.outer(x, y).sum(1)),
    "what is shared": (lambda x, y: np.sin(x) + np.sin(x), lambda x, y: np.sin(x) + np.sin(y)),
    "a large constant": (lambda x, y: x @ np.ones((4, 40)), lambda x, y: x @ np.zeros((4, 40))),
    "a constant's shape": (
        lambda x, y: (x * 1.0).sum() * np.ones((2, 6)), lambda x, y: x.sum() * np.ones((3, 4))
    ),
    "a loop's body": (
        lambda x, y: gg.scan(lambda c, r: (c + r, c), x, np.outer(y, x))[0],
        lambda x, y: gg.scan(lambda c, r: (c - r, c), x, np.outer(y, x))[0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENT)
def test_other_graphs_have_other_digests(name):
    one, other = (traced(f, VECTOR, VECTOR) for f in DIFFERENT[name])
    again = traced(DIFFERENT[name][0], VECTOR, VECTOR, labels="pqr")
    assert one is not None and one == again
    assert one != other


def test_shapes_dtypes_and_unused_inputs_count():
    specs = [((4,), "f8"), ((4,), "f4"), ((5,), "f8"), ((4, 1), "f8")]
    found = [traced(np.sin, s) for s in specs] + [traced(lambda x, y: np.sin(x), *[specs[0]] * 2)]
    assert len(set(found)) == 5


def test_a_variable_that_is_no_input_has_no_digest():
    trace = Trace()
    x, y = (new_input(trace, n, (3,), "f8") for n in "xy")
    assert digest([(gg.Array(x) * gg.Array(y)).node], [x]) is None


def test_a_digest_is_the_same_in_another_process():
    code = (
        "import numpy as np, glassgrad as gg\n"
        "from glassgrad.graph.digest import digest\n"
        "from glassgrad.graph.node import Trace, new_input\n"
        "x = new_input(Trace(), 'x', (4,), 'f8')\n"
        "y = gg.scan(lambda c, r: (c * 0.5 + r, c), gg.Array(x).sum(), gg.Array(x))[0]\n"
        "print(digest([y.node], [x]))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1
    assert len(found.pop().strip()) == 64


def test_random_streams_are_told_apart():
    x = new_input(Trace(), "k", (2,), "u4")
    words = [make(RandomBits((3,), stream), x) for stream in (0, 1)]
    assert digest(words[:1], [x]) != digest(words[1:], [x])
