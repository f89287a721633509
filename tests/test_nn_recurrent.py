"""Recurrent cells against their formulas, and through time."""

from __future__ import annotations

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, random
from glassgrad.transform.tree import flatten

KEY = random.key(3)
XS = np.random.default_rng(0).normal(size=(5, 2, 3))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def rnn(c, x, h):
    return np.tanh(c.weight_ih @ x + c.bias_ih + c.weight_hh @ h + c.bias_hh)


def gru(c, x, h):
    a, b = np.split(c.weight_ih @ x + c.bias_ih, 3), np.split(c.weight_hh @ h + c.bias_hh, 3)
    r, z = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
    return (1 - z) * np.tanh(a[2] + r * b[2]) + z * h


CELLS = [(nn.RNNCell, rnn), (nn.GRUCell, gru)]


@pytest.mark.parametrize(("kind", "formula"), CELLS)
def test_cells_by_their_formulas(kind, formula):
    cell = kind.init(3, 4, key=KEY, dtype=np.float64)
    h = np.random.default_rng(1).normal(size=(2, 4))
    expected = [formula(cell, x, s) for x, s in zip(XS[0], h)]
    np.testing.assert_allclose(cell(XS[0], h), expected, rtol=1e-13)
    np.testing.assert_allclose(cell(XS[0]), cell(XS[0], np.zeros((2, 4))), rtol=0)


@pytest.mark.parametrize(("kind", "formula"), CELLS)
def test_a_sequence_is_the_loop_written_out(kind, formula):
    cell = kind.init(3, 4, key=KEY, dtype=np.float64)

    def scanned(cell, xs):
        states, last = nn.Recurrent(cell)(xs)
        return np.sum(states**2) + np.sum(last)

    def unrolled(cell, xs):
        h, total = np.zeros((2, 4)), 0.0
        for x in xs:
            h = cell(x, h)
            total = total + np.sum(h**2)
        return total + np.sum(h)

    value, gradient = gg.value_and_grad(scanned, argnums=(0, 1))(cell, XS)
    other, expected = gg.value_and_grad(unrolled, argnums=(0, 1))(cell, XS)
    assert value == pytest.approx(other, rel=1e-13)
    for engine in ("reference", "native"):
        compiled = gg.jit(gg.grad(scanned, argnums=(0, 1)), engine=engine)(cell, XS)
        for a, b, c in zip(flatten(gradient)[0], flatten(expected)[0], flatten(compiled)[0]):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)
            np.testing.assert_allclose(c, b, rtol=1e-11, atol=1e-13)


def test_shapes_and_initial_values():
    cell = nn.GRUCell.init(3, 100, key=KEY)
    assert {k: v.shape for k, v in nn.named_arrays(cell).items()} == {
        "weight_ih": (300, 3), "weight_hh": (300, 100), "bias_ih": (300,), "bias_hh": (300,)
    }  # fmt: skip
    assert abs(cell.weight_hh).max() <= 0.1 and cell.weight_hh.dtype == np.float32
    assert cell.weight_hh.std() == pytest.approx(0.1 / 3**0.5, rel=0.05)
    states, last = nn.Recurrent(cell)(XS.astype(np.float32))
    assert states.shape == (5, 2, 100) and (states[-1] == last).all()
    with pytest.raises(ValueError, match=r"GRUCell takes 3 inputs, but x has shape \(2, 4\)"):
        cell(np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"\(time, \.\.\., inputs\)"):
        nn.Recurrent(cell)(np.zeros(3))
