"""Row-sparse gradients: the numbers of the whole table, at the cost of the rows that are named."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.sparse_rows import RowNumbers
from glassgrad.graph.errors import IndexRangeError
from glassgrad.graph.node import Trace, make, new_input

V, D = 5000, 3


def largest(compiled):
    """The most elements that one step of the one program touches."""
    ((made,),) = compiled.programs.values()
    return max(int(np.prod(step.shape)) for step in made.program.steps)


def loss(table, w, rows):
    return np.sum(np.tanh(table[rows] @ w) ** 2)


def batches(*shape):
    rng = np.random.default_rng(0)
    return [rng.integers(-V, V, shape) for _ in range(2)] + [rng.integers(0, 4, shape)]


@pytest.mark.parametrize("shape", [(7,), (4, 5), (1,)])
@pytest.mark.parametrize("name", ["sgd", "scaled", "lazy"])
def test_a_step_costs_what_its_rows_do(name, shape):
    def step(table, w, rows, state):
        g = gg.grad(loss)(table, w, rows)
        if name == "sgd":
            return table - 0.1 * g, state
        if name == "scaled":
            return 0.25 * -g + table, state
        return gg.optim.SparseAdam(0.1).step(table, g, state)

    rng = np.random.default_rng(1)
    w = rng.standard_normal((D, 2))
    p = rng.standard_normal((V, D))
    q, state = p.copy(), gg.optim.SparseAdam(0.1).init(p)
    other = gg.optim.SparseAdam(0.1).init(q)
    native, plain = gg.jit(step, donate=("table", "state")), gg.jit(step, engine="reference")
    for rows in batches(*shape):
        (new, state), (q, other) = native(p, w, rows, state), plain(q, w, rows, other)
        assert new is p
        np.testing.assert_allclose(p, q, rtol=1e-9, atol=1e-14)
    assert largest(native) < 20 * 2 * D
    assert "0 of them computed apart" in native.report()


def test_lazy_adam_is_that_of_a_loop_over_used_rows():
    """Against SparseAdam written as a loop: repeated rows are summed, then each moves once."""
    rng = np.random.default_rng(2)
    table, w = rng.standard_normal((V, D)), rng.standard_normal((D, 2))
    p, m, v = table.copy(), np.zeros((V, D)), np.zeros((V, D))
    opt = gg.optim.SparseAdam(0.1)

    @gg.jit(donate=(0, 1))
    def step(table, state, rows):
        return opt.step(table, gg.grad(loss)(table, w, rows), state)

    state = opt.init(table)
    for t, rows in enumerate(batches(6, 4), start=1):
        flat = rows.reshape(-1) % V
        z = np.tanh(p[flat] @ w)
        parts = (2 * z * (1 - z**2)) @ w.T
        for r in set(flat.tolist()):
            g = parts[flat == r].sum(axis=0)
            m[r] = 0.9 * m[r] + 0.1 * g
            v[r] = 0.999 * v[r] + 0.001 * g * g
            scale = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            p[r] -= scale * m[r] / (np.sqrt(v[r]) + 1e-8)
        table, state = step(table, state, rows)
        np.testing.assert_allclose(table, p, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(state.slots["square"], v, rtol=1e-9, atol=1e-14)


def test_a_table_read_twice_adds_up_both():
    def step(table, a, b):
        g = gg.grad(lambda t: np.sum(np.tanh(t[a]) * np.sin(t[b])))(table)
        return table - 0.1 * g

    rng = np.random.default_rng(3)
    table = rng.standard_normal((V, D))
    a, b = rng.integers(0, 9, 20), rng.integers(0, 9, 20)
    native, plain = gg.jit(step, donate=0), gg.jit(step, engine="reference")
    expected = plain(table, a, b)
    np.testing.assert_allclose(native(table, a, b), expected, rtol=1e-12)
    assert largest(native) <= 40 * D


def test_rows_of_a_gradient_are_read_alone():
    def f(table, a, b):
        return gg.grad(lambda t: np.sum(np.sin(t[a])))(table)[b]

    table = np.random.default_rng(4).standard_normal((V, D))
    a, b = np.array([5, 3, 5, -1]), np.array([[3, 4], [V - 1, 5]])
    native = gg.jit(f)
    np.testing.assert_allclose(
        native(table, a, b), gg.jit(f, engine="reference")(table, a, b), rtol=1e-12
    )
    assert largest(native) < 50


def test_small_tables_and_gradients_that_are_returned_stay_whole():
    table, rows = np.ones((4, D)), np.array([1, 1, 2, 0, 3])
    g = gg.grad(lambda t, r: np.sum(t[r] ** 2))
    step = gg.jit(lambda t, r: (t - 0.5 * g(t, r), g(t, r)))
    new, given = step(table, rows)
    np.testing.assert_allclose(given[:, 0], [2, 4, 2, 2])
    np.testing.assert_allclose(new, table - 0.5 * given)


def test_an_index_out_of_range_is_an_error():
    step = gg.jit(lambda t, r: t - gg.grad(lambda t: np.sum(t[r] ** 2))(t))
    with pytest.raises(IndexRangeError, match="5000"):
        step(np.ones((V, D)), np.array([1, V]))


@pytest.mark.parametrize("dtype", ["i8", "i4", "u2", "i1"])
def test_numbers_are_given_as_rows_are_first_named(dtype):
    rows = new_input(Trace(), "rows", (50,), dtype)
    program = NativeProgram([make(RowNumbers(100), rows)], [rows], cache=ObjectCache(None))
    rng = np.random.default_rng(5)
    for most in (100, 3, 60, 1, 100):
        given = rng.integers(0 if dtype == "u2" else -min(most, 100), most, 50).astype(dtype)
        known: dict[int, int] = {}
        expected = [known.setdefault(int(r) % 100, len(known)) for r in given]
        assert program([given])[0].tolist() == expected
