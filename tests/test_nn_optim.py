"""Optimisers against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from glassgrad.optim import SGD, Adam

START = np.array([1.0, -2.0])
GRADIENTS = [np.array([0.1, -0.2]), np.array([0.05, 0.3])]


def steps(opt, start=START, gradients=GRADIENTS):
    params, state, seen = start, opt.init(start), []
    for g in gradients:
        params, state = opt.step(params, g, state)
        seen.append(params)
    return seen


def test_adam():
    first, second = steps(Adam(lr=0.001))
    assert first == pytest.approx([0.9990000001, -1.99900000005], rel=1e-14)
    assert second == pytest.approx([0.9980678205791187, -1.9992477018564194], rel=1e-14)


def test_adam_by_its_definition_over_many_steps():
    rng = np.random.default_rng(0)
    gradients = list(rng.standard_normal((200, 3)))
    p, m, v = np.ones(3), np.zeros(3), np.zeros(3)
    for t, g in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        p = p - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert steps(Adam(lr=0.01), np.ones(3), gradients)[-1] == pytest.approx(p, rel=1e-12)


def test_single_precision_stays_and_agrees():
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((50, 3))
    exact = steps(Adam(lr=0.01), np.ones(3), list(gradients))[-1]
    single = steps(Adam(lr=0.01), np.ones(3, np.float32), list(gradients.astype(np.float32)))[-1]
    assert single.dtype == np.float32
    assert single == pytest.approx(exact, rel=1e-5)


def test_sgd():
    first, second = steps(SGD(lr=0.1))
    assert first == pytest.approx([0.99, -1.98]) and second == pytest.approx([0.985, -2.01])


def test_optimisers_change_nothing_that_they_are_given():
    for opt in (SGD(lr=0.1), Adam()):
        params = {"w": np.ones(2), "b": (np.zeros(1),)}
        grads = {"w": np.ones(2), "b": (np.ones(1),)}
        state = opt.init(params)
        new, _ = opt.step(params, grads, state)
        again, _ = opt.step(params, grads, state)
        assert params["w"].tolist() == [1, 1] and grads["w"].tolist() == [1, 1]
        assert (new["w"] == again["w"]).all() and new["w"][0] < 1 and new["b"][0] < 0
