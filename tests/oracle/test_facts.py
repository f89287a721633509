"""The facts of calculus that the design promises."""

import pytest

from oracle.facts import FACTS
from oracle.forms import (
    FORMS,
    UNDER_A_MASK,
    check_distinct_writes,
    check_line,
    check_masked,
    kept,
)
from oracle.ledger import CHECKS


@pytest.mark.parametrize("fact", [pytest.param(f, id=f"{f.name} d{f.order}") for f in FACTS])
def test_fact(fact):
    fact.check()


@pytest.mark.parametrize("form", [pytest.param(f, id=f.want) for f in FORMS])
def test_form(form):
    form.check()


@pytest.mark.parametrize(
    ("name", "line"), [pytest.param(n, x, id=x.split(":")[0]) for n, x in kept()]
)
def test_derivative_reads_as_kept(name, line):
    check_line(name, line)


@pytest.mark.parametrize("check", CHECKS)
def test_ledger(check):
    check()


def test_distinct_writes():
    check_distinct_writes()


@pytest.mark.parametrize(("f", "by", "want"), UNDER_A_MASK)
def test_gradient_under_a_mask(f, by, want):
    check_masked(f, by, want)
