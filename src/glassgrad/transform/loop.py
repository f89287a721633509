"""Loops in traced programs: the body, traced once, becomes a function, its captures operands."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassgrad.array import Array
from glassgrad.array.handle import as_node
from glassgrad.engines.reference import LOOP_VARIABLE, evaluate
from glassgrad.graph.dtype import as_plain
from glassgrad.graph.errors import ShapeError
from glassgrad.graph.family import cast
from glassgrad.graph.node import ACTIVE, Node, Trace, new_input
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.loop import scan as scan_op
from glassgrad.transform.body import captured_by, closed, tracing_body
from glassgrad.transform.tree import describe, flatten, unflatten

Body = Callable[[list[Node], list[Node]], tuple[list[Node], list[Node]]]


def scan_nodes(body: Body, first: Sequence[Node], rows: Sequence[Node], length: int) -> list[Node]:
    """A scan whose body is a Python function of nodes: (carry, rows) -> (carry, outputs)."""
    trace = (*first, *rows)[0].trace.root()
    carry = [new_input(trace, LOOP_VARIABLE, x.shape, x.dtype) for x in first]
    row = [new_input(trace, LOOP_VARIABLE, x.shape[1:], x.dtype) for x in rows]
    last, outputs = body(carry, row)
    params = [*carry, *row]
    results = [*last, *outputs]
    captured = captured_by(results, params)
    function = closed([*params, *captured], results)
    return scan_op(function, len(carry), len(row), length, [*first, *rows, *captured])


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any = None, length: int | None = None
) -> tuple[Any, Any]:
    """carry, y = f(carry, x) for each row x of `xs`; returns the last carry and the stacked y.

    `init`, `xs` and the results may be nested containers; the carry keeps its structure, shapes and
    dtypes. Without `xs`, `length` says how often, and x is None. The body is traced once.

    >>> import glassgrad as gg, numpy as np
    >>> gg.scan(lambda total, x: (total + x, total), 0.0, np.arange(4.0))
    (np.float64(6.0), array([0., 0., 1., 3.]))
    """
    init_leaves, init_tree = flatten(init)
    x_leaves, x_tree = flatten(xs)
    sizes = {np.shape(x)[0] for x in x_leaves if np.ndim(x)}
    if length is not None:
        sizes.add(operator.index(length))
    if len(sizes) != 1 or min(sizes) < 0 or any(np.ndim(x) == 0 for x in x_leaves):
        raise ShapeError(
            f"gg.scan: xs must be arrays with one leading length, and length must agree: found "
            f"{sorted(sizes)}{at_caller()}"
        )
    n = sizes.pop()
    handles = [v for v in (*init_leaves, *x_leaves) if isinstance(v, Array)]
    outer = ACTIVE.get()
    trace = outer or (handles[0].node.trace.root() if handles else Trace())
    shape: list[Any] = []

    def body(carry: list[Node], row: list[Node]) -> tuple[list[Node], list[Node]]:
        with tracing_body(trace):
            result = f(_handles(init_tree, carry), _handles(x_tree, row))
        if not isinstance(result, tuple) or len(result) != 2:
            raise ShapeError(f"gg.scan: the body must return (carry, y){at_caller()}")
        last, y = result
        leaves, tree = flatten(last)
        if tree != init_tree:
            raise ShapeError(
                f"gg.scan: the carry comes in as {describe(init_tree)} and goes out as "
                f"{describe(tree)}{at_caller()}"
            )
        y_leaves, y_tree = flatten(y)
        shape.append(y_tree)
        kept = [_as_carry(as_node(v, trace), c) for v, c in zip(leaves, carry)]
        return kept, [as_node(v, trace) for v in y_leaves]

    first = [_first(v, trace) for v in init_leaves]
    rows = [as_node(v if isinstance(v, Array) else as_plain(v), trace) for v in x_leaves]
    if not first and not rows:
        raise ShapeError("gg.scan needs a carry or xs")
    results = scan_nodes(body, first, rows, n)
    values: list[Any] = [Array(y) for y in results]
    if outer is None and not handles:
        values = [np.asarray(v)[()] for v in evaluate(results, trace.root().values)]
    return unflatten(init_tree, values[: len(first)]), unflatten(shape[0], values[len(first) :])


def _first(value: Any, trace: Trace) -> Node:
    """A first carry; Python numbers are float64 (int64 for integers)."""
    return as_node(value if isinstance(value, Array) else as_plain(value), trace)


def _as_carry(node: Node, like: Node) -> Node:
    """A carry cast back where only weak promotion widened it."""
    same_kind = node.dtype.kind == like.dtype.kind
    return cast(node, like.dtype) if same_kind and node.shape == like.shape else node


def _handles(tree: Any, nodes: Sequence[Node]) -> Any:
    return unflatten(tree, [Array(n) for n in nodes])
