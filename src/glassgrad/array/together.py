"""Several values as nodes of one trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glassgrad.array.handle import Array, as_node
from glassgrad.graph.node import Node, Trace

Axis = int | Sequence[int] | None
"""How NumPy names axes: one, several, or all."""


def together(values: Sequence[Any]) -> list[Node]:
    """Nodes of several values, in the trace of the handle among them."""
    trace = next((v.node.trace for v in values if isinstance(v, Array)), None) or Trace()
    return [as_node(v, trace) for v in values]


def handle(a: Any) -> Array:
    """A handle as it is, anything else as a constant."""
    return a if isinstance(a, Array) else Array(as_node(a))


def handles(*values: Any) -> list[Array]:
    """Handles of several values, in the trace of the handle among them; handles as they are."""
    nodes = together(values)
    return [v if isinstance(v, Array) else Array(n) for v, n in zip(values, nodes)]
