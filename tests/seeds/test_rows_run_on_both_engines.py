"""The fixture of these tests does what it says: machine code computes, and its faults are seen."""

from __future__ import annotations

import numpy as np
import on_native
import pytest

import glassgrad as gg
from glassgrad.engines.native.algebra import LLVMAlgebra
from glassgrad.engines.native.cache import ObjectCache


def test_values_and_gradients_are_computed_by_the_engine_of_the_row(row_engine, monkeypatch):
    monkeypatch.setattr(on_native, "PROGRAMS", {})
    monkeypatch.setattr(on_native, "CACHE", ObjectCache(None))  # wrong code is never kept
    assert gg.grad(lambda x: np.sum(x**3))(np.ones(4)).tolist() == [3.0] * 4
    (x,) = gg.variables("x")
    assert gg.evaluate(np.sin(x) ** 2 + np.cos(x) ** 2, {x: 0.7}) == pytest.approx(1.0)
    compiled = len(on_native.PROGRAMS)
    assert compiled == (2 if row_engine == "by native" else 0)
    monkeypatch.setattr(LLVMAlgebra, "tanh", lambda k, x: x)
    wrong = gg.evaluate(np.tanh(x), {x: 0.5}) == 0.5
    assert wrong == (row_engine == "by native")
