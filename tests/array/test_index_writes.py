"""Writes and reads at arrays of integers and at masks: NumPy's results, and their derivatives."""

import numpy as np
import pytest

import glassgrad as gg

RNG = np.random.default_rng(0)
X, V = RNG.normal(size=(4, 5)), RNG.normal(size=(2, 5))
MASK = np.array([True, False, True, False])


def rows(x, v):
    x[np.array([0, 2])] = v


def the_last_of_equal_rows_stays(x, v):
    x[np.array([2, 2])] = v


def beside_a_slice(x, v):
    x[1:, [0, 0, 3]] = v[0, :3]


def a_number_at_a_mask(x, v):
    x[x > 0] = 2.0


def rows_at_a_mask(x, v):
    x[MASK] = v


def as_many_values_as_the_mask_has(x, v):
    x[x > 0.5] = v.ravel()[: int(np.count_nonzero(x > 0.5))]


def scaled_at_a_mask(x, v):
    x[x > 0.5] *= 3


def a_mask_and_an_integer(x, v):
    x[MASK, 1] = v[0, :2]


def indices_apart(x, v):
    y = np.stack([x, x * 2])
    y[[0, 1], :, [1, 3]] = v[:, :4]
    x[:] = y[1] + y[[1, 0], 1:2, [0, 4]][0]


def added(x, v):
    np.add.at(x, [0, 0, 1], v[0])
    np.add.at(x, (slice(1, 3), [0, 0]), v[:, :2])
    np.subtract.at(x, (0, [3, 3]), v[1, :2])


@pytest.mark.parametrize(
    "write",
    [
        rows, the_last_of_equal_rows_stays, beside_a_slice, a_number_at_a_mask, rows_at_a_mask,
        as_many_values_as_the_mask_has, scaled_at_a_mask, a_mask_and_an_integer, indices_apart,
        added,
    ],
)  # fmt: skip
def test_writes(write):
    def f(x, v):
        x = x * 1.0
        write(x, v)
        return x

    want = f(X, V)
    for engine in ("reference", "native"):
        np.testing.assert_allclose(gg.jit(f, engine=engine)(X, V), want, rtol=1e-15)
    gg.check_grads(lambda x, v: np.sum(np.sin(f(x, v))), (X, V), order=2)


def test_values_that_do_not_fit_are_errors():
    def too_many(x):
        x[MASK] = np.ones((3, 5))
        return np.sum(x)

    with pytest.raises(ValueError, match=r"shape \(3, 5\) into shape \(2, 5\)"):
        gg.grad(too_many)(X)

    def outside(x):
        x[np.array([0, 4])] = 0.0
        return np.sum(x)

    with pytest.raises(IndexError, match="index 4 is out of range"):
        gg.grad(outside)(X)
