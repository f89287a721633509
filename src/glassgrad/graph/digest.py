"""A short name for what a graph computes: equal for equal graphs, whatever trace or process.

Names of variables do not count, nor does where a node came from. An op that the program defines
itself, whose name says nothing of its formula, has no digest, and neither has a graph that holds
one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from glassgrad.graph.dtype import DType
from glassgrad.graph.family import Alias, Elementwise
from glassgrad.graph.function import Function
from glassgrad.graph.node import Const, Input, Node
from glassgrad.graph.op import Op
from glassgrad.graph.traverse import topological_order

_PLAIN = (int, float, str, bool, type(None))


class _NoDigest(Exception):
    """Raised where a part of a graph is known to this process alone."""


def digest(outputs: Sequence[Node], inputs: Sequence[Node]) -> str | None:
    """The digest of the outputs as functions of the inputs; None where there can be none.

    >>> from glassgrad.graph.node import Trace, new_input
    >>> import glassgrad.ops
    >>> def example(label, power):
    ...     x = new_input(Trace(), label, (3,), "f8")
    ...     return digest([x * power], [x])
    >>> example("x", 2.0) == example("y", 2.0), example("x", 2.0) == example("x", 3.0)
    (True, False)
    """
    try:
        return _digest(outputs, inputs).hexdigest()
    except _NoDigest:
        return None


def _digest(outputs: Sequence[Node], inputs: Sequence[Node]) -> Any:
    number: dict[Node, int] = {}
    known: dict[Op, str] = {}
    said: list[str] = []
    found = hashlib.sha256()
    for i, node in enumerate(inputs):
        number[node] = i
        said.append(f"input {node.shape} {node.dtype.str}")
    place = number.__getitem__
    for node in topological_order(outputs, number):
        op = node.op
        if isinstance(op, Input):
            raise _NoDigest
        if isinstance(op, Const):
            said.append(f"const {node.shape} {node.dtype.str}\n")
            found.update("\n".join(said).encode())
            found.update(np.ascontiguousarray(op.value).data)
            said.clear()
        else:
            name = known.get(op)
            if name is None:
                name = known[op] = _said(op)
            said.append(f"{name} {[*map(place, node.inputs)]}")
        number[node] = len(number)
    said.append(f"outputs {[*map(place, outputs)]}")
    found.update("\n".join(said).encode())
    return found


def _said(op: Op) -> str:
    """An op by its name and parameters."""
    if isinstance(op, Alias):
        return op.name  # each has a serial of its own, and here a number
    kind = type(op).__module__ if not isinstance(op, Elementwise) else op.math.__module__
    if not kind.startswith(("glassgrad.graph.", "glassgrad.ops.")):
        raise _NoDigest
    return f"{type(op).__name__} {op.name} {_plain(op.parameters())}"


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_plain(v) for v in cast(tuple[Any, ...], value))},)"
    if isinstance(value, Function):
        return f"function {_digest(value.outputs, value.params).hexdigest()}"
    if isinstance(value, np.dtype):
        return cast(DType, value).str
    if type(value) in _PLAIN:
        return repr(value)
    raise _NoDigest


__all__ = ["digest"]
