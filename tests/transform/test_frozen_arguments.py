"""What gg.jit would freeze into a program, or lose, is refused by name."""

import array
from collections import deque
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import glassgrad as gg

X = np.ones(3)


class Held:
    """Numbers of another library."""

    def __array__(self, dtype=None, copy=None):
        return np.ones(3, dtype)


@dataclass
class Model:
    weight: Any
    sizes: Any = field(default=(), metadata={"static": True})


class Plain:
    """An object that is no dataclass."""

    def __init__(self, array):
        self.array = array


FROZEN = {
    "object with an array": (Plain(np.ones(3)), "of type Plain, whose arrays would be frozen"),
    "another library's array": (Held(), "'t' is of type Held, whose numbers would be frozen"),
    "memoryview": (memoryview(X.copy()), "'t' is of type memoryview, whose numbers"),
    "array": (array.array("d", [1.0]), "'t' is of type array, which may change"),
    "deque": (deque([1.0, 2.0]), "'t' is of type deque, which may change"),
    "namespace": (SimpleNamespace(rate=1.0), "of type SimpleNamespace, which may change"),
    "set in a dict": ({"a": [X, {1.0}]}, r"t\['a'\]\[1\]\W is of type set, which may change"),
    "inside a dataclass": (Model({1, 2}), "'t.weight' is of type set"),
    "generator": ((v for v in (X, X)), "of type generator, which can be read only once"),
    "map": (map(abs, [1.0]), "of type map, which can be read only once"),
}


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("name", FROZEN)
def test_an_argument_that_would_be_frozen_is_refused(name, engine):
    value, words = FROZEN[name]
    f = gg.jit(lambda x, t=None: x * 2, engine=engine)
    f(X)
    for call in (lambda: f(X, value), lambda: f(X, t=value), lambda: f.prepare(X, value)):
        with pytest.raises(TypeError, match=words + r"(.|\n)*test_frozen_arguments\.py:\d+"):
            call()


def test_what_is_declared_static_or_known_by_its_value_is_taken():
    f = gg.jit(lambda x, t: x * len(t.sizes), engine="reference")
    assert f(X, Model(X, [1, 2]))[0] == 2.0
    g = gg.jit(lambda x, *t: x, engine="reference")
    for value in (
        Plain("text"),
        "text",
        b"bytes",
        None,
        abs,
        Model,
        np.float32,
        frozenset({1}),
        ...,
        1 << 62,
    ):
        assert g(X, value)[0] == 1.0


HIDDEN = {
    "set": lambda x: {x},
    "generator": lambda x: (x for _ in range(2)),
    "map": lambda x: map(np.sin, [x]),
    "values of a dict": lambda x: {"a": x}.values(),
    "deque": lambda x: {"a": deque([x])},
    "object": Plain,
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_result_that_hides_traced_arrays_is_refused(name):
    words = r"the result( at \['a'\])? is of type .*, which is no container of arrays"
    with pytest.raises(TypeError, match=words):
        gg.jit(HIDDEN[name], engine="reference")(X)
    told = gg.jit(lambda x: (x, "text", frozenset({"a"}), None), engine="reference")(X)
    assert told[1:] == ("text", frozenset({"a"}), None)


@pytest.mark.parametrize("wrong", [None, 1.5, True, (0, None), {0: 1}])
def test_what_is_donated_is_named_by_positions_and_names(wrong):
    with pytest.raises(TypeError, match="donate takes positions and names of arguments, not"):
        gg.jit(abs, donate=wrong)


@dataclass(frozen=True)
class Scale:
    factor: Any

    @gg.jit
    def apply(self, x, *, shift=0.0):
        return x * self.factor + shift


@pytest.mark.parametrize("factor", [2.0, np.full(3, 3.0)])
def test_a_method_is_compiled_as_a_function_of_its_object(factor):
    scale = Scale(factor)
    for _ in range(2):
        np.testing.assert_array_equal(scale.apply(X), factor * X)
        np.testing.assert_array_equal(scale.apply(X, shift=1.0), factor * X + 1)
    assert Scale.apply(scale, X)[0] == scale.apply(X)[0]


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="takes a function, not 3"):
        gg.jit(3)
