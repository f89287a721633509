"""Branches and loops of unknown length on the native engine: in registers, as programs, nested."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.course import Until
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.target import Target
from glassgrad.rewrite.pipeline import finish


def agree(f, *args, rtol=1e-12, said=""):
    """Both engines on the same call; the report says how it was compiled."""
    compiled = gg.jit(f)
    found, expected = compiled(*args), gg.jit(f, engine="reference")(*args)
    assert said in compiled.report()
    pairs = zip(*(x if isinstance(x, tuple) else (x,) for x in (found, expected)), strict=True)
    for a, b in pairs:
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-13)
    return found


SIZES = [pytest.param(3, "in registers", id="small"), pytest.param(50, " of ", id="large")]


def bent(x):
    return gg.cond(np.sum(x) > 0, lambda x: np.sqrt(x) + x, lambda x: np.exp(-x), x)


def root(a, **bound):
    """Square roots, by steps until all of them fit."""
    far = lambda x: np.any(np.abs(x * x - a) > 1e-12)  # noqa: E731
    return gg.while_loop(far, lambda x: 0.5 * (x + a / x), a, **bound)


@pytest.mark.parametrize(("n", "said"), SIZES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_one_branch_is_run(n, said, sign):
    x = sign * np.linspace(0.5, 2, n)
    loss = lambda x: np.sum(bent(x) ** 2)  # noqa: E731
    agree(bent, x, said=said)
    agree(gg.grad(loss), x)
    agree(lambda x, t: gg.jvp(bent, (x,), (t,)), x, np.cos(x))
    agree(gg.grad(lambda x: np.sum(gg.grad(loss)(x) ** 2)), x, rtol=1e-11)


@pytest.mark.parametrize(("n", "said"), SIZES)
def test_a_loop_runs_until_its_test_fails(n, said):
    a = np.linspace(0.5, 9, n)
    np.testing.assert_allclose(agree(root, a, said=said), np.sqrt(a), rtol=1e-12)
    agree(lambda a: gg.jvp(root, (a,), (np.ones(n),)), a, rtol=1e-9)
    agree(gg.vmap(root), a)


@pytest.mark.parametrize("n", [2, 40])
def test_a_bound_gives_reverse_mode(n):
    a = np.linspace(0.5, 9, n)
    slope = agree(gg.grad(lambda a: np.sum(root(a, max_steps=12))), a, rtol=1e-11)
    np.testing.assert_allclose(slope, 0.5 / np.sqrt(a), rtol=1e-9)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("n", [1, 3, 100])
def test_carries_of_every_shape_and_dtype(turns, n):
    """An even and an odd number of turns end in different places; none leaves the operands."""

    def f(x, m, few, flag, empty):
        def turn(c):
            i, x, m, few, flag, empty = c
            return i + 1, x[::-1] * 1.5, m.T + x[0], few * 3 + i, ~flag, empty

        return gg.while_loop(lambda c: c[0] < turns, turn, (0, x, m, few, flag, empty))

    agree(f, np.arange(1.0, n + 1), np.ones((4, 4), np.float32) * np.arange(4, dtype=np.float32),
          np.array([1, -7], np.int8), np.bool_(True), np.ones((0, 3)))  # fmt: skip


def test_carries_that_never_change_are_not_copied_each_turn():
    big = np.arange(40_000.0).reshape(200, 200) / 1e6

    def f(m, x, i):
        turn = lambda c: (c[0], c[1] @ c[0], c[2] + 1, c[3])  # noqa: E731
        return gg.while_loop(lambda c: c[2] < 3, turn, (m, x, i, m * 2))

    agree(f, big, np.ones(200), 0)
    compiled = gg.jit(f)
    compiled(big, np.ones(200), 0)
    (((program, *_),),) = compiled.programs.values()
    assert program.arena.size < 1.1 * big.nbytes  # m*2, and no second place for a matrix
    agree(lambda m: gg.while_loop(lambda c: np.sum(c) < 0, lambda c: c, m), big)


@pytest.mark.parametrize("n", [1, 40])
def test_nested_in_each_other(n):
    def f(x, w):
        def inner(c, row):
            c = gg.cond(row[0] > 0, lambda c: root(np.abs(c) + 1) * w, lambda c: c - row, c)
            return c, gg.while_loop(lambda v: v < 9.0, lambda v: 2 * v + 1, np.abs(c[0]))

        def turn(c):
            last, seen = gg.scan(inner, c[1], np.array([[1.0], [-1.0], [0.5]]))
            return c[0] + 1, last * 0.5 + np.sum(seen)

        return gg.while_loop(lambda c: c[0] < 3, turn, (0, x))

    agree(f, np.linspace(0, 1, n), np.float64(0.7))


def test_branches_in_branches_share_what_they_capture():
    table = np.linspace(-1, 1, 30).reshape(6, 5)

    def f(x, i):
        def outer(x):
            y = table @ x
            return gg.cond(i == 1, lambda: (y, y + 1), lambda: (np.cumsum(y), y * 0))

        return gg.cond(i < 2, outer, lambda x: (np.full(6, x[0]), np.sort(table @ x)), x)

    for i in range(3):
        agree(f, np.linspace(0, 1, 5), np.int64(i))


def test_reductions_and_calls_in_a_small_body():
    def f(x):
        def turn(c):
            return gg.remat(lambda c: c / gg.special.logsumexp(c))(c) + np.var(c) - np.max(c)

        return gg.while_loop(lambda c: np.sum(c * c) > 1e-3, turn, x, max_steps=6)

    agree(f, np.array([0.3, 1.0, -0.2]))


def test_what_a_branch_refuses_is_refused_only_there():
    def f(p, x, i):
        return gg.cond(p, lambda: x[i], lambda: x[:1] * 0)

    for n in (3, 50):
        x, i = np.arange(float(n)), np.array([99])
        g = gg.jit(f)
        assert g(np.bool_(False), x, i) == 0.0
        with pytest.raises(IndexError, match=r"index 99 (.|\n)*test_courses\.py"):
            g(np.bool_(True), x, i)


@pytest.mark.parametrize("level", ["avx2", "sse2"])
@pytest.mark.parametrize("n", [2, 50])
def test_narrower_machines(level, n):
    a = np.linspace(-4, 9, n)
    x = gg.variable("a", (n,))
    y = gg.cond(np.sum(x) > 0, lambda x: root(np.abs(x) + 1), lambda x: x % 0.7, x)
    target = Target.host().restricted(level)
    program = NativeProgram(finish([y.node]), [x.node], target=target, cache=ObjectCache(None))
    for given in (a, a - 9):
        (found,) = program([given])
        np.testing.assert_allclose(found, gg.evaluate(y, {x: given}), rtol=1e-12)


def test_a_failing_body_ends_its_loop():
    def f(x, i):
        return gg.while_loop(
            lambda c: c[0] < 1e9, lambda c: (c[0] + x[i + c[1]], c[1] + 1), (0.0, 0)
        )

    with pytest.raises(IndexError, match="index 4 is out of range"):
        gg.jit(f)(np.zeros(4), 2)


# -- numbers that are refused -----------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (37,), (5, 21)])
@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8"])
def test_negative_powers_of_integers_are_refused_with_the_line(shape, dtype):
    base = np.full(shape, 3, dtype)
    f = gg.jit(lambda x, y: x ** (y - 1))
    for y in (2, 3):
        np.testing.assert_array_equal(f(base, np.full(shape, y, dtype)), base ** (y - 1))
    bad = np.ones(shape, dtype)
    bad.reshape(-1)[-1] = -1  # the last alone
    with pytest.raises(ValueError, match=r"to the power -2(.|\n)*test_courses\.py"):
        f(base, bad)
    with pytest.raises(ValueError, match="negative integer powers"):
        np.power(base, bad - 1)


def test_unsigned_powers_never_are():
    x = np.arange(40, dtype=np.uint8)
    np.testing.assert_array_equal(gg.jit(lambda x, y: x**y)(x, x), x**x)


def test_negative_powers_where_the_code_is_called():
    """A function that a program writes out too often becomes one that is called."""

    def f(x, y):
        for _ in range(9):
            x = x**y + 1
        return x

    assert gg.jit(f)(np.int64(2), np.int64(0)) == 2
    with pytest.raises(ValueError, match="to the power -1"):
        gg.jit(f)(np.int64(2), np.int64(-1))


def test_negative_powers_in_loops():
    def f(x, ys):
        return gg.scan(lambda c, y: (c, c**y), x, ys)[1]

    ys = np.array([0, 3, 1])
    agree(f, np.int64(2), ys)
    for x in (np.int64(2), np.full(40, 2)):
        with pytest.raises(ValueError, match="to the power -3"):
            gg.jit(f)(x, -ys)


def test_a_table_that_a_loop_carries_is_changed_in_its_place():
    def run(table, rows, count):
        def body(carry):
            i, table = carry
            here = rows[i]
            slope = gg.grad(lambda t: np.sum(np.sin(t[here])))(table)
            return i + 1, table - 0.5 * slope

        return gg.while_loop(lambda carry: carry[0] < count, body, (0, table))[1]

    rng = np.random.default_rng(0)
    table, rows = rng.standard_normal((3000, 4)), rng.integers(0, 3000, (7, 5))
    wanted = table.copy()
    for here in rows[:6]:
        slope = np.zeros_like(wanted)
        np.add.at(slope, here, np.cos(wanted[here]))
        wanted -= 0.5 * slope
    compiled = gg.jit(run, donate="table")
    found = compiled(table, rows, 6)
    assert found is table
    np.testing.assert_allclose(found, wanted, rtol=1e-13)
    ((made,),) = compiled.programs.values()
    (loop,) = (s for s in made.program.steps if isinstance(s, Until))
    assert loop.still
    assert max(int(np.prod(s.shape)) for s in [*made.program.steps, *loop.body]) < 3000
