"""Tuples and frozen records of donated arrays come back as the same objects; nothing else does."""

import gc
import sys
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import glassgrad as gg


@dataclass(frozen=True)
class Frozen:
    w: np.ndarray
    b: np.ndarray
    name: str = "layer"


@dataclass
class Loose:
    w: np.ndarray
    b: np.ndarray


class Pair(NamedTuple):
    w: np.ndarray
    b: np.ndarray


def arrays():
    return np.ones((3, 2)), np.arange(2.0)


def step(p, x):
    """Every array of p, doubled, in the same containers."""
    from glassgrad.transform.tree import tree_map

    return np.sum(x), tree_map(lambda a: a * 2, p)


CASES = {
    "tuple": (lambda: arrays(), True),
    "nested": (lambda: (arrays(), (arrays(), arrays()[0])), True),
    "frozen": (lambda: Frozen(*arrays()), True),
    "named": (lambda: Pair(*arrays()), True),
    "deep": (lambda: (Frozen(*arrays()), Pair(*arrays()), (arrays(),)), True),
    "loose": (lambda: Loose(*arrays()), False),
    "list": (lambda: [*arrays()], False),
    "dict": (lambda: {"a": arrays()}, False),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_which_containers_come_back(case):
    make, same = CASES[case]
    from glassgrad.transform.tree import flatten

    given, x = make(), np.ones(3)
    compiled = gg.jit(step, donate=0)
    _, given = compiled(given, x)
    for count in range(2, 6):
        leaves, tree = flatten(given)
        value, after = compiled(given, x)
        assert value == 3 and (after is given) == same
        found, structure = flatten(after)
        assert structure == tree and all(a is b for a, b in zip(found, leaves))
        np.testing.assert_array_equal(found[0], 2.0**count * np.ones((3, 2)))
        given = after


def test_numbers_may_change_places():
    swapped = gg.jit(lambda p: (p[1] * 2, p[0] + 1), donate=0)
    p = np.ones(3), np.zeros(3)
    swapped((np.ones(3), np.zeros(3)))
    after = swapped(p)
    assert after is p
    np.testing.assert_array_equal(after[0], np.zeros(3))
    np.testing.assert_array_equal(after[1], np.full(3, 2.0))


def test_a_part_comes_back_inside_something_new():
    some = gg.jit(lambda p, q: {"p": (p[0] * 2, p[1] * 2), "q": q + 1}, donate=0)
    some(arrays(), np.ones(2))
    p = arrays()
    after = some(p, np.ones(2))
    assert after["p"] is p and after["p"][1][1] == 2


def test_another_name_in_a_record_is_another_record():
    def renamed(p):
        return Frozen(p.w * 2, p.b * 2, "other")

    compiled = gg.jit(renamed, donate=0)
    compiled(Frozen(*arrays()))
    p = Frozen(*arrays())
    after = compiled(p)
    assert after is not p and after.name == "other" and after.w is p.w


def counts(p):
    """How many hold a tuple and each of its items."""
    gc.collect()
    return [sys.getrefcount(p), *map(sys.getrefcount, p)]


def test_references_are_counted():
    compiled = gg.jit(step, donate=0)
    p, x = arrays(), np.ones(3)
    compiled(p, x)
    before = counts(p)
    for _ in range(100):
        compiled(p, x)
    assert counts(p) == before
    held = compiled(p, x)[1]
    assert held is p and counts(p) == [before[0] + 1, *before[1:]]
    del held
    assert counts(p) == before


def test_a_call_that_fails_gives_up_nothing():
    compiled = gg.jit(lambda p, i: (p[0] * 2, p[1][i] + p[1]), donate=0)
    p = arrays()
    compiled(p, np.array(1))
    before = counts(p)
    for _ in range(10):
        with pytest.raises(IndexError):
            compiled(p, np.array(7))
    assert counts(p) == before
