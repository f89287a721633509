"""Constants of bodies become operands, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines import reference
from glassgrad.graph.node import Const, Input, Node, constant, new_input
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.loop import functions_of
from glassgrad.rewrite.lift import lift

rng = np.random.default_rng(2)
W = rng.normal(size=4)


def squares(v: Any) -> Any:
    return np.sum(v**2) * 0.25


BODIES: dict[str, Callable[[Any], Any]] = {
    "plain": lambda x: np.sum(x * 0.25) + 0.5,
    "scan": lambda x: gg.scan(lambda c, r: (c * 0.25 + r, c - 0.5), x[0], x),
    "while": lambda x: gg.while_loop(
        lambda c: np.sum(c) > 0.25, lambda c: c * 0.5, np.abs(x) + 0.25
    ),
    "cond": lambda x: gg.cond(np.sum(x) > 0.25, lambda v: v * 0.25, lambda v: v / 3.0 + 0.25, x),
    "nested": lambda x: gg.scan(
        lambda c, r: (gg.cond(np.sum(r) > 0, lambda v: v * 0.25, lambda v: v - 0.25, c), r * 0.25),
        x[0], x,
    ),
    "remat": lambda x: gg.grad(lambda v: np.sum(gg.remat(lambda u: np.tanh(u * 0.25))(v) ** 2))(x),
    "own rule": lambda x: gg.custom_rule(squares, vjp=lambda g, _, v: g * v * 0.5)(x),
    "rule in a loop": lambda x: gg.scan(
        lambda c, r: (c - gg.grad(gg.custom_rule(squares, vjp=lambda g, _, v: g * v * 0.5))(r), c),
        x[0], x,
    ),
}  # fmt: skip


def every(outputs: list[Node]) -> list[Node]:
    """All nodes, those of bodies too."""
    found: list[Node] = []
    for node in topological_order(outputs):
        found.append(node)
        for f in functions_of(node):
            found += every([*f.params, *f.outputs])
    return found


@pytest.mark.parametrize("name", BODIES)
def test_the_same_numbers_come_of_constants_that_are_given(name: str) -> None:
    x, outputs = traced(BODIES[name])
    constants = [n for n in dict.fromkeys(every(outputs)) if isinstance(n.op, Const)]
    assert constants
    trace = outputs[0].trace.root()
    given = {c: new_input(trace, "constant", c.shape, c.dtype) for c in constants}
    lifted = lift(outputs, given)
    assert not any(isinstance(n.op, Const) for n in every(lifted))
    value = rng.normal(size=(3, 4))
    known = {given[c]: c.op.value for c in constants}
    found = reference.evaluate(lifted, {x: value, **known})
    for a, b in zip(found, reference.evaluate(outputs, {x: value}), strict=True):
        np.testing.assert_array_equal(a, b)
    some = {c: given[c] for c in constants[::2]}
    partly = lift(outputs, some)
    again = reference.evaluate(partly, {x: value, **{given[c]: c.op.value for c in some}})
    for a, b in zip(again, found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_only_the_constants_that_are_named() -> None:
    x, outputs = traced(BODIES["scan"])
    half = constant(outputs[0].trace.root(), 0.5)
    assert lift(outputs, {half: x}) == outputs


def traced(f: Callable[[Any], Any]) -> tuple[Node, list[Node]]:
    """The variable and the results of a graph."""
    compiled = gg.jit(f, engine="reference")
    seen = compiled._trace([np.ones((3, 4))], flat_tree())  # pyright: ignore
    (x,) = seen[0]
    assert isinstance(x.op, Input)
    return x, seen[1]


def flat_tree() -> Any:
    """The structure of a call with one array."""
    from glassgrad.transform.tree import flatten

    return flatten(((np.ones((3, 4)),), {}))[1]
