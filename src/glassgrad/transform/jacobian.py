"""Jacobians and Hessians, in numerator or denominator layout.

All rows come from one graph: the pullback (reverse mode) or the pushforward (forward mode), the one
that takes fewer, batched over the rows of an identity matrix. Where that would not fit in memory it
is a loop over the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassgrad.array.handle import as_node
from glassgrad.diff import forward, reverse
from glassgrad.diff.batch import batch
from glassgrad.diff.batch_body import spread
from glassgrad.graph.errors import CalculusError
from glassgrad.graph.family import reshape
from glassgrad.graph.node import Node, constant, new_input
from glassgrad.graph.traverse import descendants, substitute, topological_order
from glassgrad.ops.contract import Contract
from glassgrad.ops.loop import While
from glassgrad.ops.reduce import zeros_like
from glassgrad.ops.view import transpose
from glassgrad.rewrite.pipeline import stabilise
from glassgrad.transform.gradient import grad
from glassgrad.transform.loop import scan_nodes
from glassgrad.transform.trace import Function, label_of, normal_argnums, trace_call
from glassgrad.transform.tree import Tree

LAYOUTS = ("numerator", "denominator")
MODES = ("auto", "forward", "reverse")


def jacobian(
    f: Function,
    argnums: int | Sequence[int] = 0,
    layout: str = "numerator",
    mode: str = "auto",
) -> Callable[..., Any]:
    """A function that returns the Jacobian of f by an argument.

    Layout "numerator" gives the shape out.shape + in.shape (rows are functions), "denominator"
    in.shape + out.shape (rows are variables). Mode "reverse" takes one pass an output, "forward"
    one an input, "auto" the fewer. For nested containers the result nests them: outputs outside.

    >>> import glassgrad as gg, numpy as np
    >>> gg.jacobian(lambda x: np.array([x[0] * x[1], x[0] ** 2]))(np.array([2.0, 3.0]))
    array([[3., 2.],
           [4., 0.]])
    """
    if layout not in LAYOUTS or mode not in MODES:
        raise CalculusError(
            f"gg.jacobian: layout is one of {LAYOUTS} and mode one of {MODES}, not {layout!r}, "
            f"{mode!r}"
        )

    def function(*args: Any, **kwargs: Any) -> Any:
        chosen = normal_argnums(argnums, len(args), "gg.jacobian")
        traced = trace_call(f, args, kwargs, chosen)
        outputs = stabilise(traced.outputs, keep=traced.nodes)
        for y in outputs:
            if y.dtype.kind != "f":
                raise CalculusError(
                    f"gg.jacobian of {label_of(f)}: a result has dtype {y.dtype}, which carries no "
                    "derivative"
                )
        blocks = [
            _laid_out(_block(y, x, mode), y, x, layout) for y in outputs for x in traced.nodes
        ]
        inner = traced.tree if isinstance(argnums, Sequence) else traced.tree.children[0]
        result = traced.returned(blocks, _nested(traced.result, inner))
        traced.close()
        return result

    function.__name__ = f"jacobian_of_{label_of(f)}"
    return function


def _nested(outer: Tree, inner: Tree) -> Tree:
    """The outer structure with the inner one at each leaf."""
    if outer.kind == "leaf":
        return inner
    return outer._replace(children=tuple(_nested(child, inner) for child in outer.children))


def _block(y: Node, x: Node, mode: str) -> Node:
    """The derivative of y by x, in numerator layout."""
    if y.size == 0 or x.size == 0:
        return constant(y.trace, np.zeros((*y.shape, *x.shape), y.dtype))
    if mode == "auto":
        loops = any(isinstance(n.op, While) for n in topological_order([y]))  # no reverse mode
        mode = "forward" if x.size < y.size or loops else "reverse"
    return _forward(y, x) if mode == "forward" else _reverse(y, x)


def _basis(like: Node) -> Node:
    """The unit arrays of a shape, one a row."""
    eye = constant(like.trace, np.eye(like.size, dtype=like.dtype))
    return reshape(eye, (like.size, *like.shape))


def _reverse(y: Node, x: Node) -> Node:
    def row(seed: Node) -> Node:
        (found,) = reverse.vjp([y], [seed], [x])
        return zeros_like(x) if found is None else found

    if y.shape == ():
        return row(as_node(np.ones((), y.dtype), y.trace))
    return reshape(_rows(row, _basis(y)), (*y.shape, *x.shape))


def _forward(y: Node, x: Node) -> Node:
    def column(seed: Node) -> Node:
        (found,) = forward.jvp([y], {x: seed})
        return zeros_like(y) if found is None else found

    columns = _rows(column, _basis(x))
    lead = tuple(range(1, columns.ndim))
    return reshape(transpose(columns, (*lead, 0)), (*y.shape, *x.shape))


def _rows(f: Callable[[Node], Node], seeds: Node) -> Node:
    """f of each unit array in `seeds`, stacked: the matrix itself where f multiplies by one."""
    unit = new_input(seeds.trace, "unit", seeds.shape[1:], seeds.dtype)
    y = f(unit)
    matrix = _matrix_of(y, unit)
    if matrix is not None:
        return reshape(matrix, (seeds.shape[0], *y.shape))
    count = seeds.shape[0]
    if count * _largest(y, unit) > MOST_AT_ONCE:
        (stacked,) = scan_nodes(
            lambda carry, rows: ([], substitute([y], {unit: rows[0]})), [], [seeds], count
        )
        return stacked
    (found,) = batch([y], {unit: seeds}, count)
    return spread(y, count) if found is None else found


MOST_AT_ONCE = 1 << 24  # elements of the largest array that is computed for all rows together


def _largest(y: Node, unit: Node) -> int:
    """The size of the largest array that depends on the unit."""
    return max(n.size for n in descendants(topological_order([y]), [unit]))


def _matrix_of(y: Node, unit: Node) -> Node | None:
    """A, where y contracts all axes of `unit` with an A that does not depend on it."""
    if not isinstance(y.op, Contract) or y.inputs.count(unit) != 1:
        return None
    i = y.inputs.index(unit)
    a, (summed, labels) = y.inputs[1 - i], ((y.op.lhs, y.op.rhs), (y.op.rhs, y.op.lhs))[i]
    if set(summed) & set(y.op.out) or a in descendants(topological_order([y]), [unit]):
        return None
    return transpose(a, [labels.index(label) for label in (*summed, *y.op.out)])


def _laid_out(block: Node, y: Node, x: Node, layout: str) -> Node:
    if layout == "numerator":
        return block
    return transpose(block, (*range(y.ndim, y.ndim + x.ndim), *range(y.ndim)))


def hessian(f: Function, argnums: int = 0) -> Callable[..., Any]:
    """A function that returns the matrix of second derivatives: the Jacobian of the gradient.

    >>> import glassgrad as gg
    >>> gg.hessian(lambda x: x**3)(2.0)
    np.float64(12.0)
    """
    return jacobian(grad(f, argnums), argnums)
