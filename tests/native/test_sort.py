"""Sorting on the native engine: NumPy's order, bit for bit."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.graph.node import Trace, new_input
from glassgrad.ops.sort import sort
from glassgrad.ops.view import transpose

RNG = np.random.default_rng(5)
DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"]


def sample(dtype, shape):
    values = RNG.integers(0, 9, shape) if dtype != "?" else RNG.integers(0, 2, shape)
    found = values.astype(dtype)
    if found.dtype.kind in "if":
        found = (found - np.array(4, dtype)).astype(dtype)
    if found.dtype.kind == "f" and found.size:
        flat = found.reshape(-1)
        flat[::5], flat[1::7], flat[2::11], flat[3::13] = np.nan, -0.0, -np.inf, np.inf
    return found


def check(x, axis, turned=False):
    node = new_input(Trace(), "x", x.shape, x.dtype)
    seen = transpose(node, (1, 0)) if turned else node
    values, places = NativeProgram([*sort(seen, axis)], [node], cache=ObjectCache(None))([x])
    y = x.T if turned else x
    expected = np.argsort(y, axis, kind="stable")
    assert places.dtype == np.int64
    assert (places == expected).all()
    assert values.tobytes() == np.take_along_axis(y, expected, axis).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_and_indices(dtype):
    check(sample(dtype, (3, 37)), 1)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 8, 9, 1000])
def test_lengths(n):
    check(sample("f8", (n,)), 0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_axes(axis):
    check(sample("f4", (5, 4, 3)), axis)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_transposed_operand(axis):
    check(sample("i4", (7, 6)), axis, turned=True)


def test_empty_rows():
    check(sample("f8", (0, 5)), 1)
    check(sample("f8", (5, 0)), 0)


def test_numpy_and_gradient():
    def f(x):
        order = np.argsort(x, axis=0)
        return np.sum(np.sort(np.sin(x), axis=1) * np.arange(6.0)) + np.sum(x * order)

    x = RNG.standard_normal((5, 6))
    for transform in (lambda f: f, gg.grad):
        found = gg.jit(transform(f))(x)
        np.testing.assert_allclose(found, gg.jit(transform(f), engine="reference")(x), rtol=1e-12)


def test_permutation():
    key = gg.random.key(3)
    draw = gg.jit(lambda key: gg.random.permutation(key, 101))
    assert (draw(key) == gg.random.permutation(key, 101)).all()


def test_the_report_says_sort():
    f = gg.jit(np.sort)
    f(np.arange(4.0))
    assert "sort along axis 0" in f.report()
