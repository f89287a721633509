"""Steps over the same rows are run a few rows at a time: same bits, less memory."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import special
from glassgrad.engines.native import row_blocks
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.expression import Apply, walk
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.row_step import Rows
from glassgrad.engines.native.row_sums import RowSums
from glassgrad.engines.native.target import Target
from glassgrad.graph.node import Trace, new_input
from glassgrad.ops.gather import take
from glassgrad.ops.reduce import reduce
from glassgrad.transform.jit import Jit

HOST = Target.host()


def normalised(x, gain, bias):
    middle = np.mean(x, axis=-1, keepdims=True)
    spread = np.mean((x - middle) ** 2, axis=-1, keepdims=True)
    return (x - middle) / np.sqrt(spread + 1e-5) * gain + bias


def softmax_loss(x, gain, bias):
    z = x * gain + bias
    total = np.log(np.sum(np.exp(z), axis=-1, keepdims=True))
    return -np.mean((z - total)[..., 0])


def gated(x, gain, bias):
    h = x * special.sigmoid(x) * gain + x * special.erf(x) + bias
    return np.mean(normalised(h, gain, bias) ** 2)


def gradients(f):
    return gg.value_and_grad(lambda *a: np.sum(f(*a) ** 2), argnums=(0, 1, 2))


FUNCTIONS = {
    "normalised": normalised, "softmax": gg.value_and_grad(softmax_loss, argnums=(0, 1, 2)),
    "gated": gg.value_and_grad(gated, argnums=(0, 1, 2)), "slopes": gradients(normalised),
}  # fmt: skip
SHAPES = [(256, 128), (1031, 64), (40, 30, 50), (7, 5000), (3000, 9), (64, 1, 600)]


def run(f, arrays, monkeypatch, joined, **options):
    """The results as bytes, and the steps, of a compiled function."""
    if not joined:
        monkeypatch.setattr(row_blocks, "_LARGE", 1 << 60)
    compiled = gg.jit(f, **options)
    assert isinstance(compiled, Jit)
    found = compiled(*(a.copy() for a in arrays))
    (group,) = compiled.programs.values()
    assert group[0].program.steps  # planned by now, also where the kernel was recalled
    monkeypatch.undo()
    flat = [np.asarray(x) for x in _leaves(found)]
    return [x.tobytes() for x in flat], flat, group[0].program


def _leaves(x):
    return [y for part in x for y in _leaves(part)] if isinstance(x, tuple) else [x]


def arguments(shape, dtype="f4"):
    rng = np.random.default_rng([1, *shape])
    return [rng.standard_normal(s).astype(dtype) for s in (shape, shape[-1:], shape[-1:])]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_joined_rows_have_the_bits_of_separate_steps(name, shape, monkeypatch):
    arrays = arguments(shape)
    apart, _, plain = run(FUNCTIONS[name], arrays, monkeypatch, joined=False)
    together, flat, program = run(FUNCTIONS[name], arrays, monkeypatch, joined=True)
    assert not any(isinstance(s, Rows) for s in plain.steps)
    assert any(isinstance(s, Rows) for s in program.steps)
    assert together == apart
    wide = [a.astype("f8") for a in arrays]
    for found, exact in zip(flat, _leaves(FUNCTIONS[name](*wide))):
        size = np.abs(exact).max()
        np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-4 * size)


def sums(x, gain, bias):
    """Two sums and a result of what is computed on the way, cheap or not."""
    y = x * gain + bias
    z = special.sigmoid(y) if gain.size % 2 else np.abs(y) / (1 + x * x)
    top = np.max(z, axis=-1, keepdims=True)
    total = np.sum(z * y, axis=-1, keepdims=True) * 0.5
    return z * top + total, total


@pytest.mark.parametrize("length", [255, 256, 257, 272, 301, 304, 1000, 2049])
def test_sums_on_the_way_have_the_bits_of_separate_sums(length, monkeypatch):
    arrays = arguments((300, length))
    arrays[0][7, ::50] = np.nan
    arrays[0][8, 3] = np.inf
    _, apart, _ = run(sums, arrays, monkeypatch, joined=False)
    _, together, program = run(sums, arrays, monkeypatch, joined=True)
    for x, y in zip(together, apart):  # nobody says which NaN a sum of two is
        assert np.array_equal(np.isnan(x), np.isnan(y))
        assert np.nan_to_num(x).tobytes() == np.nan_to_num(y).tobytes()
    inner = [s for rows in program.steps if isinstance(rows, Rows) for s in rows.turns[0].steps]
    joined = [s for s in inner if isinstance(s, RowSums)]
    assert [len(s.sums) for s in joined] == ([2] if length >= 256 else [])
    assert all("max and sum over the last axis" in s.said() for s in joined)


def test_the_step_that_takes_longest_asks_for_the_next_rows(monkeypatch):
    _, _, program = run(FUNCTIONS["gated"], arguments((1024, 1024)), monkeypatch, joined=True)
    (rows,) = (s for s in program.steps if isinstance(s, Rows))
    (step,) = (s for s in rows.turns[0].steps if s.ahead)
    assert "sigmoid" in {x.op.name for x in walk(step.roots()) if isinstance(x, Apply)}
    assert {rows.windows[x.buffer][0].shape for x in step.ahead} == {(1024, 1024)}


def test_what_only_a_few_rows_need_is_not_in_the_arena(monkeypatch):
    arrays = arguments((1024, 1024))
    _, _, plain = run(gated, arrays, monkeypatch, joined=False)
    _, _, program = run(gated, arrays, monkeypatch, joined=True)
    assert program.arena.size < plain.arena.size / 100
    assert "rows, " in program.report()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_results_in_the_memory_of_arguments(dtype, monkeypatch):
    def step(x, gain, bias):
        y = normalised(x, gain, bias)
        return y - 0.1 * np.max(y, axis=-1, keepdims=True), gain, bias

    arrays = arguments((500, 300), dtype)
    fresh, _, _ = run(step, arrays, monkeypatch, joined=False)
    donated, _, program = run(step, arrays, monkeypatch, joined=True, donate=(0,))
    assert donated == fresh
    assert any(isinstance(s, Rows) for s in program.steps)


def test_a_result_is_not_written_over_rows_that_are_read_later(monkeypatch):
    def step(x, gain, bias):
        y = normalised(x, gain, bias)
        return y + np.sum(x[::-1] * y, axis=-1, keepdims=True), gain, bias

    arrays = arguments((500, 300))
    fresh, _, _ = run(step, arrays, monkeypatch, joined=False)
    donated, _, _ = run(step, arrays, monkeypatch, joined=True, donate=(0,))
    assert donated == fresh


@pytest.mark.parametrize("level", ["avx2", "sse2"])
def test_on_narrower_machines(level):
    x = np.random.default_rng(0).standard_normal((301, 200)).astype("f4")
    found = []
    for large in (row_blocks._LARGE, 1 << 60):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(row_blocks, "_LARGE", large)
            node = new_input(Trace(), "x", x.shape, x.dtype)
            top = reduce(node, "max", (1,), keepdims=True)
            y = node - top * 1.0
            total = reduce(y * y, "sum", (1,))
            program = NativeProgram(
                [y, total], [node], target=HOST.restricted(level), cache=ObjectCache(None)
            )
        found.append([a.tobytes() for a in program([x])])
        joined = any(isinstance(s, Rows) for s in program.steps)
        assert joined == (large == row_blocks._LARGE)
    assert found[0] == found[1]


def test_rows_of_a_table_that_are_out_of_range_are_reported():
    trace = Trace()
    table = new_input(trace, "table", (50, 100), np.dtype("f4"))
    index = new_input(trace, "index", (400,), np.dtype("i8"))
    x = take(table, [index], 0)
    y = x - reduce(x, "max", (1,), keepdims=True) * 1.0
    z = y * reduce(y, "sum", (1,), keepdims=True)
    program = NativeProgram([z], [table, index], cache=ObjectCache(None))
    values = np.random.default_rng(0).standard_normal((50, 100)).astype("f4")
    places = np.arange(400) % 50
    rows = values[places]
    y = rows - rows.max(1, keepdims=True)
    np.testing.assert_allclose(program([values, places])[0], y * y.sum(1, keepdims=True), rtol=1e-4)
    places[399] = 50
    with pytest.raises(IndexError):
        program([values, places])
