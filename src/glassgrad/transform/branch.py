"""gg.cond and gg.while_loop: a course that depends on values, inside a graph.

A Python `if` on a traced value fixes one course for the whole trace; these keep both, or all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassgrad.array import Array
from glassgrad.array.handle import as_node
from glassgrad.engines.reference import LOOP_VARIABLE
from glassgrad.graph.algebra import NODES
from glassgrad.graph.dtype import BOOL, as_plain, promote
from glassgrad.graph.errors import ShapeError
from glassgrad.graph.family import alias, cast
from glassgrad.graph.node import Node, Trace, constant, new_input
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.loop import Cond, While, results_of
from glassgrad.transform.body import (
    Place,
    captured_by,
    captured_from,
    closed,
    is_number,
    present,
    stand_ins,
    tracing_body,
)
from glassgrad.transform.loop import scan_nodes
from glassgrad.transform.trace import label_of
from glassgrad.transform.tree import Tree, describe, flatten, unflatten


def cond(
    pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], *operands: Any
) -> Any:
    """true_fn(*operands) where the boolean `pred` is true, else false_fn(*operands).

    Both functions are traced; one is run. They return the same structure and shapes. It has both
    modes of differentiation: no gradient comes from the branch that was not taken. Under `gg.vmap`
    with a predicate for each example both are run and the results selected.

    >>> import glassgrad as gg, numpy as np
    >>> f = lambda x: gg.cond(x > 0, np.sqrt, lambda x: 0 * x, x)
    >>> gg.grad(f)(4.0), gg.grad(f)(-1.0)
    (np.float64(0.25), np.float64(0.0))
    """
    leaves, tree = flatten(operands)
    place = Place([pred, *leaves])
    trace = place.trace
    given = [_node(v, trace) for v in leaves if not is_number(v)]
    asked = _predicate(_node(pred, trace), "gg.cond")
    seen = present(trace)
    yes, yes_tree, params = _branch(true_fn, given, leaves, tree, trace)
    no, no_tree, others = _branch(false_fn, given, leaves, tree, trace)
    _check_same(yes, yes_tree, no, no_tree, (true_fn, false_fn))
    yes, no = _promoted(yes, no)
    captured = [*captured_from(yes, params, seen), *captured_from(no, others, seen)]
    shared = [asked, *dict.fromkeys(captured)]  # a function has one parameter at least
    op = Cond(closed([*params, *shared], yes), closed([*others, *shared], no))
    return unflatten(yes_tree, place.returned(results_of(op, asked, *given, *shared)))


def _branch(
    f: Callable[..., Any], given: Sequence[Node], leaves: Sequence[Any], tree: Tree, trace: Trace
) -> tuple[list[Node], Tree, list[Node]]:
    """A branch traced on stand-ins of the operands: results, structure, stand-ins."""
    params = [alias(x) for x in given]
    with tracing_body(trace):
        result = f(*unflatten(tree, stand_ins(leaves, params)))
    found, out = flatten(result)
    return [as_node(v, trace.root()) for v in found], out, params


def _node(value: Any, trace: Trace) -> Node:
    return as_node(value if isinstance(value, Array) else as_plain(value), trace.root())


def _predicate(node: Node, what: str) -> Node:
    if node.shape != () or node.dtype.kind not in "biu":
        raise ShapeError(
            f"{what}: the predicate is one boolean, not {node.dtype}{list(node.shape)}: use .any() "
            f"or .all(), or gg.vmap for one a row{at_caller()}"
        )
    return node if node.dtype == BOOL else NODES.not_equal(node, 0)


def _check_same(
    yes: Sequence[Node], yes_tree: Tree, no: Sequence[Node], no_tree: Tree, fs: Sequence[Any]
) -> None:
    shapes = [[n.shape for n in side] for side in (yes, no)]
    if yes_tree != no_tree or shapes[0] != shapes[1]:
        first, second = (
            f"{label_of(f)} returns {describe(t)} with shapes {s}"
            for f, t, s in zip(fs, (yes_tree, no_tree), shapes)
        )
        raise ShapeError(f"gg.cond: {first}, {second}: both must be the same{at_caller()}")


def _promoted(yes: Sequence[Node], no: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """Both sides in the dtypes that they have in common."""
    dtypes = [promote(a.dtype, b.dtype) for a, b in zip(yes, no)]
    return [cast(a, d) for a, d in zip(yes, dtypes)], [cast(b, d) for b, d in zip(no, dtypes)]


def while_loop(
    cond: Callable[[Any], Any], body: Callable[[Any], Any], init: Any, max_steps: int | None = None
) -> Any:
    """carry = body(carry) as long as cond(carry) is true, from `init`; returns the last carry.

    The carry may be a nested container; it keeps its structure, shapes and dtypes. Forward mode
    differentiates it; reverse mode needs `max_steps`, which stops the loop after so many steps and
    keeps all of them.

    >>> import glassgrad as gg
    >>> gg.while_loop(lambda x: x < 100.0, lambda x: 3 * x, 1.0)
    np.float64(243.0)
    """
    leaves, tree = flatten(init)
    if not leaves:
        raise ShapeError(f"gg.while_loop needs a carry{at_caller()}")
    place = Place(leaves)
    first = [_node(v, place.trace) for v in leaves]
    loop = _Loop(cond, body, tree, place.trace)
    if max_steps is not None:
        return unflatten(tree, place.returned(loop.bounded(first, max_steps)))
    params = [new_input(place.trace, LOOP_VARIABLE, x.shape, x.dtype) for x in first]
    asked, moved = loop.test(params), loop.step(params)
    captured = captured_by([asked, *moved], params)
    test, step = (closed([*params, *captured], side) for side in ([asked], moved))
    op = While(test, step, len(params))
    return unflatten(tree, place.returned(results_of(op, *first, *captured)))


class _Loop:
    """The two functions of a while loop as functions of nodes."""

    def __init__(self, cond: Any, body: Any, tree: Tree, trace: Trace) -> None:
        self.cond, self.body, self.tree, self.trace = cond, body, tree, trace

    def test(self, carry: Sequence[Node]) -> Node:
        """Whether there is one more step."""
        leaves, tree = flatten(self._call(self.cond, carry))
        if tree.kind != "leaf":
            raise ShapeError(
                f"gg.while_loop: the condition returns one boolean, not {describe(tree)}"
                f"{at_caller()}"
            )
        return _predicate(_node(leaves[0], self.trace), "gg.while_loop")

    def step(self, carry: Sequence[Node]) -> list[Node]:
        """The next carry."""
        leaves, tree = flatten(self._call(self.body, carry))
        found = [_node(v, self.trace) for v in leaves]
        if tree != self.tree or [n.shape for n in found] != [x.shape for x in carry]:
            raise ShapeError(
                f"gg.while_loop: the carry comes in as {describe(self.tree)} with shapes "
                f"{[x.shape for x in carry]} and goes out as {describe(tree)} with "
                f"{[n.shape for n in found]}{at_caller()}"
            )
        return [
            cast(n, x.dtype) if n.dtype.kind == x.dtype.kind else n for n, x in zip(found, carry)
        ]

    def _call(self, f: Any, carry: Sequence[Node]) -> Any:
        with tracing_body(self.trace):
            return f(unflatten(self.tree, [Array(c) for c in carry]))

    def bounded(self, first: Sequence[Node], most: int) -> list[Node]:
        """A scan of `most` steps; once the test fails the carry stays."""

        def body(carry: list[Node], rows: list[Node]) -> tuple[list[Node], list[Node]]:
            going, *old = carry
            kept = [Array(c) for c in old]
            goes_on = NODES.logical_and(going, self.test(old))
            new = cond(
                Array(goes_on),
                lambda *c: [Array(n) for n in self.step([v.node for v in c])],
                lambda *c: list(c),
                *kept,
            )
            return [goes_on, *(v.node for v in new)], []

        start = constant(self.trace, np.asarray(True))
        return scan_nodes(body, [start, *first], [], most)[1:]
