"""How the numbers of the lectures are compared, and how ops of a graph are counted."""

from __future__ import annotations

import numpy as np

import glassgrad as gg


def close(actual, expected, rtol=1e-12):
    """Equal shapes, and equal numbers to a relative 1e-12; zeros are exact."""
    actual = np.asarray(actual)
    assert actual.shape == np.shape(expected), (actual.shape, np.shape(expected))
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=0)


def shown(actual, text):
    """Each number agrees with the text in every digit that the text shows; "…" cuts digits off."""
    numbers = np.ravel(actual)
    words = text.split()
    assert len(numbers) == len(words)
    for number, word in zip(numbers, words):
        digits = word.rstrip("…")
        unit = 10.0 ** -len(digits.partition(".")[2])
        slack = unit if word != digits else unit / 2
        assert abs(number - float(digits)) <= slack * (1 + 1e-9), (number, word)


def nodes_of(*expressions):
    """All nodes under some expressions, each once."""
    found = {}
    for e in expressions:
        for node in gg.ComputationalGraph(e).nodes:
            found[node] = None
    return list(found)


def ops_of(*expressions, outside=()):
    """The names of the ops that are computed, without those in the graphs of `outside`."""
    known = set(nodes_of(*outside))
    return [n.name for n in nodes_of(*expressions) if n.inputs and n not in known]
