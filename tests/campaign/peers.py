"""The same graphs in PyTorch and in JAX: values, and gradients by their own calculus.

They compute in float64, as the graph that they are asked of does (`in_double`), and are allowed an
error of `LOOSE`: some of their derivatives are written on the rounded output, such as s(1 - s) for
the sigmoid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from campaign.graph import RandomGraph
from campaign.verdict import mismatch
from glassgrad.diff.reverse import gradients
from glassgrad.engines import reference
from glassgrad.graph.family import Broadcast, Cast, Elementwise, Reshape
from glassgrad.graph.node import Const, Input, Node, constant, make, new_input
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.contract import Contract
from glassgrad.ops.prefix import Prefix
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.view import Concatenate, Slice, Transpose

LOOSE = 1e-9

SMOOTH = frozenset(
    ["add", "subtract", "multiply", "divide", "negative", "exp", "exp2", "expm1", "log", "log2",
     "log10", "log1p", "sin", "cos", "tan", "tanh", "sinh", "cosh", "arcsin", "arccos", "arctan",
     "arcsinh", "sqrt", "square", "sigmoid", "softplus", "silu", "erf", "logaddexp", "input",
     "const", "cast", "broadcast", "reshape", "transpose", "slice", "concatenate", "contract",
     "reduce", "cumsum"]
)  # fmt: skip
"""Ops that every library knows, and differentiates alike."""


def suits(graph: RandomGraph) -> bool:
    """Whether a peer can run the graph: smooth ops on reals."""
    nodes = topological_order(_ends(graph))
    return bool(graph.slopes) and all(
        n.name in SMOOTH and n.dtype.kind == "f" and _is_smooth(n) for n in nodes
    )


def in_double(graph: RandomGraph) -> RandomGraph:
    """The same graph in float64 throughout, differentiated anew, by the reference engine."""
    assert graph.total is not None
    known: dict[Node, Node] = {}
    values: dict[Node, Any] = {}
    for node in topological_order(_ends(graph)):
        op, dtype = node.op, _wide(node.dtype)
        if isinstance(op, Input):
            known[node] = new_input(node.trace, op.label, node.shape, dtype)
            values[known[node]] = np.asarray(graph.values[node], dtype)
        elif isinstance(op, Const):
            known[node] = constant(node.trace, op.value, dtype)
        elif isinstance(op, Cast):
            known[node] = known[node.inputs[0]]
        else:
            known[node] = make(op, *(known[x] for x in node.inputs))
    inputs, total = list(values), known[graph.total]
    own = [known[y] for y in _ends(graph) if y is not graph.total]
    wrt = [known[x] for x in dict.fromkeys(graph.slopes.values())]
    slopes = dict(zip(gradients(total, wrt), wrt))
    outputs = list(dict.fromkeys([*own, *slopes]))
    for _ in reference.interpret(topological_order([*outputs, total]), values):
        pass
    return RandomGraph(inputs, outputs, values, total, slopes)


def _wide(dtype: Any) -> Any:
    return np.dtype("f8") if dtype.kind == "f" else dtype


def _ends(graph: RandomGraph) -> list[Node]:
    """The outputs that are no gradients, and the sum that the gradients belong to."""
    own = [y for y in graph.outputs if y not in graph.slopes]
    return own if graph.total is None else [*own, graph.total]


def _is_smooth(node: Node) -> bool:
    return not isinstance(node.op, Reduce) or node.op.kind in ("sum", "logsumexp")


def _given(graph: RandomGraph) -> dict[Node, np.ndarray]:
    """The inputs under the ends: more than those under the outputs."""
    order = topological_order(_ends(graph))
    return {x: graph.values[x] for x in order if isinstance(x.op, Input)}


def _letters(labels: Sequence[int]) -> str:
    return "".join(chr(ord("a") + i) for i in labels)


def _index(op: Slice) -> tuple[np.ndarray, ...]:
    ranges = [a + s * np.arange(n) for a, s, n in zip(op.starts, op.steps, op.lengths)]
    return np.ix_(*ranges) if ranges else ()


def by_torch(graph: RandomGraph) -> list[np.ndarray]:
    """The outputs of the graph by PyTorch, gradients by its autograd."""
    import torch

    special = {"negative": torch.neg, "arcsinh": torch.asinh, "arcsin": torch.asin,
               "arccos": torch.acos, "arctan": torch.atan, "divide": torch.true_divide,
               "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
               "silu": torch.nn.functional.silu}  # fmt: skip

    def rule(node: Node, *xs: Any) -> Any:
        op = node.op
        if isinstance(op, Elementwise):
            return special.get(op.name, getattr(torch, op.name, None))(*xs)
        return _TORCH[type(op)](torch, op, node, *xs)

    given = {x: torch.tensor(v.astype("f8")) for x, v in _given(graph).items()}
    for x in graph.slopes.values():
        given[x].requires_grad_()
    known = _run(graph, given, rule, torch.tensor)
    assert graph.total is not None
    known[graph.total].backward()
    of = graph.slopes
    found = [given[of[y]].grad if y in of else known[y].detach() for y in graph.outputs]
    return [np.asarray(x).astype(y.dtype) for x, y in zip(found, graph.outputs)]


_TORCH: dict[type, Callable[..., Any]] = {
    Cast: lambda t, op, node, x: x,
    Broadcast: lambda t, op, node, x: t.broadcast_to(x, op.shape),
    Reshape: lambda t, op, node, x: x.reshape(op.shape),
    Transpose: lambda t, op, node, x: x.permute(op.perm),
    Slice: lambda t, op, node, x: x[tuple(t.tensor(i) for i in _index(op))] if x.ndim else x,
    Concatenate: lambda t, op, node, *xs: t.cat(xs, op.axis),
    Reduce: lambda t, op, node, x: (t.sum if op.kind == "sum" else t.logsumexp)(x, op.axes),
    Contract: lambda t, op, node, x, y: t.einsum(
        f"{_letters(op.lhs)},{_letters(op.rhs)}->{_letters(op.out)}", x, y
    ),
    Prefix: lambda t, op, node, x: (
        x.flip(op.axis).cumsum(op.axis).flip(op.axis) if op.backward else x.cumsum(op.axis)
    ),
}


def by_jax(graph: RandomGraph) -> list[np.ndarray]:
    """The outputs of the graph by JAX, gradients by its grad."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    special = {"sigmoid": jax.nn.sigmoid, "softplus": jax.nn.softplus, "silu": jax.nn.silu,
               "erf": jax.scipy.special.erf}  # fmt: skip

    def rule(node: Node, *xs: Any) -> Any:
        op = node.op
        if isinstance(op, Elementwise):
            return (special.get(op.name) or getattr(jnp, op.name))(*xs)
        return _JAX[type(op)](jnp, op, node, *xs)

    wrt = list(dict.fromkeys(graph.slopes.values()))

    def ends(values: Sequence[Any]) -> Any:
        given = {x: jnp.asarray(v.astype("f8")) for x, v in _given(graph).items()} | dict(
            zip(wrt, values)
        )
        return _run(graph, given, rule, jnp.asarray)

    values = [jnp.asarray(graph.values[x].astype("f8")) for x in wrt]
    known = ends(values)
    slopes = dict(zip(wrt, jax.grad(lambda v: ends(v)[graph.total])(values)))
    found = [slopes[graph.slopes[y]] if y in graph.slopes else known[y] for y in graph.outputs]
    return [np.asarray(x).astype(y.dtype) for x, y in zip(found, graph.outputs)]


def _jax_reduce(jnp: Any, op: Reduce, node: Node, x: Any) -> Any:
    if op.kind == "sum":
        return jnp.sum(x, op.axes)
    import jax

    return jax.scipy.special.logsumexp(x, op.axes)


_JAX: dict[type, Callable[..., Any]] = {
    Cast: lambda j, op, node, x: x,
    Broadcast: lambda j, op, node, x: j.broadcast_to(x, op.shape),
    Reshape: lambda j, op, node, x: x.reshape(op.shape),
    Transpose: lambda j, op, node, x: x.transpose(op.perm),
    Slice: lambda j, op, node, x: x[_index(op)],
    Concatenate: lambda j, op, node, *xs: j.concatenate(xs, op.axis),
    Reduce: _jax_reduce,
    Contract: lambda j, op, node, x, y: j.einsum(
        f"{_letters(op.lhs)},{_letters(op.rhs)}->{_letters(op.out)}", x, y
    ),
    Prefix: lambda j, op, node, x: (
        j.flip(j.cumsum(j.flip(x, op.axis), op.axis), op.axis)
        if op.backward
        else j.cumsum(x, op.axis)
    ),
}


def _run(
    graph: RandomGraph, given: dict[Node, Any], rule: Callable[..., Any], wrap: Callable[..., Any]
) -> dict[Node, Any]:
    known = dict(given)
    for node in topological_order(_ends(graph), known):
        if isinstance(node.op, Const):
            known[node] = wrap(np.array(node.op.value, "f8"))
        elif not isinstance(node.op, Input):
            known[node] = rule(node, *(known[x] for x in node.inputs))
    return known


PEERS = {"torch": by_torch, "jax": by_jax}


def differs(graph: RandomGraph, peer: str) -> str | None:
    """Where a peer gives other numbers than the graph has in float64."""
    wide = in_double(graph)
    found = mismatch(wide, PEERS[peer](wide), loose=LOOSE)
    return None if found is None else str(found)
