"""Loops with a body (scan) and random words on the native engine."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines import reference
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.target import Target
from glassgrad.graph.node import Trace, make, new_input
from glassgrad.ops.random import RandomBits, normal, split, uniform
from glassgrad.ops.view import rows

CACHE = ObjectCache(None)
KEY = np.array([7, 123456789], np.uint32)


def same(outputs, inputs, arrays, **options):
    found = NativeProgram(outputs, inputs, cache=CACHE, **options)(arrays)
    expected = reference.evaluate(outputs, dict(zip(inputs, arrays)))
    for got, want in zip(found, expected):
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-12 if got.itemsize == 8 else 2e-6)


@pytest.mark.parametrize("level", ["host", "avx2", "sse2"])
def test_random_words_are_those_of_the_reference(level):
    key = new_input(Trace(), "key", (2,), np.uint32)
    target = Target.host() if level == "host" else Target.host().restricted(level)
    shapes = [(), (1,), (3,), (16,), (33,), (5, 7), (0,), (1000,)]
    outputs = [make(RandomBits(s, stream), key) for s in shapes for stream in (0, 1)]
    same(outputs, [key], [KEY], target=target)


def test_distributions_and_split_keys():
    key = new_input(Trace(), "key", (2,), np.uint32)
    second = rows(split(key, 3), 1, 2)
    outputs = [normal(key, (5, 7)), uniform(key, (9,), np.dtype("f4")), second]
    same(outputs, [key], [KEY])


def both(f, *args):
    found, expected = gg.jit(f)(*args), gg.jit(f, engine="reference")(*args)
    for a, b in zip(*(x if isinstance(x, tuple) else (x,) for x in (found, expected))):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_scan(length):
    def f(start, xs):
        return gg.scan(lambda c, x: (c * 0.5 + x, np.sum(c) + x), start, xs)

    both(f, np.ones(2), np.arange(2.0 * length).reshape(length, 2))


def test_scan_that_swaps_and_keeps_its_carries():
    def f(a, b, xs):
        return gg.scan(lambda c, x: ((c[1], c[0] + x), c[0]), (a, b), xs)[0]

    both(f, np.ones(3), np.zeros(3), np.arange(5.0))


def test_gradient_of_a_recurrent_net():
    def loss(w, h, xs):
        last, seen = gg.scan(lambda h, x: (np.tanh(h @ w + x), h), h, xs)
        return np.sum(last**2) + np.sum(seen**3)

    w = np.linspace(-1, 1, 16).reshape(4, 4)
    both(gg.grad(loss), w, np.ones((3, 4)), np.linspace(0, 1, 24).reshape(6, 1, 4))


def test_hessian_and_jacobian():
    x = np.linspace(-2, 2, 9)
    both(gg.hessian(lambda x: np.sum(np.tanh(x) ** 3)), x)
    both(gg.jacobian(lambda x: np.exp(x) * np.sum(x)), x)


def test_an_index_out_of_range_inside_a_loop():
    f = gg.jit(lambda i, xs: gg.scan(lambda c, x: (c + 1, x[c]), i, xs)[1])
    xs = np.arange(12.0).reshape(4, 3)
    assert (f(np.array([-1]), xs[:3]) == [[2], [3], [7]]).all()
    with pytest.raises(IndexError, match="out of range"):
        f(np.array([0]), xs)
