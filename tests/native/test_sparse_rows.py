"""Row-sparse gradients: the numbers of the whole table, at the cost of the rows that are named."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native import cost, donation, program
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.renewal_step import Renewal
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


def made_steps(compiled):
    ((made,),) = compiled.programs.values()
    return made.program.steps


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("width", [3, 50, 64])
@pytest.mark.parametrize("parts", [1, 7])
def test_rows_are_renewed_with_the_bits_of_scatters(dtype, width, parts, monkeypatch):
    """Adam reads and writes each named row of three tables once, whoever shares the work."""
    opt = gg.optim.SparseAdam(0.1)

    def step(table, state, rows):
        g = gg.grad(lambda t: np.sum(np.sin(t[rows]) ** 2))(table)
        return opt.step(table, g, state)

    rng = np.random.default_rng(7)
    start = rng.standard_normal((V, width)).astype(dtype)
    names = [rng.integers(-V, V, 40), rng.integers(0, 9, 40), np.zeros(40, int)]
    if parts > 1:
        monkeypatch.setattr(cost, "LONG", 0.0)
        monkeypatch.setattr(cost, "SHARED", 0.0)
        monkeypatch.setattr(cost, "PART", 40 * 3 * cost._ROW / parts)
    found = []
    for joined in (True, False):
        with monkeypatch.context() as patch:
            if not joined:
                patch.setattr(donation, "renewed", lambda steps, pairs: steps)
            patch.setattr(program, "user_cache_folder", lambda: None)
            native, table = gg.jit(step, donate=(0, 1)), start.copy()
            state = opt.init(table)
            for rows in names:
                table, state = native(table, state, rows)
        renewals = [s for s in made_steps(native) if isinstance(s, Renewal)]
        assert [len(s.targets) for s in renewals] == [3] * joined
        found.append([x.tobytes() for x in (table, *state.slots.values())])
    assert found[0] == found[1]


def test_a_row_that_is_computed_from_another_is_not_renewed_by_itself():
    def step(table, rows):
        g = gg.grad(lambda t: np.sum(np.sin(t[rows])))(table)
        moved = table - 0.1 * g
        return moved, table[rows[::-1]] + moved[rows]

    def turned(table, rows):
        table[rows] = table[rows[::-1]] * 2.0
        return table

    rng = np.random.default_rng(8)
    table = rng.standard_normal((V, D))
    rows = rng.permutation(V)[:20]
    for f in (step, turned):
        expected = gg.jit(f, engine="reference")(table, rows)
        found = gg.jit(f, donate=0)(table.copy(), rows)
        for x, y in zip(found, expected):
            np.testing.assert_allclose(x, y, rtol=1e-12)


def test_momentum_that_reads_what_was_just_renewed():
    """The second table is computed from the new rows of the first."""

    def step(table, mean, rows):
        g = gg.grad(lambda t: np.sum(np.sin(t[rows])))(table)
        table = table - 0.1 * g
        at = np.asarray(rows)
        return table, np_set(mean, at, 0.5 * mean[at] + table[at])

    def np_set(x, at, values):
        x = x + 0.0
        x[at] = values
        return x

    rng = np.random.default_rng(9)
    table, mean = rng.standard_normal((2, V, D))
    rows = rng.integers(0, V, 30)
    expected = gg.jit(step, engine="reference")(table, mean, rows)
    found = gg.jit(step, donate=(0, 1))(table.copy(), mean.copy(), rows)
    for x, y in zip(found, expected):
        np.testing.assert_allclose(x, y, rtol=1e-12)


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
