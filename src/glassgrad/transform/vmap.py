"""gg.vmap: a function of one example, applied to many at once; per-example gradients.

The function is traced once, on one example; its graph is then batched, op by op. There is no loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np

from glassgrad.array import Array
from glassgrad.array.handle import as_node
from glassgrad.diff.batch import batch
from glassgrad.diff.batch_body import spread
from glassgrad.diff.factor import squared_norms
from glassgrad.engines.reference import EXAMPLE
from glassgrad.graph.algebra import NODES
from glassgrad.graph.errors import CalculusError, ShapeError
from glassgrad.graph.node import ACTIVE, Node, new_input
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.view import transpose
from glassgrad.rewrite.pipeline import stabilise
from glassgrad.transform.body import tracing_body
from glassgrad.transform.gradient import grad
from glassgrad.transform.trace import (
    Function,
    argument_names,
    label_of,
    normal_argnums,
    trace_call,
)
from glassgrad.transform.tree import Tree, describe, flatten, paths, unflatten

Axis = int | None


def vmap(f: Function, in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """The function of many examples, from the function `f` of one.

    `in_axes` says along which axis each argument holds its examples, None for an argument that all
    share: one entry for all arguments, or a tuple with one each; an entry may be a container like
    the argument. `out_axes` says where the examples stand in the results. Keyword arguments are
    shared. Raises `ShapeError` where the numbers of examples differ.

    >>> import glassgrad as gg, numpy as np
    >>> gg.vmap(np.dot, in_axes=(0, None))(np.eye(2), np.array([3.0, 4.0]))
    array([3., 4.])
    """

    def many(*args: Any, **kwargs: Any) -> Any:
        def batched(*given: Any, **named: Any) -> Any:
            return _batched_call(f, given, named, in_axes, out_axes)

        traced = trace_call(update_wrapper(batched, f), args, kwargs, ())
        outputs = traced.outputs if traced.lazy else stabilise(traced.outputs)
        result = traced.returned(outputs, traced.result)
        traced.close()
        return result

    many.__name__ = f"vmap_of_{label_of(f)}"
    many.__doc__ = f.__doc__
    return many


def _batched_call(
    f: Function, args: Sequence[Any], kwargs: dict[str, Any], in_axes: Any, out_axes: Any
) -> Any:
    leaves, tree = flatten(tuple(args))
    spec = tuple(in_axes) if isinstance(in_axes, list) else in_axes
    axes = _axes_of(spec, tree, "in_axes")
    names = [n + p for n, c in zip(argument_names(f, len(args)), tree.children) for p in paths(c)]
    size = _size(leaves, axes, names, label_of(f))
    trace = ACTIVE.get()
    assert trace is not None
    given: dict[Node, Node] = {}
    examples: list[Any] = []
    for leaf, axis, name in zip(leaves, axes, names):
        if axis is None:
            examples.append(leaf)
            continue
        node = _moved(as_node(leaf, trace), axis, 0)
        one = new_input(trace, EXAMPLE, node.shape[1:], node.dtype)
        trace.root().names[one] = name
        given[one] = node
        examples.append(Array(one))
    with tracing_body(trace):
        found, result = flatten(f(*unflatten(tree, examples), **kwargs))
    outputs = [as_node(v, trace.root()) for v in found]
    places = _axes_of(out_axes, result, "out_axes")
    new = batch(outputs, given, size)
    return unflatten(result, [
        Array(_placed(y, b, axis, size, f)) for y, b, axis in zip(outputs, new, places)
    ])  # fmt: skip


def _placed(y: Node, batched: Node | None, axis: Axis, size: int, f: Function) -> Node:
    """One result, with the examples along the wanted axis."""
    if axis is None:
        if batched is not None:
            raise ShapeError(
                f"gg.vmap of {label_of(f)}: out_axes is None for a result that differs from "
                f"example to example: give an axis{at_caller()}"
            )
        return y
    return _moved(spread(y, size) if batched is None else batched, 0, axis)


def _moved(x: Node, source: int, target: int) -> Node:
    """The node with one axis at another place."""
    for axis in (source, target):
        if not -x.ndim <= axis < x.ndim:
            raise ShapeError(
                f"gg.vmap: axis {axis} is out of range for shape {x.shape}{at_caller()}"
            )
    order = [i for i in range(x.ndim) if i != source % x.ndim]
    order.insert(target % x.ndim, source % x.ndim)
    return transpose(x, order)


def _axes_of(spec: Any, tree: Tree, what: str) -> list[Axis]:
    """The axis of each leaf, from a number for all or a container like the tree."""
    if spec is None or (isinstance(spec, int) and not isinstance(spec, bool)):
        return [spec] * len(paths(tree))
    children = _children(spec, tree)
    if children is None:
        raise ShapeError(
            f"gg.vmap: {what} is {spec!r}, which does not fit {describe(tree)}: give an axis, "
            f"None, or a container with one entry for each part{at_caller()}"
        )
    pairs = zip(children, tree.children)
    return [axis for part, child in pairs for axis in _axes_of(part, child, what)]


def _children(spec: Any, tree: Tree) -> list[Any] | None:
    """The entries of a container of axes for the children of a tree, None where they do not fit."""
    if isinstance(spec, dict):
        fits = tree.kind == "dict" and set(spec) == set(tree.label)
        return [spec[key] for key in tree.label] if fits else None
    if not isinstance(spec, tuple | list) or tree.kind not in ("tuple", "list"):
        return None
    return list(spec) if len(spec) == len(tree.children) else None


def _size(leaves: Sequence[Any], axes: Sequence[Axis], names: Sequence[str], label: str) -> int:
    """The number of examples; an error that lists the arguments where they differ."""
    sizes: dict[str, int] = {}
    for leaf, axis, name in zip(leaves, axes, names):
        if axis is None:
            continue
        if not -np.ndim(leaf) <= axis < np.ndim(leaf):
            raise ShapeError(
                f"gg.vmap of {label}: argument {name!r} of shape {np.shape(leaf)} has no axis "
                f"{axis} of examples: say None for it in in_axes if all share it{at_caller()}"
            )
        sizes[name] = np.shape(leaf)[axis]
    if not sizes:
        raise ShapeError(f"gg.vmap of {label}: no argument has an axis of examples{at_caller()}")
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name!r} has {n}" for name, n in sizes.items())
        raise ShapeError(
            f"gg.vmap of {label}: the numbers of examples differ: {listed}; choose in_axes so that "
            f"they agree{at_caller()}"
        )
    return next(iter(sizes.values()))


def _one_each(argnums: int | Sequence[int], count: int, in_axes: Any) -> Any:
    """The axes where none are given: parameters are shared, all else holds examples in front."""
    if in_axes is not None:
        return in_axes
    chosen = normal_argnums(argnums, count, "gg.per_example_grad")
    return tuple(None if i in chosen else 0 for i in range(count))


def per_example_grad(
    loss: Function, argnums: int | Sequence[int] = 0, in_axes: Any = None
) -> Callable[..., Any]:
    """The gradient of a loss of one example, for each example: a leading axis of examples.

    The arguments in `argnums` are shared, the others hold the examples along axis 0, unless
    `in_axes` says otherwise. The sum over the examples is the gradient of the summed loss.

    >>> import glassgrad as gg, numpy as np
    >>> gg.per_example_grad(lambda w, x: w * x**2)(2.0, np.array([1.0, 3.0]))
    array([1., 9.])
    """
    gradient = grad(loss, argnums)

    def each(*args: Any, **kwargs: Any) -> Any:
        return vmap(gradient, _one_each(argnums, len(args), in_axes))(*args, **kwargs)

    each.__name__ = f"per_example_grad_of_{label_of(loss)}"
    return each


def per_example_norms(
    loss: Function, argnums: int | Sequence[int] = 0, in_axes: Any = None
) -> Callable[..., Any]:
    """The Euclidean norm of each example's gradient over all parameters, without forming gradients.

    The gradient of a weight matrix by one example is an outer product x·gᵀ, whose norm is |x||g|: N
    examples of an n×m matrix cost N(n+m), not Nnm. Arguments as in `per_example_grad`; shape (N,).

    >>> import glassgrad as gg, numpy as np
    >>> gg.per_example_norms(lambda w, x: np.sum(w @ x))(np.ones((2, 2)), np.array([[3.0, 4.0]]))
    array([7.07106781])
    """
    each = per_example_grad(loss, argnums, in_axes)

    def norms(*args: Any, **kwargs: Any) -> Any:
        def total(*given: Any, **named: Any) -> Any:
            parts = flatten(each(*given, **named))[0]
            if not parts:
                raise CalculusError(f"per_example_norms of {label_of(loss)}: no parameters")
            squares = [squared_norms(stabilise([p.node])[0]) for p in parts]
            return Array(NODES.sqrt(sum(squares[1:], squares[0])))

        traced = trace_call(update_wrapper(total, loss), args, kwargs, ())
        result = traced.returned(traced.outputs, traced.result)
        traced.close()
        return result

    norms.__name__ = f"per_example_norms_of_{label_of(loss)}"
    return norms
