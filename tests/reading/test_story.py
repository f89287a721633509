"""gg.explain: the story of a gradient's entry adds up, and names op, rule and line."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.graph.errors import CalculusError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 3)), RNG.normal(size=(8, 2))
PARAMS = {"w": RNG.normal(size=(2, 3)), "b": RNG.normal(size=2)}


def loss(p, x, y):
    z = np.tanh(x @ p["w"].T + p["b"])
    return np.mean((z - y) ** 2) + 0.1 * np.sum(p["w"] ** 2)


def test_the_parts_sum_to_the_gradient():
    gradient = gg.grad(loss)(PARAMS, X, Y)
    story = gg.explain(loss, PARAMS, X, Y, at=(0, (1, 2)))
    assert story.value == pytest.approx(gradient["w"][1, 2], rel=1e-12)
    assert sum(p.amount for p in story.passings) == pytest.approx(story.value, rel=1e-12)
    assert len(story.passings) == 2  # through the network, and through the decay


def test_each_part_is_upstream_times_local():
    story = gg.explain(loss, PARAMS, X, Y, at=(1, (0,)))
    (passing,) = story.passings
    assert passing.number == 8
    shown = sum(p.upstream * p.local for p in passing.products)
    assert abs(shown) <= 8 * max(abs(p.upstream * p.local) for p in passing.products)
    small = gg.explain(lambda w: np.sum(w * np.array([2.0, 5.0])), np.ones(2))
    (one,) = small.passings
    assert [(p.upstream, p.local) for p in one.products] == [(1.0, 5.0)]
    assert small.value == 5.0


def test_the_story_looks_through_a_transpose():
    story = gg.explain(lambda w: np.sum(X @ w.T), PARAMS["w"], at=(0, (1, 2)))
    assert story.passings[0].rule == "matmul"
    assert story.value == pytest.approx(X[:, 2].sum(), rel=1e-12)


def test_it_names_the_entry_the_rule_and_the_line():
    text = str(gg.explain(loss, PARAMS, X, Y, at=(1, (0,))))
    assert "d loss / d p['b'][0] = " in text
    assert "test_story.py" in text and 'z = np.tanh(x @ p["w"].T + p["b"])' in text
    assert "tanh (test_story.py" in text


def test_without_a_place_the_largest_entry_is_told():
    gradient = gg.grad(loss)(PARAMS, X, Y)
    largest = max(np.abs(gradient["w"]).max(), np.abs(gradient["b"]).max())
    assert abs(gg.explain(loss, PARAMS, X, Y).value) == pytest.approx(largest, rel=1e-12)


def test_a_vector_has_no_story():
    with pytest.raises(CalculusError, match=r"gg\.explain of <lambda>: the result has shape"):
        gg.explain(lambda x: x * 2, np.ones(3))


def test_a_story_told_inside_a_differentiated_function():
    stories = []

    def outer(w):
        v = np.log(1 + np.exp(w))  # a form that is rewritten, were it not for the story
        stories.append(gg.explain(lambda v: np.sum(v * v), v, at=(0, (1,))))
        return np.sum(v)

    w = np.array([1.0, 2.0])
    gradient = gg.grad(outer)(w)
    np.testing.assert_allclose(gradient, 1 / (1 + np.exp(-w)), rtol=1e-12)
    assert stories[0].value == pytest.approx(2 * np.log1p(np.exp(2.0)), rel=1e-12)
    (passing,) = stories[0].passings
    assert passing.rule == "square" and passing.amount == stories[0].value
