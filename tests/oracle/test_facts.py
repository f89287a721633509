"""The facts of calculus that the design promises."""

import pytest
from oracle.facts import FACTS


@pytest.mark.parametrize("fact", [pytest.param(f, id=f"{f.name} d{f.order}") for f in FACTS])
def test_fact(fact):
    fact.check()
