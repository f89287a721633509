"""Ops that a test defines are gone when it ends."""

from __future__ import annotations

import pytest

from glassgrad.graph.op import REGISTRY


@pytest.fixture(autouse=True)
def registry_as_before():
    before = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(before)
