"""All checks of derivatives as plain functions, with the ops that each is about: for the mutation
run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from oracle import elementwise, loops, structural
from oracle.facts import FACTS
from oracle.forms import (
    FORMS,
    UNDER_A_MASK,
    check_distinct_writes,
    check_line,
    check_masked,
    kept,
)
from oracle.instances import INSTANCES, random_instances
from oracle.ledger import CHECKS


class Check(NamedTuple):
    """A check that raises if it fails, and the op that it is about; "" for the calculus itself."""

    name: str
    op: str
    run: Callable[[], None]


def _elementwise() -> Iterator[Check]:
    for op in elementwise.differentiable():
        for at in ("samples", "edges"):
            for check in (elementwise.check_vjp, elementwise.check_jvp, elementwise.check_second):
                yield Check(f"{check.__name__}({op}, {at})", op.name, partial(check, op, at))
        yield Check(f"check_kinks({op})", op.name, partial(elementwise.check_kinks, op))
    for op in elementwise.ops():
        if op not in elementwise.differentiable():
            yield Check(f"check_stopped({op})", op.name, partial(elementwise.check_stopped, op))


def _structural() -> Iterator[Check]:
    for i, instance in enumerate(INSTANCES):
        if not structural.is_real(instance):
            continue
        for check in (structural.check_vjp, structural.check_jvp, structural.check_second):
            yield Check(f"{check.__name__}({instance})", instance.op.name, partial(check, i))
        yield Check(f"check_float32({instance})", instance.op.name,
                    partial(structural.check_float32, instance))  # fmt: skip


def _adjoints(count: int) -> Iterator[Check]:
    for i, instance in enumerate(random_instances(count)):
        run = partial(structural.check_adjoint, instance, i)
        yield Check(f"check_adjoint({instance})", instance.op.name, run)


def _loops() -> Iterator[Check]:
    for loop in loops.LOOPS:
        for check in (loops.check_gradient, loops.check_hessian):
            yield Check(f"{check.__name__}({loop.name})", "scan", partial(check, loop))


def all_checks(adjoints: int = 240) -> list[Check]:
    """Every check of values, the quick and general ones first."""
    facts = [Check(f"fact: {fact.name}", "", fact.check) for fact in FACTS]
    facts += [Check(check.__name__, "", check) for check in CHECKS]
    return [*facts, *_loops(), *_structural(), *_elementwise(), *_adjoints(adjoints)]


def all_forms() -> list[Check]:
    """Every check of how a derivative reads, which values alone cannot tell."""
    lines = [Check(f"form: {line}", name, partial(check_line, name, line)) for name, line in kept()]
    forms = [Check(f"form: {form.want}", "", form.check) for form in FORMS]
    forms += [Check(f"form: {case[2]}", "", partial(check_masked, *case)) for case in UNDER_A_MASK]
    return [*forms, Check("form: distinct writes", "scatter", check_distinct_writes), *lines]
