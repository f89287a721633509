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
