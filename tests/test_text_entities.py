"""Entities, their scores against a count by hand, and the best sequence of tags."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glassgrad.graph.errors import ShapeError
from glassgrad.text.entities import best_path, entities, marks_entities, may_follow
from glassgrad.text.entity_scores import entity_scores
from glassgrad.text.tag_dictionary import TagDictionary

TAGS = ["O", "B-a", "I-a", "B-b", "I-b"]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O", []),
        ("B-a I-a O", [("a", 0, 2)]),
        ("B-a B-a", [("a", 0, 1), ("a", 1, 2)]),
        ("I-a I-a", [("a", 0, 2)]),
        ("B-a I-b I-b", [("a", 0, 1), ("b", 1, 3)]),
        ("O I-a", [("a", 1, 2)]),
        ("S-a B-a E-a O S-b", [("a", 0, 1), ("a", 1, 3), ("b", 4, 5)]),
        ("B-a E-a I-a", [("a", 0, 2), ("a", 2, 3)]),
        ("B-creative-work I-creative-work", [("creative-work", 0, 2)]),
    ],
)
def test_entities(tags, expected):
    assert entities(tags.split()) == expected


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(TAGS), max_size=8))
def test_entities_are_disjoint_and_cover_what_is_not_outside(tags):
    covered = [i for e in entities(tags) for i in range(e.start, e.stop)]
    assert covered == [i for i, t in enumerate(tags) if t != "O"]


def test_what_marks_entities():
    assert marks_entities(["O", "B-a"]) and not marks_entities(["NOUN", "VERB"])
    assert not marks_entities(["O"]) and not marks_entities(["B-a", "NOUN"])


def test_scores_by_hand():
    truth = [["B-a", "I-a", "O", "B-b"], ["O", "B-b"], ["B-a"]]
    guess = [["B-a", "O", "O", "B-b"], ["B-b", "B-b"], ["B-b"]]
    scores = entity_scores(guess, truth)
    total = scores["all"]
    assert (total.right, total.found, total.truth) == (2, 5, 4)
    assert total.precision == 0.4 and total.recall == 0.5
    assert total.f1 == pytest.approx(2 * 0.4 * 0.5 / 0.9)
    assert scores["a"].f1 == 0.0 and scores["b"].precision == 0.5 and scores["b"].recall == 1.0


def test_scores_of_nothing():
    total = entity_scores([["O"]], [["O"]])["all"]
    assert total.precision == total.recall == total.f1 == 0.0
    with pytest.raises(ShapeError, match="sentence 0: 1 predicted tags, 2 true ones"):
        entity_scores([["O"]], [["O", "O"]])
    with pytest.raises(ShapeError, match="0 predicted sentences"):
        entity_scores([], [["O"]])


def total_score(path, scores, allowed):
    before = [len(TAGS), *path[:-1]]
    if not all(allowed[a, b] for a, b in zip(before, path)):
        return -np.inf
    return sum(scores[i, j] for i, j in enumerate(path))


@pytest.mark.parametrize("seed", range(5))
def test_the_best_path_is_the_best_of_all(seed):
    scores = np.random.default_rng(seed).standard_normal((4, len(TAGS))) * 3
    allowed = may_follow(TAGS)
    found = best_path(scores, allowed)
    every = itertools.product(range(len(TAGS)), repeat=4)
    best = max(every, key=lambda path: total_score(path, scores, allowed))
    assert tuple(found) == best


def test_no_inside_without_a_beginning():
    allowed = may_follow(TAGS)
    assert allowed[1, 2] and allowed[2, 2]  # B-a, I-a -> I-a
    assert not allowed[0, 2] and not allowed[3, 2] and not allowed[-1, 2]
    assert allowed[:, [0, 1, 3]].all()


def test_the_dictionary_prefers_the_longest_and_the_commonest():
    words = [["New", "York"], ["York"], ["york"], ["York"]]
    tags = [["B-city", "I-city"], ["B-duke"], ["B-town"], ["B-duke"]]
    found = TagDictionary.fit(words, tags)
    assert found.tag(["NEW", "york", "York", "x"]) == ("B-city", "I-city", "B-duke", "O")
    assert TagDictionary.fit([], []).tag(["a"]) == ("O",)
