"""Every law on its own example: it fires, keeps value and gradient, and is not dearer."""

from __future__ import annotations

import numpy as np
import pytest

from glassgrad.diff import reverse
from glassgrad.engines.reference import evaluate
from glassgrad.graph.check import check_graph
from glassgrad.graph.family import View
from glassgrad.graph.node import Const, Input, Item
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.reduce import sum_
from glassgrad.rewrite.law import EXACT, EXTENDING, REAL_EQUAL, LawBook, apply_laws
from glassgrad.rewrite.pipeline import LAWS
from glassgrad.transform.trace import trace_call

CASES = [pytest.param(law, id=f"{law.name}: {law.statement}") for law in LAWS]
FEW_ULP = 8


def traced(law):
    """The example's graph, on variables with the values that it is to be tried at."""
    call = trace_call(law.example, law.at, {}, tuple(range(len(law.at))))
    return call, call.outputs


def rewritten(law):
    """The example's graph before and after the law, and the firings."""
    call, before = traced(law)
    log = []
    after = apply_laws(before, [LawBook("one", [law])], log)
    if not log:  # another law makes its form
        call, before = traced(law)
        after = apply_laws(before, [LawBook("all", LAWS)], log)
        log = [f for f in log if f.law is law]
    return call, before, after, log


def values(call, nodes):
    with np.errstate(all="ignore"):
        return evaluate(nodes, call.trace.root().values)


def gradient(call, outputs):
    total = outputs[0]
    loss = sum_(total * total + total, tuple(range(total.ndim)))
    with np.errstate(all="ignore"):
        return evaluate(reverse.gradients(loss, call.nodes), call.trace.root().values)


def close(kind, got, want):
    """Equality by the class of the law."""
    if kind == EXACT:
        return got.dtype == want.dtype and got.tobytes() == want.tobytes()
    finite = np.isfinite(want) if kind == EXTENDING else np.ones(want.shape, bool)
    gap = np.abs(got[finite] - want[finite])
    least = 1.0 if kind == EXTENDING else 1e-8  # what was extended may have cancelled from 1
    return bool((gap <= FEW_ULP * np.spacing(np.maximum(np.abs(want[finite]), least))).all())


def cost(outputs):
    """The number of ops that compute; views, casts and leaves are free."""
    free = (View, Const, Input, Item)
    return sum(not isinstance(n.op, free) for n in topological_order(outputs))


@pytest.mark.parametrize("law", CASES)
def test_fires_on_its_example(law):
    _, _, _, log = rewritten(law)
    assert log and all(f.law is law for f in log)
    assert all(
        f.old is not f.new and (f.old.shape, f.old.dtype) == (f.new.shape, f.new.dtype) for f in log
    )


@pytest.mark.parametrize("law", CASES)
def test_keeps_the_value(law):
    call, before, after, _ = rewritten(law)
    check_graph(after, [(y.shape, y.dtype) for y in before], law.name)
    for got, want in zip(values(call, after), values(call, before)):
        assert close(law.kind, got, want), f"{got} and {want}"


@pytest.mark.parametrize("law", CASES)
def test_keeps_the_gradient(law):
    call, before, after, _ = rewritten(law)
    if before[0].dtype.kind != "f":
        return
    for got, want in zip(gradient(call, after), gradient(call, before)):
        finite = np.isfinite(want)
        np.testing.assert_allclose(got[finite], want[finite], rtol=1e-13, atol=1e-14)


EXTENDED = {"norm": 4}
"""Laws that buy a derivative where there was none: how many ops they may add for it."""


@pytest.mark.parametrize("law", CASES)
def test_is_not_dearer(law):
    _, before, after, _ = rewritten(law)
    allowed = EXTENDED.get(law.name, 0) if law.kind == EXTENDING else 0
    assert cost(after) <= cost(before) + allowed


@pytest.mark.parametrize("law", CASES)
def test_says_what_it_is(law):
    assert law.kind in (EXACT, REAL_EQUAL, EXTENDING)
    assert law.statement and law.name and law.at and callable(law.example)
