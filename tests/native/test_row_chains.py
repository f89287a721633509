"""Short steps over the same rows, products among them, are shared as one: the same bits."""

from itertools import pairwise
from math import inf

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import optim
from glassgrad.engines.native import program, row_chains, threads
from glassgrad.engines.native.row_step import Rows
from glassgrad.engines.native.step import Multiply
from glassgrad.engines.native.target import Target
from glassgrad.transform.tree import flatten, tree_map

COUNTS = (1, 2, 4, 8)


@pytest.fixture(autouse=True)
def same_threads_afterwards():
    before = threads._wanted
    yield
    threads._wanted = before
    threads.start()


@pytest.fixture(autouse=True)
def no_kernel_is_recalled(monkeypatch):
    monkeypatch.setattr(program, "user_cache_folder", lambda: None)


@pytest.fixture
def fine(monkeypatch):
    """Whatever can be joined is, into parts of a row or more."""
    monkeypatch.setattr(row_chains, "_LEAST", 0.0)
    monkeypatch.setattr(row_chains, "_PART", 0.1)
    monkeypatch.setattr(row_chains, "_FEWEST", 1)


def compiled(f, args, chained=True, **options):
    """What a call gives, as bytes, for several numbers of threads, and the chains."""
    with pytest.MonkeyPatch.context() as patch:
        if not chained:
            patch.setattr(row_chains, "_LEAST", inf)
        step = gg.jit(f, **options)
        found = set()
        for count in COUNTS if chained else (1,):
            gg.threads(count)
            found |= {leaves(step(*copies(args))) for _ in range(3)}
    ((made,),) = step.programs.values()
    steps = made.program.steps
    inner = [s.turns[0].steps for s in steps if isinstance(s, Rows)]
    chains = [c for c in inner if any(isinstance(s, Multiply) for s in c)]
    (bits,) = found
    return bits, chains, made.program


def leaves(x):
    """All numbers of a nested result, as bytes."""
    return b"".join(np.asarray(leaf).tobytes() for leaf in flatten(x)[0])


def copies(x):
    return tree_map(np.array, x)


def deep(layers, width, batch, dtype):
    """A gradient step of a tanh network, and its arguments."""
    rng = np.random.default_rng(3)
    params = tuple(
        (rng.standard_normal((width, width)).astype(dtype) / width**0.5, np.zeros(width, dtype))
        for _ in range(layers)
    )
    x, y = (rng.standard_normal((batch, width)).astype(dtype) for _ in range(2))

    def loss(params, x, y):
        for w, b in params:
            x = np.tanh(x @ w + b)
        return np.mean((x - y) ** 2)

    def step(params, x, y):
        value, slopes = gg.value_and_grad(loss)(params, x, y)
        rate = x.dtype.type(0.1)
        moved = tuple((w - rate * s, b - rate * t) for (w, b), (s, t) in zip(params, slopes))
        return value, moved

    return step, (params, x, y)


@pytest.mark.parametrize("donate", [None, 0])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_deep_network_of_short_steps(dtype, donate):
    step, args = deep(12, 64, 64, np.dtype(dtype))
    options = {} if donate is None else {"donate": donate}
    together, chains, made = compiled(step, args, **options)
    apart, none, plain = compiled(step, args, chained=False, **options)
    assert together == apart
    assert (len(chains), len(none)) == (2, 0)  # of the batch, and of the weights
    assert made.shared and len(made.steps) < len(plain.steps) / 3


def network(sizes, batch, dtype):
    """A step of Adam of a classifier, and its arguments."""
    rng = np.random.default_rng(7)
    params = tuple(
        (rng.standard_normal((a, b)).astype(dtype) / a**0.5, np.zeros(b, dtype))
        for a, b in pairwise(sizes)
    )
    x = rng.standard_normal((batch, sizes[0])).astype(dtype)
    y = rng.integers(0, sizes[-1], batch)

    def loss(params, x, y):
        for w, b in params[:-1]:
            x = np.tanh(x @ w + b)
        return gg.nn.cross_entropy(x @ params[-1][0] + params[-1][1], y)

    rule = optim.Adam(lr=1e-2)

    def step(params, state, x, y):
        value, slope = gg.value_and_grad(loss)(params, x, y)
        return value, *rule.step(params, slope, state)

    return step, (params, rule.init(params), x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(20, 33, 5), (64, 64, 64, 3), (7, 130, 2)])
@pytest.mark.parametrize("batch", [2, 36, 37])
def test_networks_with_adam(sizes, dtype, batch, fine):
    step, args = network(sizes, batch, dtype)
    for options in ({}, {"donate": (0, 1)}):
        together, chains, _ = compiled(step, args, **options)
        apart, none, _ = compiled(step, args, chained=False, **options)
        assert together == apart
        assert not none and (chains or batch % 2)


@pytest.mark.parametrize("level", ["avx2", "sse2"])
def test_on_narrower_machines(level, monkeypatch, fine):
    target = Target.host().restricted(level)
    monkeypatch.setattr(Target, "host", staticmethod(lambda: target))
    step, args = deep(3, 20, 24, np.dtype("f4"))
    together, chains, _ = compiled(step, args, donate=0)
    assert chains
    assert together == compiled(step, args, chained=False, donate=0)[0]


def attention(x, w):
    q, k, v = x @ w, np.tanh(x @ w), x * 2
    scores = q @ k.T  # every row needs all rows of k
    scores = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return (scores / np.sum(scores, axis=1, keepdims=True)) @ v


def turned(x, w):
    h = np.tanh(x @ w)
    return (h.T @ h) @ w + (h @ h)[::-1]


def powers(x, w):
    y = x @ w
    return y @ (y @ (w @ w) + 1) + y[::-1] @ w


def shifted(x, w):
    y = x @ w
    z = np.concatenate([y[1:], y[:1]]) @ w
    return z + np.cumsum(y, axis=0) @ w


def picked(x, w):
    y = x @ w
    rows = np.argsort(y[:, 0])
    return np.tanh(y[rows]) @ w + y


@pytest.mark.parametrize("f", [attention, turned, powers, shifted, picked])
def test_rows_that_need_others_are_not_joined_with_them(f, fine):
    rng = np.random.default_rng(5)
    x, w = (rng.standard_normal((24, 24)) for _ in range(2))

    def step(x, w):
        value, slopes = gg.value_and_grad(lambda x, w: np.sum(f(x, w)), argnums=(0, 1))(x, w)
        return value, x - slopes[0], w - slopes[1] * np.sum(x @ w)

    for options in ({}, {"donate": (0, 1)}, {"donate": 1}):
        together, chains, _ = compiled(step, (x, w), **options)
        assert chains
        assert together == compiled(step, (x, w), chained=False, **options)[0]


def test_a_table_that_is_read_at_places_out_of_range(fine):
    def f(table, rows, w):
        return np.tanh(table[rows] @ w) @ w

    table, w = np.ones((50, 8)), np.ones((8, 8))
    step = gg.jit(f)
    with pytest.raises(IndexError, match="60"):
        step(table, np.full(16, 60), w)
    step(table, np.full(16, 49), w)
    ((made,),) = step.programs.values()
    assert any(isinstance(s, Rows) and s.checked for s in made.program.steps)


def test_intermediate_values_that_fill_no_cache_are_let_go_of():
    for batch, chained in ((64, True), (512, False)):
        step, args = deep(12, 64, batch, np.dtype("f4"))
        _, chains, _ = compiled(step, args, donate=0)
        assert bool(chains) == chained
