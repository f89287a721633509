"""Programs for every size of a batch: right for each, and compiled once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native.extents import Extents, FixedSizeError
from glassgrad.transform.sizes import varying_axes

SIZES = (9, 2, 3, 16, 17, 33, 64, 100, 257, 1030, 1031, 2500, 5000)
rng = np.random.default_rng(5)
W = {
    shape: rng.normal(size=shape) / 4 for shape in ((6, 11), (11, 5), (11,), (5,), (40, 6), (3, 4))
}


def real(*shape: int) -> Callable[[int], np.ndarray]:
    """Real numbers with n rows of some shape."""
    return lambda n: np.random.default_rng(n).normal(size=(n, *shape))


def whole(most: int, *shape: int) -> Callable[[int], np.ndarray]:
    """Whole numbers below `most`."""
    return lambda n: np.random.default_rng(n).integers(0, most, (n, *shape))


def network(x: Any, y: Any) -> Any:
    """A loss and its gradients by the parameters and the batch."""

    def loss(p: Any, x: Any) -> Any:
        h = np.tanh(x @ p[0] + p[1])
        z = h @ p[2] + p[3]
        z = z - np.max(z, axis=1, keepdims=True)
        logs = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
        return -np.mean(logs[np.arange(x.shape[0]), y])

    p = [W[6, 11], W[11,], W[11, 5], W[5,]]
    return gg.value_and_grad(loss, argnums=(0, 1))(p, x)


def embedding(i: Any) -> Any:
    """A table's rows, and the gradient by the table."""
    return gg.value_and_grad(lambda t: np.mean(np.tanh(t[i]) ** 2))(W[40, 6])


def normalised(x: Any) -> Any:
    """Over the batch, and over features."""

    def f(x: Any) -> Any:
        a = (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + 1e-5)
        b = (x - np.mean(x, axis=1, keepdims=True)) / (np.std(x, axis=1, keepdims=True) + 1e-5)
        return np.mean(a * np.tanh(b))

    return gg.value_and_grad(f)(x)


def attention(x: Any) -> Any:
    """Each example's places look at each other."""

    def f(x: Any) -> Any:
        q = x @ W[6, 11]
        s = q @ np.swapaxes(q, 1, 2) / 3
        e = np.exp(s - np.max(s, axis=-1, keepdims=True))
        return np.mean((e / np.sum(e, axis=-1, keepdims=True)) @ x)

    return gg.value_and_grad(f)(x)


CASES: dict[str, tuple[Callable[..., Any], Sequence[Callable[[int], np.ndarray]]]] = {
    "network": (network, [real(6), whole(5)]),
    "embedding": (embedding, [whole(40, 3)]),
    "normalised": (normalised, [real(7)]),
    "attention": (attention, [real(4, 6)]),
    "vector": (lambda x: (np.sum(x), np.mean(x), np.max(x), x * 2), [real()]),
    "dot": (lambda x, y: (x @ y, np.dot(x, x)), [real(), real()]),
    "columns": (lambda x: (np.sum(x, axis=0), np.max(x, axis=0), np.min(x)), [real(37)]),
    "wide rows": (lambda x: (np.sum(x, axis=1), np.argmax(x, axis=1)), [real(301)]),
    "three axes": (lambda x: (np.sum(x, axis=(0, 2)), np.transpose(x, (1, 0, 2))), [real(3, 5)]),
    "gram": (lambda x: (x @ x.T, np.exp(x @ x.T / 9), W[6, 11].T @ x.T), [real(6)]),
    "reshaped": (lambda x: np.reshape(x, (-1, 4)) @ W[3, 4].T, [real(3, 4)]),
    "transposed": (lambda x: (x.T, x.T @ x, np.outer(x[:, 0], np.ones(3))), [real(6)]),
    "joined": (lambda x, y: np.concatenate([x, y * 2, x], axis=0), [real(3), real(3)]),
    "beside": (lambda x, y: np.concatenate([x, np.exp(y)], axis=1), [real(3), real(4)]),
    "sorted rows": (lambda x: (np.sort(x, axis=1), np.argsort(x, axis=1)), [real(13)]),
    "recurrent": (
        lambda x: gg.grad(lambda w: np.sum(gg.scan(
            lambda h, row: (np.tanh(h @ w + row), h), np.zeros((x.shape[1], 6)), x)[0]
        ))(W[40, 6][:6]), [lambda n: np.random.default_rng(n).normal(size=(7, n, 6))]
    ),
    "until": (
        lambda x: gg.while_loop(
            lambda c: c[1] < 5, lambda c: (np.tanh(c[0] * 2), c[1] + 1), (x, 0)
        )[0],
        [real(6)],
    ),
    "either": (
        lambda x: gg.cond(
            np.sum(x) > 0, lambda v: np.tanh(v) @ W[6, 11], lambda v: v @ W[6, 11], x
        ),
        [real(6)],
    ),
    "running": (lambda x: np.cumsum(x, axis=1), [real(5)]),
    "choices": (lambda x: np.where(x > 0, np.sqrt(np.abs(x)), x**3), [real(9)]),
    "whole numbers": (lambda x: (x // 3, x % 3, np.sum(x), np.any(x > 5)), [whole(100, 4)]),
    "one-hot": (lambda y: np.sum(y[:, None] == np.arange(5), axis=0), [whole(5)]),
    "random": (
        lambda x: x * (gg.random.uniform(gg.random.key(3), x.shape) > 0.5), [real(6)]
    ),
    "rate": (lambda x: x / x.shape[0] + len(x), [real(2)]),
    "hessian": (
        lambda x: gg.hessian(lambda w: np.mean(np.tanh(x @ w) ** 2))(W[11,][:6]), [real(6)]
    ),
}  # fmt: skip


def norm_rule() -> Callable[..., Any]:
    """A mean of squares with a rule of its own."""
    return gg.custom_rule(
        lambda v: np.mean(v**2), vjp=lambda g, _, v: g * 2 * v / v.shape[0] / v.shape[1]
    )


def step(w: Any, x: Any) -> Any:
    """A step that divides by what depends on the rows, and never cancels against a 2."""
    return w - gg.grad(lambda w: np.sum((x @ w) ** 2) / (3 * len(x) + 0.7))(w)


# Numbers that depend on the size, in the bodies of loops, branches and calls.
CASES |= {
    "until, divided": (
        lambda x: gg.while_loop(
            lambda c: c[1] < len(x) / 100 + 3, lambda c: (step(c[0], x), c[1] + 1), (W[11,][:6], 0)
        )[0],
        [real(6)],
    ),
    "steps, divided": (
        lambda x: gg.grad(
            lambda w: np.sum(
                gg.scan(lambda w, _: (step(w, x), np.sum(x @ w) / (len(x) + 0.7)), w, length=4)[1]
            )
        )(W[11,][:6]),
        [real(6)],
    ),
    "either, divided": (
        lambda x: gg.grad(
            lambda x: gg.cond(
                np.sum(x) > 0, lambda v: np.mean(np.tanh(v)), lambda v: np.mean(v) * len(v), x
            )
        )(x),
        [real(6)],
    ),
    "loops in loops": (
        lambda x: gg.while_loop(
            lambda c: c[1] < 3,
            lambda c: (
                gg.scan(
                    lambda w, k: (gg.cond(k > 1, lambda w: step(w, x), lambda w: w / len(x), w), k),
                    c[0], np.arange(4.0),
                )[0],
                c[1] + 1,
            ),
            (W[11,][:6], 0),
        )[0],
        [real(6)],
    ),
    "twice the same": (
        lambda x: [gg.scan(lambda w, _: (step(w, x), w), v, length=3)[0] for v in W[40, 6][:2]],
        [real(6)],
    ),
    "computed again": (
        lambda x: gg.value_and_grad(
            lambda w: np.mean(gg.remat(lambda v: np.tanh(v @ W[6, 11] / len(v)))(x * w) ** 2)
        )(W[11,][:6]),
        [real(6)],
    ),
    "a rule of its own": (lambda x: gg.value_and_grad(norm_rule())(x), [real(6)]),
    "a rule inside": (
        lambda x: gg.scan(lambda w, _: (w - gg.grad(norm_rule())(w * x), 0), x, length=2)[0],
        [real(6)],
    ),
}  # fmt: skip


def flat(result: Any) -> list[np.ndarray]:
    """The arrays of a result."""
    if isinstance(result, (tuple, list)):
        return [x for part in result for x in flat(part)]
    return [np.asarray(result)]


@pytest.mark.parametrize("name", CASES)
def test_every_size_gives_what_the_reference_engine_gives(name: str) -> None:
    f, makers = CASES[name]
    compiled = gg.jit(f)
    for n in SIZES:
        arrays = [make(n) for make in makers]
        expected = flat(gg.jit(f, engine="reference")(*arrays))
        for x, y in zip(flat(compiled(*arrays)), expected, strict=True):
            assert x.shape == y.shape
            assert x.dtype == y.dtype
            scale = np.max(np.abs(y), initial=1)
            np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-13 * scale * np.sqrt(n))
    assert repr(compiled).endswith("2 programs>"), compiled.report()


def test_float32_is_no_worse_than_a_program_for_one_size() -> None:
    def f(x: Any) -> Any:
        return np.sum(x), np.sum(x, axis=0), np.mean(x)

    compiled = gg.jit(f)
    for n in (10, 3000, 100_000):
        x = np.random.default_rng(n).random((n, 3), np.float32)
        exact = [np.asarray(y) for y in f(x.astype(np.float64))]
        for got, y in zip(compiled(x), exact, strict=True):
            np.testing.assert_allclose(got, y, rtol=3e-6)


def test_a_named_batch_is_open_from_the_first_call_on() -> None:
    f, makers = CASES["network"]
    compiled = gg.jit(f, batch=("x", 1))
    for n in SIZES:
        compiled(*(make(n) for make in makers))
    assert repr(compiled).endswith("1 programs>")
    assert "sizes so far: n0 = 9,2,3" in compiled.report()


def test_a_function_that_looks_at_values_is_compiled_for_each_size_and_told() -> None:
    compiled = gg.jit(lambda x: np.sum(x) if x[0] > 0 else np.max(x))
    for n in (4, 7, 9):
        assert compiled(np.ones(n)) == n
    assert "compiled for each size by itself: it looks at values" in compiled.report()


def test_a_batch_of_several_sizes_is_none() -> None:
    compiled = gg.jit(lambda x, y: np.sum(x) * y, batch=(0, 1))
    assert compiled(np.ones(4), np.ones(3)).shape == (3,)
    assert compiled(np.ones((0, 2)), 2.0) == 0
    assert "no first axis of one size: (4,), (3,)" in compiled.report()


def test_two_extents_may_vary() -> None:
    compiled = gg.jit(lambda x, w: np.tanh(x) @ w + np.sum(w))
    for n, k in ((4, 5), (7, 9), (64, 3), (33, 100)):
        x, w = real(k)(n), np.random.default_rng(k).normal(size=(k, 6))
        np.testing.assert_allclose(compiled(x, w), np.tanh(x) @ w + np.sum(w), rtol=1e-12)
    assert repr(compiled).endswith("2 programs>"), compiled.report()


def test_places_and_examples_may_vary() -> None:
    def f(x: Any) -> Any:
        q = x @ W[6, 11]
        s = q @ np.swapaxes(q, 1, 2) / 3
        e = np.exp(s - np.max(s, axis=-1, keepdims=True))
        return np.tanh((e / np.sum(e, axis=-1, keepdims=True)) @ x)

    compiled = gg.jit(f)
    for n, places in ((3, 4), (5, 9), (2, 33), (9, 70), (1, 300)):
        x = np.random.default_rng(n).normal(size=(n, places, 6))
        np.testing.assert_allclose(compiled(x), f(x), rtol=1e-11)
    assert "n1 = 9,33,70" in compiled.report(), compiled.report()


def test_donated_arguments_are_written_to() -> None:
    def step(w: Any, x: Any) -> Any:
        return w - 0.1 * gg.grad(lambda w: np.mean((x @ w) ** 2))(w)

    compiled = gg.jit(step, donate="w")
    w, expected = np.ones(6), np.ones(6)
    for n in (8, 5, 11, 64):
        x = real(6)(n)
        expected = expected - 0.1 * (2 / n) * x.T @ (x @ expected)
        new = compiled(w, x)
        assert new is w
        np.testing.assert_allclose(w, expected, rtol=1e-12)


def test_rows_of_donated_tables_are_renewed() -> None:
    opt = gg.optim.SparseAdam(0.01)

    def step(table: Any, state: Any, i: Any) -> Any:
        return opt.step(table, gg.grad(lambda t: np.mean(np.tanh(t[i]) ** 2))(table), state)

    compiled, plain = gg.jit(step, donate=(0, 1)), gg.jit(step, engine="reference")
    table = np.random.default_rng(1).normal(size=(9000, 50))
    given = table.copy(), opt.init(table)
    expected = table.copy(), opt.init(table)
    for n in (64, 33, 2000, 7):
        i = np.random.default_rng(n).integers(0, 9000, (n, 5))
        given, expected = compiled(*given, i), plain(*expected, i)
        np.testing.assert_allclose(given[0], expected[0], rtol=1e-9, atol=1e-12)
    assert repr(compiled).endswith("2 programs>"), compiled.report()


def test_an_index_out_of_range_is_an_error_and_names_the_line() -> None:
    compiled = gg.jit(embedding)
    compiled(np.array([[1, 2, 3]] * 4))
    with pytest.raises(IndexError, match="40"):
        compiled(np.array([[1, 2, 40]] * 3))


def test_a_course_that_depends_on_the_size_is_compiled_for_each_and_told() -> None:
    compiled = gg.jit(lambda x: np.sum(x) if x.shape[0] < 2000 else np.max(x))
    for n in (5, 6, 3000):
        x = real()(n)
        np.testing.assert_allclose(compiled(x), np.sum(x) if n < 2000 else np.max(x), rtol=1e-12)
    assert "compiled for each size by itself" in compiled.report()


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[1:] - x[:-1],
        lambda x: np.prod(np.cos(x)),
        lambda x: np.sort(x, axis=0),
        lambda x: np.cumsum(x, axis=0),
        lambda x: x[::-1] * 2,
        lambda x: x[: x.shape[0] // 2],
        lambda x: np.asarray(range(x.shape[0]))[:, None] * x,
    ],
)
def test_what_cannot_be_open_is_compiled_for_each_size(f: Callable[[Any], Any]) -> None:
    compiled = gg.jit(f)
    for n in (12, 7, 40):
        x = real(3)(n)
        np.testing.assert_allclose(compiled(x), f(x), rtol=1e-12)


def test_a_large_batch_does_not_lose_digits() -> None:
    compiled = gg.jit(lambda x: np.sum(x, axis=0))
    for n in (10, 20, 300_000):
        x = np.full((n, 4), 0.1, np.float32)
        np.testing.assert_allclose(compiled(x), [n * np.float64(np.float32(0.1))] * 4, rtol=1e-5)


def test_calls_of_many_sizes_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    compiled = gg.jit(lambda x: np.tanh(x) @ W[6, 11])
    inputs = [real(6)(n) for n in (3, 5, 17, 64, 100) * 8]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(compiled, inputs))
    for x, y in zip(inputs, found, strict=True):
        np.testing.assert_allclose(y, np.tanh(x) @ W[6, 11], rtol=1e-12)


def test_axes_that_vary() -> None:
    assert varying_axes([(4, 4)], [(4, 4)]) is None
    assert varying_axes([(4,)], [(4, 1)]) is None
    assert varying_axes([(4,)], [(0,)]) is None
    found = varying_axes([(4, 3), (8,), (5,)], [(6, 3), (12,), (7,)])
    assert found is not None
    assert found.axes == (((0, 1), None), ((0, 2),), ((1, 1),))
    assert found.sizes == (6, 7)


@pytest.mark.parametrize("width", [1061, 4133, 2122, 5305])
def test_an_extent_that_is_fixed_may_be_the_prime_of_an_example(width: int) -> None:
    w = rng.normal(size=width)
    f = gg.jit(lambda x: gg.value_and_grad(lambda w: np.mean(np.tanh(x @ w)))(w), batch=0)
    for n in (3, 50):
        x = rng.normal(size=(n, width)) / width
        z = np.tanh(x @ w)
        value, slope = f(x)
        np.testing.assert_allclose(value, np.mean(z), rtol=1e-12)
        np.testing.assert_allclose(slope, (1 - z**2) @ x / n, rtol=1e-9, atol=1e-15)
    assert "by itself" not in f.report()


def test_too_many_extents_are_refused() -> None:
    with pytest.raises(FixedSizeError):
        Extents.examples(7)


@pytest.mark.parametrize("name", ["network", "random"])
def test_several_threads_give_the_same_bytes(name: str) -> None:
    f, makers = CASES[name]
    compiled = gg.jit(f, batch=tuple(range(len(makers))))
    before = gg.threads()
    try:
        for n in (31, 20_000, 90_001):
            arrays = [make(n) for make in makers]
            gg.threads(1)
            alone = [x.tobytes() for x in flat(compiled(*arrays))]
            for count in (2, 4):
                gg.threads(count)
                assert [x.tobytes() for x in flat(compiled(*arrays))] == alone
            expected = flat(gg.jit(f, engine="reference")(*arrays))
            for x, y in zip(flat(compiled(*arrays)), expected, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)
    finally:
        gg.threads(before)
    assert "1 programs" in repr(compiled)


def test_a_function_that_takes_some_sizes_only_is_compiled_for_each():
    def f(x):
        assert len(x) % 4 == 0
        return np.sum(np.reshape(x, (4, -1)), axis=0)

    step = gg.jit(f)
    for n in (4, 8, 12, 4):
        assert step(np.ones(n)).tolist() == [4.0] * (n // 4)
    assert "AssertionError" in step.report()
