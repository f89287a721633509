"""A new elementwise op from its mathematics alone: derivative and stable form are derived.

The formula is traced once on scalar variables. The laws of `rewrite.stable` give its stable form,
the reverse pass its partial derivatives; both graphs are then read in whatever algebra an engine
brings, just as hand-written bodies are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassgrad.array import Array
from glassgrad.array.creation import tracing
from glassgrad.array.handle import as_node
from glassgrad.diff import reverse
from glassgrad.engines.reference import evaluate
from glassgrad.graph.errors import GraphError
from glassgrad.graph.family import Elementwise
from glassgrad.graph.node import ACTIVE, Const, Node, Trace, new_input
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.reduce import ones_like
from glassgrad.rewrite.pipeline import stabilise, tidy

Formula = Callable[..., Any]


def define_op(
    name: str, f: Formula, partials: Formula | None = None, **words: Any
) -> Callable[..., Any]:
    """Register the elementwise op that the NumPy function `f` of scalars says; returns a function.

    The op prints, differentiates to any order, and compiles like the built-in ones. `partials` of
    the same scalars, one for each, may be given by a formula too. `words` are further facts of
    `Elementwise`: domain, kinks, verb, samples. A name can be taken once; a formula that is not
    elementwise is a `GraphError`.

    >>> import glassgrad as gg, numpy as np
    >>> mish = gg.define_op("mish", lambda x: x * np.tanh(np.log(1 + np.exp(x))))
    >>> round(float(gg.grad(mish)(1.0)), 12)
    1.0490362201
    """
    labels = _labels(name, f)
    count = len(labels)
    trace = Trace()
    xs = [new_input(trace, label, (), "f8") for label in labels]
    with tracing(trace):
        y = as_node(f(*(Array(x) for x in xs)), trace)
    _check(name, y)
    (stable,) = stabilise([y])
    if partials is None:
        found = reverse.vjp([stable], [ones_like(stable)], xs)
    else:
        found = _given(name, partials, xs)
    slopes = [None if g is None else tidy([g])[0] for g in found]
    op = Elementwise(
        name,
        arity=count,
        form=f"{name}({', '.join('{' + str(i) + '}' for i in range(count))})",
        math=_reader([y], xs),
        scalar=_reader([stable], xs),
        partials=lambda k, out, *operands: tuple(
            None if p is None else _reader([p], xs)(k, *operands) for p in slopes
        ),
        **words,
    )
    return _callable(op)


def _given(name: str, partials: Formula, xs: Sequence[Node]) -> list[Node]:
    """The partial derivatives that the user wrote, as graphs of the same scalars."""
    trace = xs[0].trace.root()
    with tracing(trace):
        found = partials(*(Array(x) for x in xs))
        slopes = [as_node(g, trace) for g in (found if isinstance(found, tuple) else (found,))]
    if len(slopes) != len(xs):
        raise GraphError(
            f"op {name!r}: {len(xs)} operands need as many partials, not {len(slopes)}"
        )
    for slope in slopes:
        _check(name, slope)
    return slopes


def _labels(name: str, f: Formula) -> list[str]:
    """The names of the operands; of a ufunc, which tells no names, x0, x1 …"""
    if isinstance(f, np.ufunc):
        return [f"x{i}" for i in range(f.nin)]
    code = getattr(f, "__code__", None)
    if code is None:
        raise GraphError(
            f"op {name!r}: the formula must be a function with named parameters, not "
            f"{type(f).__name__}: write lambda x: f(x)"
        )
    return list(code.co_varnames[: code.co_argcount])


def _callable(op: Elementwise) -> Callable[..., Any]:
    """The op as a function of arrays: lazy on handles, computed at once on plain ones."""

    def call(*operands: Any) -> Any:
        handles = [x for x in operands if isinstance(x, Array)]
        trace = handles[0].node.trace if handles else ACTIVE.get() or Trace()
        values = [x if type(x) in (int, float) and handles else as_node(x, trace) for x in operands]
        node = op.apply(*values)
        return Array(node) if handles or ACTIVE.get() else evaluate([node], {})[0][()]

    call.__name__ = op.name
    return call


def _check(name: str, y: Node) -> None:
    for node in topological_order([y]):
        if not isinstance(node.op, Elementwise | Const) and node.name not in _SILENT:
            raise GraphError(
                f"op {name!r}: {node!r} is not elementwise: the formula must be one of scalars"
            )
    if y.shape != () or y.dtype.kind != "f":
        raise GraphError(
            f"op {name!r}: the formula gives {y.dtype}{list(y.shape)}, not one real number"
        )


_SILENT = {"input", "broadcast", "cast", "alias"}


def _reader(outputs: Sequence[Node], xs: Sequence[Node]) -> Formula:
    """A graph of scalars as a rule: run on the values of any algebra."""
    order = topological_order(outputs)
    places = {x: i for i, x in enumerate(xs)}

    def rule(k: Any, *operands: Any) -> Any:
        values: dict[Node, Any] = {}
        for node in order:
            if node in places:
                values[node] = operands[places[node]]
            elif isinstance(node.op, Const):
                values[node] = node.op.value.item()
            elif node.name in _SILENT:
                values[node] = values[node.inputs[0]]
            else:
                values[node] = getattr(k, node.name)(*(values[x] for x in node.inputs))
        return values[outputs[0]]

    return rule
