"""gg.scan: the same numbers and derivatives as the loop written out."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.graph.errors import ShapeError, UnboundError

W = np.array([0.3, -0.5])
XS = np.random.default_rng(0).normal(size=(5, 2))


def scanned(w, xs):
    last, kept = gg.scan(lambda c, x: (np.tanh(c * w + x), np.sin(c * w)), np.zeros(2), xs)
    return np.sum(last**2) + np.sum(kept * np.arange(2.0))


def unrolled(w, xs):
    c, total = np.zeros(2), 0.0
    for x in xs:
        total = total + np.sum(np.sin(c * w) * np.arange(2.0))
        c = np.tanh(c * w + x)
    return np.sum(c**2) + total


@pytest.mark.parametrize("argnums", [0, 1])
def test_value_gradient_and_hessian(argnums):
    np.testing.assert_allclose(scanned(W, XS), unrolled(W, XS), rtol=1e-14)
    for derivative in (
        gg.grad,
        gg.hessian,
        lambda f, i: gg.jacobian(gg.grad(f, i), i, mode="reverse"),
    ):
        found, wanted = derivative(scanned, argnums)(W, XS), derivative(unrolled, argnums)(W, XS)
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_tangents_of_gradients():
    tangents = (np.ones(2), np.ones((5, 2)))
    found = gg.jvp(gg.grad(scanned, (0, 1)), (W, XS), tangents)[1]
    wanted = gg.jvp(gg.grad(unrolled, (0, 1)), (W, XS), tangents)[1]
    for a, b in zip(found, wanted):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_containers_integers_and_no_rows():
    def body(carry, _):
        return {"n": carry["n"] + 1, "x": carry["x"] * 2.0}, carry["n"]

    last, counts = gg.scan(body, {"n": 0, "x": 1.0}, length=4)
    assert last == {"n": 4, "x": 16.0}
    np.testing.assert_array_equal(counts, [0, 1, 2, 3])


def test_a_long_loop_is_one_node():
    def f(x):
        return gg.scan(lambda c, _: (np.sin(c), None), x, length=10_000)[0]

    value = 0.5
    slope = 1.0
    for _ in range(10_000):
        slope *= np.cos(value)
        value = np.sin(value)
    found = gg.value_and_grad(f)(0.5)
    np.testing.assert_allclose(found, (value, slope), rtol=1e-10)


def test_what_goes_out_must_be_what_came_in():
    with pytest.raises(ShapeError, match="the carry comes in as"):
        gg.scan(lambda c, x: (np.concatenate([c, c]), x), np.zeros(2), XS)
    with pytest.raises(ShapeError, match="one leading length"):
        gg.scan(lambda c, x: (c, x), 0.0, {"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(ShapeError, match=r"must return \(carry, y\)"):
        gg.scan(lambda c, x: c, 0.0, np.zeros(2))


def test_a_branch_on_a_loop_variable_says_what_to_write():
    with pytest.raises(UnboundError, match=r"np\.where instead of if.*\n.*test_scan\.py"):
        gg.scan(lambda c, x: (c if x > 0 else -c, None), 1.0, np.ones(3))


def test_a_length_is_a_whole_number_from_0():
    def body(c, _):
        return c + 1, c

    assert gg.scan(body, 0.0, None, length=np.int64(0))[0] == 0.0
    with pytest.raises(ValueError, match=r"found \[-1\](.|\n)*test_scan\.py"):
        gg.scan(body, 0.0, None, length=-1)
    with pytest.raises(TypeError):
        gg.scan(body, 0.0, None, length=2.5)


def test_a_carry_of_another_shape_is_an_error_with_the_line():
    with pytest.raises(ValueError, match=r"the carry comes in as float64\[2\](.|\n)*test_scan\.py"):
        gg.scan(lambda c, _: (np.concatenate([c, c]), None), np.ones(2), None, length=2)
