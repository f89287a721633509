"""Machine code of partial sums, of writes at indices, and the error for what has none."""

import numpy as np
import pytest

import glassgrad as gg


def both(f, *args):
    """The native and the reference result have the same bits."""
    for got, want in zip(gg.jit(f, engine="native")(*args), gg.jit(f, engine="reference")(*args)):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("shape", [(5,), (0,), (7, 3), (2, 0, 3), (2, 3, 40)])
@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64])
def test_partial_sums(shape, dtype):
    x = (np.random.default_rng(0).normal(size=shape) * 9).astype(dtype)
    both(lambda x: [np.cumsum(x, axis=a) for a in range(x.ndim)] + [np.cumsum(x)], x)
    if dtype != np.int32:
        slope = gg.grad(lambda x: np.sum(np.cumsum(x, axis=-1) ** 2))
        np.testing.assert_allclose(
            gg.jit(slope, engine="native")(x), slope(x), rtol=1e-5 if dtype == np.float32 else 1e-13
        )


INDICES = np.array([4, 0, 4, -1, 2])


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float32, np.float64])
def test_the_last_write_stays(dtype):
    def write(x, v, i):
        rows, columns, points = (np.zeros((5, 6), x.dtype) for _ in range(3))
        rows[i] = v
        columns[:, i] = v[:, :5]
        points[i, i[::-1]] = v[0, :5]
        x = x * np.ones((), x.dtype)
        x[1:, i] = v[0, :5]
        return rows, columns, points, x

    rng = np.random.default_rng(1)
    x, v = (rng.integers(0, 2, (5, 6)).astype(dtype) for _ in range(2))
    both(write, x, v, INDICES)
    for got, want in zip(gg.jit(write, engine="native")(x, v, INDICES), write(x, v, INDICES)):
        np.testing.assert_array_equal(got, want)


def test_gradient_of_writes():
    def loss(x, v, i):
        y = np.sin(x)
        y[i] = v * y[0]
        return np.sum(y**2)

    rng = np.random.default_rng(2)
    x, v = rng.normal(size=(5, 6)), rng.normal(size=(5, 6))
    slope = gg.grad(loss, argnums=(0, 1))
    for got, want in zip(gg.jit(slope, engine="native")(x, v, INDICES), slope(x, v, INDICES)):
        np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint32])
def test_division_of_integers(dtype):
    x = np.arange(40).astype(dtype) - np.array(20).astype(dtype)
    y = np.tile(np.arange(5) - 2, 8).astype(dtype)
    y[y == 0] = 3
    both(lambda x, y: [x // y, x % y, np.fmod(x, y), x % 3], x, y)
