"""Modules, named tuples and settings as arguments and results of a compiled function."""

import gc
import sys
from collections import namedtuple
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.engines.native.call import is_named_tuple, is_record


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass(frozen=True)
class Scale:
    factor: Any
    kind: str = "times"
    twice: bool = field(default=False, metadata={"static": True})

    def __call__(self, x):
        y = x * self.factor if self.kind == "times" else x + self.factor
        return y + y if self.twice else y


@dataclass(frozen=True, slots=True)
class Slotted:
    value: Any


@dataclass
class Counted:
    value: Any

    def __post_init__(self):
        self.value = self.value + 0


class Net(nn.Module):
    first: nn.Linear
    second: nn.Linear
    name: str = "net"

    def __call__(self, x):
        return self.second(np.tanh(self.first(x)))


X = np.arange(6.0).reshape(2, 3)


def watched(f):
    """The compiled function, and the list of calls that took the general way."""
    compiled, seen = gg.jit(f), []
    general = compiled._general

    def noted(*args, **kwargs):
        seen.append(args)
        return general(*args, **kwargs)

    compiled.__call__ = noted
    return compiled, seen


@pytest.mark.parametrize(
    "made",
    [
        Scale(X),
        Scale(X, "plus"),
        Scale(X, twice=True),
        Slotted(X),
        Pair(X, None),
        Pair(X, (X, "s")),
    ],
    ids=repr,
)
def test_what_the_builtin_takes_apart_and_builds(made):
    f, seen = watched(lambda m: (m, gg.grad(lambda m: np.sum(_leaf(m) ** 2))(m)))
    first = f(made)
    again = f(made)
    assert len(seen) == 1
    for same, slope in (first, again):
        assert type(same) is type(slope) is type(made)
        assert (_leaf(same) == X).all() and (_leaf(slope) == 2 * X).all()
    assert repr(again[0]) == repr(made)


def _leaf(m):
    return getattr(m, "factor", getattr(m, "value", getattr(m, "left", None)))


def test_other_settings_are_another_program():
    f, _ = watched(lambda m, x: m(x))
    plus, times = Scale(X, "plus"), Scale(X)
    for _ in range(3):
        assert (f(times, X) == X * X).all()
        assert (f(plus, X) == X + X).all()
        assert (f(replace(times, twice=True), X) == 2 * X * X).all()
        assert (f(Scale(X, "".join(["pl", "us"])), X) == X + X).all()  # equal, not the same


def test_booleans_choose_a_program():
    f, seen = watched(lambda x, up: x + 1 if up else x - 1)
    for _ in range(3):
        assert (f(X, True) == X + 1).all()
        assert (f(X, False) == X - 1).all()
    assert len(seen) == 2


def test_a_class_with_code_of_its_own_is_built_by_it():
    assert not is_record(Counted, ("value",))
    assert is_record(Scale, ("factor", "kind", "twice")) and is_record(Slotted, ("value",))
    assert is_record(nn.Linear, ("weight", "bias"))
    assert is_named_tuple(Pair) and is_named_tuple(namedtuple("P", "a b"))
    assert not is_named_tuple(type("Odd", (Pair,), {"__new__": lambda cls, a, b: None}))
    f = gg.jit(lambda m: Counted(m.value * 2))
    for _ in range(2):
        assert (f(Counted(X)).value == 2 * X).all()


def test_a_step_of_a_module():
    key = gg.random.key(0)
    net = Net(nn.Linear.init(3, 4, key=key), nn.Linear.init(4, 2, key=key, bias=False))
    opt = optim.Adam(lr=0.01)
    x, y = X.astype("f4"), np.ones((2, 2), np.float32)

    def step(net, state, x, y):
        value, slope = gg.value_and_grad(lambda m: np.mean((m(x) - y) ** 2))(net)
        return (*opt.step(net, slope, state), value)

    compiled, seen = watched(step)
    expected = gg.jit(step, engine="reference")
    a = b = (net, opt.init(net))
    for _ in range(6):
        *a, value = compiled(*a, x, y)
        *b, other = expected(*b, x, y)
        np.testing.assert_allclose(value, other, rtol=1e-5)
    assert a[0].name == "net" and a[0].second.bias is None
    assert len(seen) == 1
    np.testing.assert_allclose(a[0].first.weight, b[0].first.weight, rtol=1e-5)
    for name, slot in a[1].slots.items():
        other = b[1].slots[name].first.weight
        np.testing.assert_allclose(slot.first.weight, other, rtol=1e-4, atol=1e-9)


def test_a_record_without_its_field_is_an_error_of_python():
    f = gg.jit(lambda m: m.value + 1)
    f(Slotted(X))
    broken = object.__new__(Slotted)
    with pytest.raises(AttributeError):
        f(broken)
    assert (f(Slotted(X)).__class__) is np.ndarray


def test_nothing_is_kept_or_lost():
    f = gg.jit(lambda m: Scale(Pair(m.factor.left * 2, None), m.kind))
    made = Scale(Pair(X, None))
    f(made)
    gc.collect()
    counts = [sys.getrefcount(o) for o in (Scale, Pair, made, X)]
    for _ in range(100):
        f(made)
    gc.collect()
    assert [sys.getrefcount(o) for o in (Scale, Pair, made, X)] == counts
    result = f(made)
    held = sys.getrefcount(result), sys.getrefcount(result.factor)
    assert held == (2, 2)


@pytest.mark.parametrize("dtype", ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"])
def test_numpy_scalars_are_taken_as_they_are(dtype):
    f, seen = watched(lambda s: s | s if dtype == "?" else s + s)
    one = np.dtype(dtype).type(1)
    for _ in range(3):
        result = f(one)
        assert result == (one | one if dtype == "?" else 2) and type(result) is type(one)
    assert len(seen) == 1
