"""grad, value_and_grad, vjp, jvp, linearize: function to function, by way of a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np

from glassgrad.array import Array
from glassgrad.array.handle import as_node
from glassgrad.diff import forward, reverse
from glassgrad.diff.row_sparse import row_sparse
from glassgrad.graph.errors import CalculusError, ShapeError
from glassgrad.graph.node import Node, Trace
from glassgrad.ops.reduce import zeros_like
from glassgrad.rewrite.pipeline import stabilise
from glassgrad.transform.trace import (
    Function,
    Traced,
    label_of,
    normal_argnums,
    scalar_output,
    trace_call,
)
from glassgrad.transform.tree import LEAF, Tree, describe, flatten, with_leaves


class Gradient:
    """The gradient of a function, itself a function; call it for the vector of numbers.

    What it returns has the structure and shapes of the argument that it differentiates by.
    """

    def __init__(
        self,
        f: Function,
        argnums: int | Sequence[int],
        has_aux: bool,
        with_value: bool,
        sparse: bool = False,
    ) -> None:
        update_wrapper(self, f, updated=())
        self.f = f
        self.argnums = argnums
        self.has_aux = has_aux
        self.with_value = with_value
        self.sparse = sparse

    def __repr__(self) -> str:
        what = "value and gradient" if self.with_value else "gradient"
        return f"<{what} function of {label_of(self.f)} with respect to argument {self.argnums}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The gradient at these arguments, beside the value or aux where they were asked for."""
        argnums = normal_argnums(self.argnums, len(args), "gg.grad")
        traced = trace_call(self.f, args, kwargs, argnums)
        traced, aux = self._without_aux(traced)
        y = scalar_output(traced, self.f, "gg.grad")
        (stable,) = stabilise([y], keep=traced.nodes)
        found = reverse.gradients(stable, traced.nodes)
        group = traced.tree if isinstance(self.argnums, Sequence) else traced.tree.children[0]
        if self.sparse:
            found, group = _with_rows(found, group)
        nodes = [stable, *found, *aux[0]]
        tree = Tree("tuple", None, (LEAF, group, aux[1]))
        value, gradient, extra = traced.returned(nodes, tree)
        traced.close()
        if self.has_aux:
            return ((value, extra), gradient) if self.with_value else (gradient, extra)
        return (value, gradient) if self.with_value else gradient

    def _without_aux(self, traced: Traced) -> tuple[Traced, tuple[list[Node], Tree]]:
        """The traced call of the loss alone, and what came beside it."""
        if not self.has_aux:
            return traced, ([], Tree("tuple", None))
        if traced.result.kind != "tuple" or len(traced.result.children) != 2:
            raise CalculusError(
                f"gg.grad of {label_of(self.f)}: with has_aux=True the function returns a pair "
                f"(loss, anything), it returned {describe(traced.result)}"
            )
        loss = traced._replace(outputs=traced.outputs[:1], result=traced.result.children[0])
        return loss, (traced.outputs[1:], traced.result.children[1])


def _with_rows(found: Sequence[Node], tree: Tree) -> tuple[list[Node], Tree]:
    """The gradients with (rows, values) in the place of each that is row-sparse."""
    sparse = [row_sparse(g) for g in found]
    leaves = iter(LEAF if rows is None else Tree("tuple", None, (LEAF, LEAF)) for rows in sparse)
    nodes = [n for g, rows in zip(found, sparse) for n in ((g,) if rows is None else rows)]
    return nodes, with_leaves(tree, leaves)


def grad(
    f: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    sparse: bool = False,
) -> Gradient:
    """The gradient function of a function that returns one real number.

    `argnums` says by which positional arguments (a tuple gives a tuple of gradients); arguments may
    be nested containers of arrays. With `has_aux` the function returns (loss, aux), the gradient
    function (gradient, aux). With `sparse` the gradient by a table of which only rows were
    read is a pair (rows, values); a row that was read twice stands there twice. Raises
    `CalculusError` for a result that is not one number, and `DTypeError` for an integer argument.

    >>> import glassgrad as gg
    >>> gg.grad(lambda x: x**3)(2.0)
    np.float64(12.0)
    """
    return Gradient(f, argnums, has_aux, with_value=False, sparse=sparse)


def value_and_grad(
    f: Function,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    sparse: bool = False,
) -> Gradient:
    """A function that returns the value and the gradient, from one forward pass.

    >>> import glassgrad as gg
    >>> gg.value_and_grad(lambda x: x**3)(2.0)
    (np.float64(8.0), np.float64(12.0))
    """
    return Gradient(f, argnums, has_aux, with_value=True, sparse=sparse)


def _all(args: Sequence[Any]) -> tuple[int, ...]:
    return tuple(range(len(args)))


def vjp(f: Function, *primals: Any) -> tuple[Any, Callable[..., tuple[Any, ...]]]:
    """The value of f, and its pullback: from a cotangent of the value to those of the arguments.

    The cotangent has the value's structure and shape; the pullback returns a tuple, one entry an
    argument.

    >>> import glassgrad as gg
    >>> value, pullback = gg.vjp(lambda x, y: x * y, 2.0, 3.0)
    >>> value, pullback(1.0)
    (np.float64(6.0), (np.float64(3.0), np.float64(2.0)))
    """
    traced = trace_call(f, primals, {}, _all(primals))
    outputs = stabilise(traced.outputs, keep=traced.nodes)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        given = _matching(cotangent, traced.result, outputs, traced.trace, "the cotangent")
        found = reverse.vjp(outputs, given, traced.nodes)
        nodes = [zeros_like(x) if g is None else g for x, g in zip(traced.nodes, found)]
        lazy = traced.lazy or _is_traced(cotangent)
        return traced._replace(lazy=lazy).returned(nodes, traced.tree)

    return traced.returned(outputs, traced.result), pullback


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of f and its tangent, for tangents in the structure and shapes of the primals.

    >>> import glassgrad as gg
    >>> gg.jvp(lambda x: x**3, (2.0,), (1.0,))
    (np.float64(8.0), np.float64(12.0))
    """
    value, push = _linearized(f, primals)
    return value, push(*tangents)


def linearize(f: Function, *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of f, and the linear map from tangents of the arguments to that of the value.

    >>> import glassgrad as gg
    >>> value, push = gg.linearize(lambda x: x**3, 1.0)
    >>> value + push(0.1)
    np.float64(1.3)
    """
    return _linearized(f, primals)


def _linearized(f: Function, primals: Sequence[Any]) -> tuple[Any, Callable[..., Any]]:
    if not isinstance(primals, list | tuple):
        raise CalculusError(
            "gg.jvp takes the primals and the tangents as tuples, one entry an argument"
        )
    traced = trace_call(f, primals, {}, _all(primals))
    outputs = stabilise(traced.outputs, keep=traced.nodes)

    def push(*tangents: Any) -> Any:
        given = _matching(tangents, traced.tree, traced.nodes, traced.trace, "the tangents")
        found = forward.jvp(outputs, dict(zip(traced.nodes, given)))
        nodes = [zeros_like(y) if t is None else t for y, t in zip(outputs, found)]
        lazy = traced.lazy or _is_traced(tangents)
        return traced._replace(lazy=lazy).returned(nodes, traced.result)

    return traced.returned(outputs, traced.result), push


def _is_traced(value: Any) -> bool:
    return any(isinstance(v, Array) for v in flatten(value)[0])


def _matching(value: Any, tree: Tree, like: Sequence[Node], trace: Trace, what: str) -> list[Node]:
    """The leaves of a cotangent or tangent as nodes, of the dtypes of what they belong to."""
    leaves, structure = flatten(value)
    if structure != tree:
        raise CalculusError(
            f"{what} must have the structure {describe(tree)}, not {describe(structure)}"
        )
    found: list[Node] = []
    for leaf, node in zip(leaves, like):
        if np.shape(leaf) != node.shape:
            raise ShapeError(f"{what} must have shape {node.shape}, not {np.shape(leaf)}")
        array = leaf if isinstance(leaf, Array) else np.asarray(leaf, node.dtype)
        found.append(as_node(array, trace))
    return found


def hvp(f: Function) -> Callable[[Any, Any], Any]:
    """A function (x, v) -> Hessian of f at x times v, without forming the Hessian.

    >>> import glassgrad as gg
    >>> gg.hvp(lambda x: x**3)(2.0, 1.0)
    np.float64(12.0)
    """
    gradient = grad(f)

    def product(x: Any, v: Any) -> Any:
        return jvp(gradient, (x,), (v,))[1]

    return product
