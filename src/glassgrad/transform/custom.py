"""gg.custom_rule: a function with a derivative that the user writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np

from glassgrad.array import Array
from glassgrad.array.handle import as_node
from glassgrad.graph.errors import CalculusError, ShapeError
from glassgrad.graph.family import alias, cast
from glassgrad.graph.node import Node, Trace, new_input
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.loop import Custom, results_of
from glassgrad.ops.reduce import zeros_like
from glassgrad.transform.body import (
    Place,
    captured_from,
    closed,
    is_number,
    present,
    stand_ins,
    tracing_body,
)
from glassgrad.transform.trace import Function, label_of
from glassgrad.transform.tree import Tree, describe, flatten, paths, unflatten

Rule = Callable[..., Any]


def custom_rule(
    f: Function, vjp: Rule | None = None, jvp: Rule | None = None
) -> Callable[..., Any]:
    """The function f of positional arguments, with its own derivative rule.

    vjp(g, y, *args) returns the cotangent of each argument (a tuple where there are several), given
    that of the value y; jvp(ts, y, *args) the tangent of y, given a tuple of the arguments'
    tangents. None stands for zero. One of the two is enough: the other mode is its transpose.
    Higher derivatives differentiate the rule. What a rule needs is passed as an argument.

    >>> import glassgrad as gg, numpy as np
    >>> through = gg.custom_rule(np.floor, vjp=lambda g, y, x: g)    # straight through
    >>> gg.grad(lambda x: through(x) ** 2)(2.5)
    np.float64(4.0)
    """
    if vjp is None and jvp is None:
        raise CalculusError("gg.custom_rule needs a rule: vjp=..., jvp=..., or both")

    def ruled(*args: Any) -> Any:
        return _Call(f, vjp, jvp, args).result()

    return update_wrapper(ruled, f)


class _Call:
    """One call of a function with rules: its graph, and those of its rules, as functions."""

    def __init__(
        self, f: Function, vjp: Rule | None, jvp: Rule | None, args: Sequence[Any]
    ) -> None:
        self.f, self.vjp, self.jvp = f, vjp, jvp
        leaves, self.tree = flatten(tuple(args))
        if all(map(is_number, leaves)):
            leaves = [np.asarray(v) for v in leaves]
        self.leaves = leaves
        self.place = Place(leaves)
        self.trace: Trace = self.place.trace
        self.given = [as_node(v, self.trace) for v in leaves if not is_number(v)]
        self.before = present(self.trace)
        self.captured: list[Node] = []

    def result(self) -> Any:
        """What the function returns, by an op that has the rules."""
        params = self._stand_ins()
        leaves, out = flatten(self._traced(self.f, *self._arguments(params)))
        outputs = [as_node(v, self.trace.root()) for v in leaves]
        self._capture(outputs, params)
        back = self._rule(self.vjp, outputs, out, outputs, True)
        ahead = self._rule(self.jvp, outputs, out, params, False)
        body = closed([*params, *self.captured], outputs)
        rules = (
            None if r is None else closed([*r[0], *self.captured, *r[1]], r[2])
            for r in (back, ahead)
        )
        op = Custom(body, *rules, count=len(params))
        return unflatten(out, self.place.returned(results_of(op, *self.given, *self.captured)))

    def _stand_ins(self) -> list[Node]:
        return [alias(x) for x in self.given]

    def _arguments(self, nodes: Sequence[Node]) -> list[Any]:
        return list(unflatten(self.tree, stand_ins(self.leaves, nodes)))

    def _traced(self, f: Rule, *args: Any) -> Any:
        with tracing_body(self.trace):
            return f(*args)

    def _capture(self, results: Sequence[Node], params: Sequence[Node]) -> None:
        found = captured_from(results, params, self.before)
        for node in found:
            if node.linked:
                raise CalculusError(
                    f"gg.custom_rule: {label_of(self.f)} or its rule uses a differentiated value "
                    f"that is none of its arguments: pass it as one{at_caller()}"
                )
        self.captured += [x for x in found if x not in self.captured]

    def _rule(
        self,
        rule: Rule | None,
        outputs: Sequence[Node],
        out: Tree,
        like: Sequence[Node],
        back: bool,
    ) -> tuple[list[Node], list[Node], list[Node]] | None:
        """A rule on stand-ins: those of the arguments, those of what else it is given, results."""
        if rule is None:
            return None
        params = self._stand_ins()
        values = [_fresh(y, "y") for y in outputs]
        moving = [x.dtype.kind == "f" for x in like]
        arriving = [_fresh(x, "g") if m else zeros_like(x) for x, m in zip(like, moving)]
        if back:
            packed = unflatten(out, [Array(a) for a in arriving])
        else:
            packed = self._tangents(arriving)
        y = unflatten(out, [Array(v) for v in values])
        found = self._traced(rule, packed, y, *self._arguments(params))
        if back and not isinstance(found, tuple | list):
            found = (found,)
        wanted, tree = (params, self.tree) if back else (outputs, out)
        given = _entries(tuple(found) if back else found, tree)
        if back:
            given = [v for v, leaf in zip(given, self.leaves) if not is_number(leaf)]
        results = [self._fitted(v, x) for v, x in zip(given, wanted) if x.dtype.kind == "f"]
        extra = [*values, *(a for a, m in zip(arriving, moving) if m)]
        self._capture(results, [*params, *extra])
        return params, extra, results

    def _tangents(self, arriving: Sequence[Node]) -> Any:
        """The tangents in the structure of the arguments; that of a Python number is 0."""
        zeros = [0.0 if is_number(v) else v for v in self.leaves]
        return unflatten(self.tree, stand_ins(zeros, arriving))

    def _fitted(self, value: Any, like: Node) -> Node:
        """What a rule returned for one array, as a node of its shape and dtype."""
        if value is None:
            return zeros_like(like)
        node = as_node(value, self.trace.root())
        if node.shape != like.shape:
            raise ShapeError(
                f"gg.custom_rule of {label_of(self.f)}: a rule gives shape {node.shape} where the "
                f"array has shape {like.shape}{at_caller()}"
            )
        return cast(node, like.dtype)


def _fresh(like: Node, label: str) -> Node:
    return new_input(like.trace, label, like.shape, like.dtype)


def _entries(value: Any, tree: Tree) -> list[Any]:
    """An entry for each leaf of the tree; None for a part stands for all its leaves."""
    if value is None:
        return [None] * len(paths(tree))
    if tree.kind == "leaf":
        return [value]
    children = list(value.values()) if isinstance(value, dict) else list(value)
    if tree.kind not in ("tuple", "list", "dict") or len(children) != len(tree.children):
        raise ShapeError(
            f"gg.custom_rule: a rule returns {describe(flatten(value)[1])} where {describe(tree)} "
            f"is wanted, one entry for each argument{at_caller()}"
        )
    return [v for child, part in zip(children, tree.children) for v in _entries(child, part)]
