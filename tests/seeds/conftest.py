"""Every row runs on both engines; ops that a test defines are gone when it ends."""

from __future__ import annotations

import on_native
import pytest

from glassgrad.array import handle
from glassgrad.engines import reference
from glassgrad.graph.op import REGISTRY


@pytest.fixture(autouse=True)
def registry_as_before():
    before = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(before)


@pytest.fixture(autouse=True, params=["by reference", "by native"])
def row_engine(request, monkeypatch):
    """The engine that computes what a row asks for outside `gg.jit`, which names its own."""
    if request.param == "by native":
        monkeypatch.setattr(reference, "_run", on_native.run)
        monkeypatch.setattr(handle, "interpret", on_native.interpret)
    return request.param
