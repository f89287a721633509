"""The facts of calculus that the design promises."""

import pytest
from oracle.facts import FACTS
from oracle.forms import FORMS


@pytest.mark.parametrize("fact", [pytest.param(f, id=f"{f.name} d{f.order}") for f in FACTS])
def test_fact(fact):
    fact.check()


@pytest.mark.parametrize("form", [pytest.param(f, id=f.want) for f in FORMS])
def test_form(form):
    form.check()
