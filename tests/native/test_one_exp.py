"""A function and its derivative in one loop: what they have in common is computed once."""

from __future__ import annotations

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, special
from glassgrad.engines.native import math_exp, program
from glassgrad.engines.native.expression import Apply, walk
from glassgrad.transform.jit import Jit

FUNCTIONS = {
    "tanh": (np.tanh, 1),
    "sigmoid": (special.sigmoid, 1),
    "softplus": (nn.softplus, 1),
    "log_sigmoid": (special.log_sigmoid, 1),
    "silu": (nn.silu, 1),
    "gelu": (nn.gelu, 1),
}


def exps(f, x, monkeypatch):
    """How many range reductions of exp stand in the code of f, and its report."""
    seen = set()
    right = math_exp.reduce

    def noted(k, *args, **options):
        found = right(k, *args, **options)
        seen.add((k.function.name, found.shifted.value.text))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(math_exp, "reduce", noted)
        patch.setattr(program, "user_cache_folder", lambda: None)  # the code is made here
        compiled = gg.jit(f)
        compiled(x)
    return len(seen), compiled.report()


@pytest.mark.parametrize("size", [1000, 200_000])  # below and above what is stored in pairs
@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_derivative_share_their_exp(name, size, monkeypatch):
    f, count = FUNCTIONS[name]
    x = np.linspace(-9, 9, size, dtype=np.float32)[: size // 16 * 16]
    slope = gg.grad(lambda x: np.sum(f(x)))
    alone, _ = exps(f, x, monkeypatch)
    both, report = exps(lambda x: (f(x), slope(x)), x, monkeypatch)
    assert alone == both == count
    assert "in 1 steps (1 loop)" in report


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_derivative_used_later_is_stored_beside_its_value(name, monkeypatch):
    """In a small network the backward pass reads the slope instead of computing an exp again."""
    f, count = FUNCTIONS[name]
    w = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(64, 64)

    def loss(w):
        return np.sum(f(f(w @ w) @ w) ** 2)

    found, _ = exps(gg.grad(loss), w, monkeypatch)
    assert found == 2 * count


@pytest.mark.parametrize("name", ["silu", "gelu"])
def test_of_a_gate_its_value_and_its_derivative_are_stored(name):
    """Not the two functions that the derivative is made of."""
    w = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    f, _ = FUNCTIONS[name]
    slope = gg.grad(lambda w: np.sum((f(w @ w) @ w) ** 2))
    compiled = gg.jit(slope)
    assert isinstance(compiled, Jit)
    found = compiled(w)
    ((made,),) = compiled.programs.values()
    gates = [s for s in made.program.steps if "sigmoid" in (t := names(s)) or "normal_cdf" in t]
    assert [len(s.stores) for s in gates] == [2]
    exact = gg.jit(slope, engine="reference")(w.astype("f8"))
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-4)


def names(step):
    """The ops inside a step."""
    return {x.op.name for x in walk(step.roots()) if isinstance(x, Apply)}


def test_functions_of_x_and_of_minus_x_have_one_size():
    x = np.array([-np.inf, -3.0, -0.0, 0.0, 5e-324, 2.0, np.inf, np.nan])
    f = gg.jit(lambda x: (np.abs(-x), np.abs(np.negative(-x)), np.abs(np.negative(x) * 2)))
    for got, want in zip(f(x), (np.abs(x), np.abs(x), np.abs(x) * 2)):
        np.testing.assert_array_equal(got, want)
        assert not np.signbit(got[~np.isnan(got)]).any()
