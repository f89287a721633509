"""Every registered op in every dtype and layout: the native engine against the reference engine.

The operands are views that only move elements, so both engines compute on the same numbers; the
fused program is then held to the bound of each op's family (4 ULP for elementwise functions, exact
for integers and for what moves elements, the forward error for sums).
"""

from __future__ import annotations

import numpy as np
import pytest

import glassgrad.ops  # noqa: F401  (fills the registry)
from glassgrad.engines import reference
from glassgrad.engines.compare import compared
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.graph.dtype import SUPPORTED
from glassgrad.graph.errors import DTypeError, GraphError, ShapeError
from glassgrad.graph.family import Elementwise, broadcast_to
from glassgrad.graph.node import Trace, item, make, new_input
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.view import slice_, transpose
from glassgrad.rewrite.pipeline import finish
from oracle.instances import INSTANCES, random_instances

CACHE = ObjectCache(None)
ELEMENTWISE = [op for op in REGISTRY.values() if isinstance(op, Elementwise)]


class Built:
    """Nodes on inputs with known arrays; every operand is a view of an input of its own."""

    def __init__(self):
        self.trace, self.arrays, self.nodes = Trace(), {}, []

    def given(self, array):
        """An input that holds this array."""
        node = new_input(self.trace, f"x{len(self.arrays)}", array.shape, array.dtype)
        self.arrays[node] = array
        return node

    def check(self):
        """The fused program, called with arrays in Fortran's order, agrees at every node."""
        inputs = list(self.arrays)
        program = NativeProgram(finish(self.nodes), inputs, cache=CACHE)
        with np.errstate(all="ignore"):  # integer divisions by zero are told
            found = program([np.array(a, order="F") for a in self.arrays.values()])
        for node, value in zip(self.nodes, found):
            owner = node.inputs[0] if node.name == "item" else node
            operands = reference.evaluate(owner.inputs, self.arrays)
            values = dict(zip(owner.inputs, operands)) | {node: value}
            assert value.dtype == node.dtype and value.shape == node.shape
            difference = compared(node, values)
            assert difference is None, f"{[x.name for x in owner.inputs]}: {difference}"


# -- layouts: a node with the elements of an array, and how they lie ------------------------------


def contiguous(built, x):
    return built.given(x)


def transposed(built, x):
    return transpose(built.given(np.array(x.T, order="C")), tuple(range(x.ndim))[::-1])


def sliced(built, x):
    """Every other element of a larger array, the last axis from its end."""
    large = np.ones([2 * n + 1 for n in x.shape], x.dtype)
    steps = [2] * (x.ndim - 1) + [-2] * (x.ndim > 0)
    starts = [1] * (x.ndim - 1) + [2 * n - 1 if n else 0 for n in x.shape[-1:]]
    part = tuple(slice(1, None, 2) for _ in x.shape)
    large[part] = x[..., ::-1] if x.ndim else x
    return slice_(built.given(large), tuple(starts), tuple(steps), x.shape)


def broadcast(built, x):
    """The first row, for each row; of one number, that number."""
    first = x[:1] if x.ndim and x.shape[0] else x
    return broadcast_to(built.given(np.array(first, order="C")), x.shape)


LAYOUTS = (contiguous, transposed, sliced, broadcast)
SHAPES = [(5, 7), (67,), (), (0, 7), (2, 1, 3, 2, 2)]


def numbers(low, high, shape, dtype, seed):
    """Numbers of an interval; for integers all that the dtype holds."""
    rng = np.random.default_rng([seed, *shape])
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind == "f":
        return np.asarray(rng.uniform(low, high, shape)).astype(dtype)
    info = np.iinfo(dtype)
    return np.asarray(rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True))


def operands_of(op, shape, dtype):
    """Arrays inside the op's domain, as far as it has one for this dtype."""
    arrays = [numbers(*s, shape, dtype, i) for i, s in enumerate(op.samples)]
    if op.name == "where":
        arrays[0] = numbers(0, 1, shape, np.dtype(bool), 0)
    if op.name == "power" and dtype.kind == "i":
        arrays[1] = np.abs(arrays[1] // 2)  # the least number has no absolute value
    if op.name.startswith("logical_"):
        arrays = [a > 0 for a in arrays]
    return arrays


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_elementwise(op):
    built = Built()
    for dtype in SUPPORTED:
        for shape in SHAPES:
            arrays = operands_of(op, shape, dtype)
            converted = op.result == "float" and dtype.kind != "f"  # the same code after a cast
            for i, layout in enumerate(LAYOUTS[:1] if converted else LAYOUTS):
                others = [LAYOUTS[(i + j) % len(LAYOUTS)] for j in range(1, op.arity)]
                xs = [lay(built, a) for lay, a in zip((layout, *others), arrays)]
                try:
                    built.nodes.append(op.apply(*xs))
                except DTypeError:  # negative of booleans
                    assert dtype.kind == "b"
    built.check()


def structural(instance, seed):
    built = Built()
    for dtype in SUPPORTED:
        for layout in LAYOUTS:
            arrays = [
                array if isinstance(given, np.ndarray) else np.asarray(array * 3).astype(dtype)
                for given, array in zip(instance.operands, instance.arrays(seed))
            ]
            if layout is broadcast and any(isinstance(x, np.ndarray) for x in instance.operands):
                continue  # rows of equal indices are another computation
            try:
                node = make(instance.op, *(layout(built, a) for a in arrays))
            except (DTypeError, ShapeError, GraphError):  # logsumexp of integers
                assert dtype.kind != "f"
                continue
            several = node.outputs is not None
            built.nodes += [item(node, i) for i in range(len(node.outputs))] if several else [node]
    built.check()


@pytest.mark.parametrize("number", range(len(INSTANCES)), ids=lambda i: str(INSTANCES[i]))
def test_structural(number):
    structural(INSTANCES[number], number)


@pytest.mark.parametrize("block", range(6))
def test_structural_in_random_shapes(block):
    for i, instance in enumerate(random_instances(14, 100 + block)):
        structural(instance, i)
