"""Words as numbers, and the two models on them: votes and windows, on both engines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn
from glassgrad.graph.errors import ShapeError
from glassgrad.text.bag_classifier import TEMPER, BagClassifier
from glassgrad.text.spelling import features, shape
from glassgrad.text.tokens import ngrams, tokenise
from glassgrad.text.vocabulary import Vocabulary, pad
from glassgrad.text.window_tagger import WindowTagger
from glassgrad.text.windows import windows
from glassgrad.transform import random


def test_tokens_and_ngrams():
    assert tokenise("Wow... I'm 20% naïve; C3PO!") == [
        "wow", ".", ".", ".", "i'm", "20", "%", "naïve", ";", "c3po", "!",
    ]  # fmt: skip
    assert tokenise("") == [] and ngrams([], 2) == []
    assert ngrams(["a", "b", "c"], 3) == ["a", "b", "c", "a b", "b c", "a b c"]


def test_spelling():
    assert shape("") == "" and shape("USA-2017") == "X-9" and shape("日本") == "x"
    assert features("http://x.y")[0] == "w:<link>"
    assert features("1999") == features("2017")
    assert len(features("")) == len(features("a")) == len(features("http://x"))


def test_a_vocabulary():
    v = Vocabulary.fit(["b", "a", "b", "c", "c", "c"], least=2)
    assert v.words == ("c", "b") and v.encode(["a", "b", "c"]).tolist() == [1, 3, 2]
    assert v.known(["c", "x", "c", "b"]) == [2, 3] and len(v) == 4
    assert Vocabulary.fit(["b", "a"], most=1).words == ("a",)
    with pytest.raises(ShapeError, match="each word once"):
        Vocabulary(("a", "a")).validate()
    assert pad([[], [1, 2, 3]], 2).tolist() == [[0, 0], [1, 2]]


def test_windows_of_several_features():
    found = windows(np.array([[2, 3], [4, 5]]), 2)
    assert found.tolist() == [[0, 0, 0, 0, 2, 3, 4, 5, 0, 0], [0, 0, 2, 3, 4, 5, 0, 0, 0, 0]]
    assert windows(np.array([[7]]), 0).tolist() == [[7]]


def test_votes_start_as_log_count_ratios():
    bags = np.array([[2, 3], [2, 0], [3, 4], [4, 0]])  # two of class 0, two of class 1
    bag = BagClassifier.init(bags, np.array([0, 0, 1, 1]), 5, 2)
    # Counts + 1, of numbers 0 to 4: class 0 (1, 1, 3, 2, 1), class 1 (1, 1, 1, 2, 3); sums 8.
    assert bag.votes[2] == pytest.approx(TEMPER / 2 * np.array([np.log(3), -np.log(3)]), rel=1e-6)
    assert bag.votes[3] == pytest.approx(0) and (bag.votes[0] == 0).all()
    assert bag.bias == pytest.approx(np.log([0.5, 0.5]))
    assert bag(bags).argmax(axis=1).tolist() == [0, 0, 1, 1]


def gradients(model, x, y, engine):
    def loss(model):
        return nn.cross_entropy(model(x), y)

    return gg.jit(gg.value_and_grad(loss), engine=engine)(model)


@pytest.mark.parametrize("kind", ["bag", "window"])
def test_the_gradient_of_rows_that_are_looked_up(kind):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 12, (9, 6)), rng.integers(0, 3, 9)
    if kind == "bag":
        model = BagClassifier(rng.standard_normal((12, 3)), rng.standard_normal(3))
        table = "votes"
    else:
        mlp = nn.MLP.init([24, 5, 3], key=random.key(0), activation="tanh", dtype=np.float64)
        model, table = WindowTagger(rng.standard_normal((12, 4)), mlp), "vectors"
    (value, native), (again, reference) = (
        gradients(model, x, y, engine) for engine in ("native", "reference")
    )
    assert float(value) == pytest.approx(float(again), rel=1e-12)
    found = np.asarray(getattr(native, table))
    assert found == pytest.approx(np.asarray(getattr(reference, table)), rel=1e-10, abs=1e-14)
    start = getattr(model, table)
    for i, j in ((0, 0), (3, 1), (11, 2)):
        up, down = start.copy(), start.copy()
        up[i, j], down[i, j] = up[i, j] + 1e-6, down[i, j] - 1e-6
        values = [
            float(nn.cross_entropy(dataclasses.replace(model, **{table: t})(x), y))
            for t in (up, down)
        ]
        assert found[i, j] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-9)


def test_padding_casts_no_vote():
    rng = np.random.default_rng(0)
    bag = BagClassifier(rng.standard_normal((5, 2)), np.zeros(2))
    assert bag(np.array([[3, 4, 0, 0]])) == pytest.approx(bag(np.array([[3, 4]])))
    _, slope = gradients(bag, np.array([[3, 0]]), np.array([0]), "native")
    assert (np.asarray(slope.votes)[0] == 0).all()


def test_models_that_do_not_fit_together():
    with pytest.raises(ShapeError, match="make no classifier"):
        BagClassifier(np.zeros((3, 2)), np.zeros(3)).validate()
    mlp = nn.MLP.init([10, 2], key=random.key(0))
    with pytest.raises(ShapeError, match="cannot fill 10 inputs"):
        WindowTagger(np.zeros((3, 4)), mlp).validate()
    with pytest.raises(ShapeError, match="a matrix of floats"):
        WindowTagger(np.zeros(3), mlp).validate()
