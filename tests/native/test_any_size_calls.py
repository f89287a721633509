"""How programs for every size are called: by a builtin, of the size that was called last."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native import pyabi
from glassgrad.engines.native.calling import _meeting  # pyright: ignore

rng = np.random.default_rng(3)


@dataclass(frozen=True)
class State:
    """Parameters and their means."""

    weights: dict[str, np.ndarray]
    means: list[np.ndarray]


def start() -> State:
    w = {"a": rng.normal(size=(6, 5)), "b": rng.normal(size=5)}
    return State(w, [np.zeros((6, 5)), np.zeros(5)])


def descend(state: State, x: Any, y: Any, *, rate: Any) -> tuple[State, Any]:
    def loss(w: Any) -> Any:
        return np.mean((np.tanh(x @ w["a"] + w["b"]) - y) ** 2)

    value, slope = gg.value_and_grad(loss)(state.weights)
    moved = {k: w - rate * slope[k] for k, w in state.weights.items()}
    means = [0.9 * m + 0.1 * s for m, s in zip(state.means, slope.values())]
    return State(moved, means), value


def frames(call: Callable[[], Any]) -> int:
    """How many functions of Python a call runs."""
    seen: list[str] = []

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is not call.__code__:
            seen.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return len(seen)


def batch(n: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(n, 6)), rng.normal(size=(n, 5))


@pytest.mark.parametrize("donate", [(), 0], ids=["fresh", "donated"])
@pytest.mark.parametrize("named", [(), (1, 2)], ids=["found", "named"])
def test_structures_keywords_and_changing_sizes(donate: Any, named: Any) -> None:
    step = gg.jit(descend, donate=donate, batch=named)
    plain = gg.jit(descend, engine="reference")
    state = expected = start()
    state = State({k: v.copy() for k, v in state.weights.items()}, [m.copy() for m in state.means])
    for n in (32, 32, 7, 7, 7, 32, 50, 7, 50, 50, 32, 32):
        x, y = batch(n)
        state, value = step(state, x, y, rate=0.1)
        expected, wanted = plain(expected, x, y, rate=0.1)
        np.testing.assert_allclose(value, wanted, rtol=1e-12)
    for k, w in state.weights.items():
        np.testing.assert_allclose(w, expected.weights[k], rtol=1e-11)
    for m, w in zip(state.means, expected.means):
        np.testing.assert_allclose(m, w, rtol=1e-10, atol=1e-13)
    assert "any size" in step.report()


def test_a_call_of_the_last_size_runs_nothing_of_python() -> None:
    assert pyabi.usable()
    step = gg.jit(descend, donate=0, batch=(1, 2))
    state = start()
    for n in (32, 7):
        x, y = batch(n)
        state, _ = step(state, x, y, rate=0.1)  # threads may start with it
        assert frames(lambda: step(state, x, y, rate=0.1)) == 0  # noqa: B023


def test_prepared_without_a_call() -> None:
    double = gg.jit(lambda x: x * 2, batch=0).prepare(np.arange(4.0))
    for n in (4, 4, 9, 9):
        np.testing.assert_array_equal(double(np.arange(float(n))), 2 * np.arange(n))


def test_the_builtin_outlives_the_function() -> None:
    call = gg.jit(lambda x: np.cumsum(x * 2), batch=0).prepare(np.arange(4.0)).__call__
    gc.collect()
    for n in (4, 6, 6, 4, 4):
        np.testing.assert_array_equal(call(np.arange(float(n))), np.cumsum(2 * np.arange(n)))


def test_arrays_that_meet_at_one_size_only() -> None:
    add = gg.jit(lambda w, x: w + np.sum(x), donate=0, batch=1)
    memory = np.arange(40.0)
    w = memory[10:20]
    for n, apart in [(4, True)] * 3 + [(12, False)] * 3 + [(4, True)] * 2:
        before, x = w.copy(), memory[:n]
        expected = before + np.sum(x)
        found = add(w, x)
        np.testing.assert_allclose(found, expected)
        assert (found is w) == apart
        if not apart:
            np.testing.assert_array_equal(w, before)


def test_a_result_whose_structure_depends_on_the_size() -> None:
    def f(x: Any) -> Any:
        return (np.sum(x),) if x.shape[0] < 10 else [np.sum(x)]

    g = gg.jit(f)
    for n in (3, 4, 4, 20, 21, 21, 4, 21):
        found = g(np.arange(float(n)))
        assert type(found) is (tuple if n < 10 else list)
        assert found[0] == np.sum(np.arange(n))


@pytest.mark.parametrize("hidden", [10, 32, 64])
def test_steps_of_gradient_descent_are_open(hidden: int) -> None:
    def step(w: Any, x: Any, y: Any) -> Any:
        def loss(w: Any) -> Any:
            return np.mean((np.maximum(x @ w[0] + w[1], 0) @ w[2] - y) ** 2)

        return [p - np.float32(0.1) * g for p, g in zip(w, gg.grad(loss)(w))]

    def of(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    train = gg.jit(step, donate=0, batch=(1, 2))
    w = [of(64, hidden), of(hidden), of(hidden, 10)]
    for n in (32, 20, 32):
        w = train(w, of(n, 64), of(n, 10))
    assert "for each size" not in train.report()


def test_arrays_that_share_memory_are_found() -> None:
    memory = np.arange(100.0)
    apart = [memory[:10], memory[10:20], memory[50:50], np.zeros(3), memory[20:60]]
    assert _meeting(apart) == set()
    assert _meeting([memory[30:50], memory[:40], np.zeros(2), memory[39:45]]) == {0, 1, 3}
    random = np.random.default_rng(0)
    for _ in range(200):
        cuts = random.integers(0, 40, (6, 2))
        some = [memory[min(c) : max(c)] for c in cuts]
        expected = {
            i
            for i, a in enumerate(some)
            for j, b in enumerate(some)
            if i != j and np.may_share_memory(a, b)
        }
        assert _meeting(some) == expected
