"""Loops on the native engine: in registers, through memory, nested, and their gradients."""

import numpy as np
import pytest

import glassgrad as gg


def agree(f, *args, rtol=1e-12, said=""):
    compiled = gg.jit(f)
    found, expected = compiled(*args), gg.jit(f, engine="reference")(*args)
    assert said in compiled.report()
    for a, b in zip(*(x if isinstance(x, tuple) else (x,) for x in (found, expected))):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-13)
    return found


REGISTERS = "in registers"


def rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


@pytest.mark.parametrize("length", [0, 1, 2, 7])
def test_a_descent_in_registers(length):
    slope = gg.grad(rosenbrock, argnums=(0, 1))

    def descend(x, y):
        def step(c, _):
            a, b = slope(*c)
            return (c[0] - 1e-3 * a, c[1] - 1e-3 * b), rosenbrock(*c)

        return gg.scan(step, (x, y), length=length)

    flat = lambda x, y: (lambda last, seen: (*last, seen))(*descend(x, y))  # noqa: E731
    agree(flat, -1.2, 1.0, said=REGISTERS if length else "")


def test_a_descent_in_a_vector():
    slope = gg.grad(lambda p: rosenbrock(p[0], p[1]))

    def descend(p):
        return gg.scan(lambda p, _: (p - 1e-3 * slope(p), np.sum(p)), p, length=9)

    agree(descend, np.array([-1.2, 1.0]), said=REGISTERS)


def test_the_same_bits_as_without_a_loop():
    def body(p):
        return p * 0.75 + np.sum(p * p) / 7 - np.max(p) * np.sin(p[0])

    def looped(p):
        return gg.scan(lambda p, _: (body(p), None), p, length=6)[0]

    def written(p):
        for _ in range(6):
            p = body(p)
        return p

    for dtype in ("f4", "f8"):
        p = np.linspace(-1, 1, 3).astype(dtype)
        assert gg.jit(looped)(p).tobytes() == gg.jit(written)(p).tobytes()


def test_every_op_of_small_bodies():
    def body(c, x):
        a, n, flag = c
        turned = np.concatenate([a[::-1], a[:1]])[:4].reshape(2, 2).T
        filled = np.zeros(4)
        filled[1:3] = x
        low, high = np.min(turned, axis=0), np.max(turned, axis=1)
        a = np.where(flag, a * 0.5, filled) + np.mean(low) - high[1]
        n = n + (a > 0).sum() + x.astype(np.int64).sum()
        return (a, n, np.any(a > x[0]) & ~flag), (a[1:], np.all(a < 9), n)

    def f(a, n, flag, xs):
        (a, n, flag), (rows, every, counts) = gg.scan(body, (a, n, flag), xs)
        return a, n, flag, rows, every, counts

    xs = np.linspace(-3, 3, 10).reshape(5, 2)
    agree(f, np.arange(4.0), np.int64(3), np.bool_(True), xs, said=REGISTERS)


@pytest.mark.parametrize("n", [2, 3, 40])
def test_nested_scans_and_their_gradient(n):
    def f(w, xs):
        def outer(c, row):
            inner, seen = gg.scan(lambda a, x: (np.tanh(a * w + x), a), c, row[:, None])
            return inner, np.sum(seen * inner)

        last, sums = gg.scan(outer, w * 0.5, xs)
        return np.sum(last) + np.sum(sums**2)

    w, xs = np.linspace(-1, 1, n), np.linspace(0, 1, 12).reshape(3, 4)
    agree(f, w, xs)
    agree(gg.grad(f, argnums=(0, 1)), w, xs, rtol=1e-10)


def test_gradient_of_a_small_recurrence():
    def f(a, xs):
        last, seen = gg.scan(lambda c, x: (np.sin(c) * a + x, c), 0.5, xs)
        return last**2 + np.sum(seen)

    xs = np.linspace(0, 1, 20)
    agree(gg.grad(f, argnums=(0, 1)), 0.7, xs, said=REGISTERS)
    agree(gg.grad(gg.grad(f)), 0.7, xs, said=REGISTERS)


def test_what_a_body_captures_is_not_a_row():
    def f(m, xs):
        return gg.scan(lambda c, x: (c @ m + x, c[0]), np.ones(3), xs)

    agree(f, np.linspace(-1, 1, 9).reshape(3, 3), np.arange(12.0).reshape(4, 3))


def test_a_sort_in_a_loop():
    def f(x):
        return gg.scan(lambda c, _: (np.sort(np.sin(c * 3)), np.argsort(c)), x, length=4)

    agree(f, np.linspace(-2, 2, 7))


def test_integers_wrap_in_loops_as_in_numpy():
    def f(x):
        return gg.scan(lambda c, _: (c * np.int32(1664525) + np.int32(1013904223), c), x, length=9)

    agree(f, np.int32(7), said=REGISTERS)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_shorter_chains_have_the_same_bits(dtype):
    largest, least = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    numbers = [0.0, -0.0, 1.0, -3.3, 1e-20, least, -least, largest, largest / 3, np.inf, np.nan]

    def body(c, x):
        y = 100 * (2 * x) - (3 * (0.5 * x)) + 0.1 * (4 * x)
        return c, (100 * (2 * x), y, -(x * (2 * c)), 7 * (1024 * (8 * x)), -3 * (2 * x))

    def looped(c, xs):
        return gg.scan(body, c, xs)[1]

    def written(c, xs):
        return tuple(np.stack(y) for y in zip(*(body(c, xs[i])[1] for i in range(len(numbers)))))

    xs, c = np.array(numbers, dtype), np.dtype(dtype).type(1.7)
    for a, b in zip(gg.jit(looped)(c, xs), gg.jit(written)(c, xs)):
        np.testing.assert_array_equal(a, b)
        assert (np.signbit(a) == np.signbit(b))[~np.isnan(a)].all()
