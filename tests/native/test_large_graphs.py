"""Large graphs: memory and code grow as the graph does, and results stay the same."""

import math

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native import arena, cache, outline, runs
from glassgrad.engines.native.arena import Interval, padded
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import NativeProgram
from glassgrad.graph.node import Trace, new_input
from glassgrad.ops.reduce import reduce


def repeated(n):
    """n times: x less a part of its sum, in float64."""
    x = first = new_input(Trace(), "x", (5,), "f8")
    for _ in range(n):
        x = x - reduce(x * 0.5, "sum", (0,)) * 0.125
    return NativeProgram([x], [first], cache=ObjectCache(None))


def test_more_steps_than_one_function_calls():
    program = repeated(300)
    assert len(program.steps) > 256
    x = expected = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    for _ in range(300):
        expected = expected - (expected * 0.5).sum() * 0.125
    np.testing.assert_allclose(program([x])[0], expected, rtol=1e-12)
    assert program([x])[0].tobytes() == program([x])[0].tobytes()


def test_equal_steps_share_their_code_and_memory():
    small, large = repeated(40), repeated(160)
    assert large.code_size < 2 * small.code_size + 160 * 100
    assert large.arena.size == small.arena.size


@pytest.mark.parametrize("count", [10, 2000])
def test_buffers_that_are_needed_together_lie_apart(count, monkeypatch):
    monkeypatch.setattr(arena, "_FITTED", 64)
    rng = np.random.default_rng(count)
    starts = rng.integers(0, count, count)
    spans = [
        Interval(int(rng.choice([0, 8, 100, 5000])), int(a), int(a + rng.integers(0, 9)))
        for a in starts
    ]
    offsets, size = arena.plan(spans)
    for i, (x, at) in enumerate(zip(spans, offsets)):
        assert at + padded(x.size) <= size
        for y, other in zip(spans[:i], offsets[:i]):
            apart = at + padded(x.size) <= other or other + padded(y.size) <= at
            assert apart or not x.meets(y)


def test_a_long_chain_and_its_gradient():
    def f(x):
        for i in range(200):
            x = np.sin(x) if i % 2 else np.cos(x)
        return x

    value, slope = gg.jit(gg.value_and_grad(f))(0.3)
    expected = gg.jit(gg.value_and_grad(f), engine="reference")(0.3)
    np.testing.assert_allclose([value, slope], expected, rtol=1e-9)


OFTEN_USED = {
    "sin and cos": lambda x: np.sin(x) * np.cos(x) + 0.5,
    "exp": lambda x: np.exp(-x * x),
    "tanh": np.tanh,
    "log": lambda x: np.log(x * x + 1.0),
    "power": lambda x: (x * x + 1.0) ** 0.7,
}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", OFTEN_USED)
@pytest.mark.parametrize("shape", [(), (5,)])
def test_functions_that_are_called_give_the_bits_of_those_written_out(
    name, dtype, shape, monkeypatch
):
    x = first = new_input(Trace(), "x", shape, dtype)
    for _ in range(12):
        x = gg.Array(x)
        x = OFTEN_USED[name](x).node
    point = np.linspace(0.1, 3e5, 5).astype(dtype)[: int(np.prod(shape))].reshape(shape)
    found = []
    for most in (0, 4, 1000):
        monkeypatch.setattr(outline, "WRITTEN_OUT", most)
        program = NativeProgram([x], [first], cache=ObjectCache(None))
        found.append((program([point])[0].tobytes(), program.code_size))
    assert len({bits for bits, _ in found}) == 1
    if shape == ():
        assert found[0][1] < found[2][1]


def chain(n):
    def f(x):
        for i in range(n):
            x = np.sin(x) if i % 2 else np.cos(x)
        return x

    return gg.grad(f)


def lines_of_code(n, monkeypatch):
    """The lines of LLVM that a chain of n steps is compiled from, and its result."""
    texts = []
    assemble = cache.assemble
    monkeypatch.setattr(
        cache, "assemble", lambda text, t, **o: texts.append(text) or assemble(text, t, **o)
    )
    monkeypatch.setattr(cache.ObjectCache, "get", lambda self, name: None)
    value = gg.jit(chain(n))(0.5)
    monkeypatch.undo()
    return sum("@kernel" in text and text.count("\n") for text in texts), value


def test_code_hardly_grows_with_a_chain_of_equal_steps(monkeypatch):
    gg.jit(chain(3))(0.5)
    lines = {n: lines_of_code(n, monkeypatch) for n in (1000, 2000, 4000)}
    assert 0 < lines[2000][0] - lines[1000][0] < 500
    assert 0 < lines[4000][0] - lines[2000][0] < 1000
    assert lines[1000][1] == pytest.approx(_slope(1000, 0.5), rel=1e-9)


def _slope(n, x):
    slope = 1.0
    for i in range(n):
        slope *= math.cos(x) if i % 2 else -math.sin(x)
        x = math.sin(x) if i % 2 else math.cos(x)
    return slope


@pytest.mark.parametrize("few", [0, 1 << 30])
def test_operands_from_a_table_give_the_same_bits(few, monkeypatch):
    monkeypatch.setattr(runs, "FEW", few)
    value = NativeProgram(*_layers(30), cache=ObjectCache(None))([_point()])
    monkeypatch.undo()
    expected = NativeProgram(*_layers(30), cache=ObjectCache(None))([_point()])
    assert [v.tobytes() for v in value] == [v.tobytes() for v in expected]


def _point():
    return np.linspace(-1.0, 1.0, 12).reshape(3, 4)


def _layers(n):
    """Loops, reductions and products in turn, of equal and of different form."""
    x = first = new_input(Trace(), "x", (3, 4), "f8")
    w = np.linspace(-0.5, 0.5, 16).reshape(4, 4)
    for i in range(n):
        y = gg.Array(x)
        y = np.tanh(y @ w) + np.sin(y) * np.mean(y, axis=1, keepdims=True)
        x = (y if i % 3 else y[::-1] * 0.5).node
    return [x, gg.Array(x).sum().node], [first]


def test_equal_functions_of_products_are_one():
    """Layers of one size share their kernels whatever the products around them are."""
    size = {}
    for layers in (2, 6):
        x = first = new_input(Trace(), "x", (64, 64), "f4")
        ws = [new_input(x.trace, f"w{i}", (64, 64), "f4") for i in range(layers)]
        for w in ws:
            x = np.maximum(gg.Array(x) @ gg.Array(w) + 0.5, 0).node
        program = NativeProgram([x], [first, *ws], cache=ObjectCache(None))
        size[layers] = program.text_size
    assert size[6] < 1.3 * size[2]


LONG = 700  # more operations in a row than Python's stack has room for


@pytest.mark.parametrize("part", ["elements", "sum", "after a sum", "gradient"])
def test_a_chain_of_operations_is_no_deeper_than_the_stack(part):
    rng = np.random.default_rng(0)
    arrays, x = list(rng.normal(size=(LONG, 6))), rng.normal(size=(6, 5))
    f = {
        "elements": lambda x, a: sum(a),
        "sum": lambda x, a: np.sum(sum(a)),
        "after a sum": lambda x, a: sum(a, x.sum(axis=1)),
        "gradient": lambda x, a: gg.grad(lambda a: np.sum(np.tanh(sum(a))))(a)[0],
    }[part]
    want = gg.jit(f, engine="reference")(x, arrays)
    np.testing.assert_allclose(gg.jit(f)(x, arrays), want, rtol=1e-12, atol=1e-12)
