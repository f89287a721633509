"""From a call of a Python function to a graph: arguments become variables, the body a trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from glassgrad.array import Array
from glassgrad.array.creation import tracing
from glassgrad.array.handle import as_node
from glassgrad.engines.reference import evaluate
from glassgrad.graph.dtype import FLOAT64, as_dtype, as_plain, is_float
from glassgrad.graph.errors import CalculusError, DTypeError
from glassgrad.graph.family import alias
from glassgrad.graph.node import ACTIVE, Node, Trace, new_input
from glassgrad.rewrite.pipeline import finish, tidy
from glassgrad.transform.tree import Tree, flatten, paths, unflatten

Function = Callable[..., Any]


class Traced(NamedTuple):
    """A call, traced.

    nodes:   the variables of the chosen arguments' leaves, in order; `tree` their structure.
    outputs: the result's leaves as nodes; `result` its structure.
    lazy:    whether results are handles, since somebody outside still writes or reads this graph.
    """

    trace: Trace
    nodes: list[Node]
    tree: Tree
    outputs: list[Node]
    result: Tree
    lazy: bool

    def returned(self, nodes: Sequence[Node], tree: Tree) -> Any:
        """Nodes as what the caller gets: handles, or values computed now."""
        if not self.lazy:
            values = evaluate(finish(nodes), self.trace.root().values)
            held = {id(v) for v in self.trace.root().values.values()}
            return unflatten(tree, [_own(v, held) for v in values])
        open_ended = ACTIVE.get() is None
        found = tidy(nodes) if open_ended else nodes
        return unflatten(tree, [Array(n) for n in found])

    def close(self) -> None:
        """Drop what the trace holds, once the values are out."""
        if not self.lazy:
            trace = self.trace.root()
            for table in (
                trace.table, trace.values, trace.origins, trace.guards, trace.names, trace.found,
            ):  # fmt: skip
                table.clear()


def _own(value: Any, held: set[int]) -> Any:
    """A result that shares no memory with an argument, a constant or another result.

    `held` are the identities of arrays that somebody has; 0-d results are NumPy scalars.
    """
    value = np.asarray(value)
    if value.ndim == 0:
        return value[()]
    if id(value) in held or not value.flags.owndata or not value.flags.writeable:
        return value.copy()
    held.add(id(value))
    return value


def label_of(f: Function) -> str:
    """The name of a function, for messages and listings."""
    return getattr(f, "__name__", type(f).__name__)


def argument_names(f: Function, count: int) -> list[str]:
    """The names of the positional parameters, x0, x1 … where they are not to be had."""
    inner = getattr(f, "__wrapped__", f)
    code = getattr(getattr(inner, "__func__", inner), "__code__", None)
    names = list(code.co_varnames[: code.co_argcount]) if code is not None else []
    if hasattr(inner, "__func__"):
        names = names[1:]
    return names[:count] + [f"x{i}" for i in range(len(names), count)]


def normal_argnums(argnums: int | Sequence[int], count: int, what: str) -> tuple[int, ...]:
    """Argument numbers from 0; a `CalculusError` names one that is out of range."""
    given = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for i in given:
        if not -count <= i < count:
            raise CalculusError(
                f"{what}: argument number {i} was asked for, and {count} positional arguments were "
                f"given: pass it by position, or choose argnums from 0 to {count - 1}"
            )
    return tuple(i % count for i in given)


def variable(trace: Trace, value: Any, name: str, differentiated: bool) -> Node:
    """A fresh variable for one leaf, bound to its value."""
    if isinstance(value, Array):
        node = value.node
        if differentiated and not is_float(node.dtype):
            raise _not_real(name, node.dtype)
        made = alias(node)
        trace.root().names.setdefault(made, trace.root().names.get(node, name))
        return made
    array = as_plain(value, f"argument {name!r}")
    if isinstance(value, int | float) and not isinstance(value, bool) and differentiated:
        array = np.asarray(value, FLOAT64)
    dtype = as_dtype(array.dtype, f"argument {name!r}")
    if differentiated and not is_float(dtype):
        raise _not_real(name, dtype)
    node = new_input(trace, name, array.shape, dtype)
    trace.root().values[node] = np.asarray(array, dtype)
    return node


def _not_real(name: str, dtype: Any) -> DTypeError:
    return DTypeError(
        f"argument {name!r} has dtype {dtype}, which carries no derivative: convert it with "
        f".astype(float), or leave it out of argnums"
    )


def trace_call(
    f: Function,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    argnums: tuple[int, ...],
) -> Traced:
    """Run `f` on variables: the leaves of the arguments `argnums`, the arrays among the others."""
    outer = ACTIVE.get()
    trace = outer or Trace()
    names = argument_names(f, len(args))
    chosen: dict[int, list[Node]] = {}
    trees: dict[int, Tree] = {}
    lazy = outer is not None
    new_args: list[Any] = []
    for i, arg in enumerate(args):
        leaves, tree = flatten(arg)
        lazy = lazy or any(isinstance(v, Array) for v in leaves)
        parts = [names[i] + p for p in paths(tree)]
        if i in argnums:
            nodes = [variable(trace, v, p, True) for v, p in zip(leaves, parts)]
            chosen[i], trees[i] = nodes, tree
            new_args.append(unflatten(tree, [Array(n) for n in nodes]))
        else:
            lifted = [_lifted(trace, v, p) for v, p in zip(leaves, parts)]
            new_args.append(unflatten(tree, lifted))
    named_leaves, named_tree = flatten(kwargs)
    lazy = lazy or any(isinstance(v, Array) for v in named_leaves)
    named = [_lifted(trace, v, p) for v, p in zip(named_leaves, paths(named_tree))]
    new_kwargs = unflatten(named_tree, named)
    if lazy and outer is None:
        trace = _trace_of((new_args, new_kwargs)) or trace
    with tracing(trace.root()):
        result = f(*new_args, **new_kwargs)
    leaves, tree = flatten(result)
    outputs = [as_node(v, trace.root()) for v in leaves]
    nodes = [n for i in argnums for n in chosen[i]]
    group = Tree("tuple", None, tuple(trees[i] for i in argnums))
    return Traced(trace.root(), nodes, group, outputs, tree, lazy)


def _lifted(trace: Trace, value: Any, name: str) -> Any:
    """An array that is not differentiated by: a variable too, so that writes do not reach it."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return Array(variable(trace, value, name, False))
    return value


def _trace_of(args: Any) -> Trace | None:
    handles = [v for v in flatten(args)[0] if isinstance(v, Array)]
    return handles[0].node.trace.root() if handles else None


def scalar_output(traced: Traced, f: Function, what: str) -> Node:
    """The one real number that a function returned; an error that offers the way out."""
    if traced.result.kind != "leaf":
        raise CalculusError(
            f"{what} of {label_of(f)}: the function returned {len(traced.outputs)} values in a "
            f"{traced.result.kind}, a gradient needs one number: return the loss alone, or pass "
            "has_aux=True if the first of two values is the loss"
        )
    y = traced.outputs[0]
    if not is_float(y.dtype):
        raise CalculusError(
            f"{what} of {label_of(f)}: the result has dtype {y.dtype}, which carries no "
            "derivative: return a float"
        )
    if y.shape != ():
        raise CalculusError(
            f"{what} of {label_of(f)}: the result has shape {y.shape}, a gradient needs one "
            "number: reduce it with .sum() or .mean(), use gg.jacobian for all derivatives, or "
            "gg.vjp with a cotangent of that shape"
        )
    return y
