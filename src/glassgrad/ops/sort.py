"""Sorting: an op with two results, the values and where they came from."""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.graph.dtype import INT64
from glassgrad.graph.errors import ShapeError
from glassgrad.graph.family import full_like
from glassgrad.graph.node import Node, item, make
from glassgrad.graph.op import Aval, Op
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.gather import along, scatter_add, take_along


class Sort(Op):
    """Ascending and stable along an axis: (values, indices). NaN goes to the end, as in NumPy."""

    name = "sort"
    verb = "routes each value's gradient back to where the value came from"
    kinks = "ties: the gradient goes to the place that each value came from"
    cost = "none: it compares and moves numbers"
    axis: int

    def infer(self, *inputs: Node) -> tuple[Aval, ...]:
        """Values of the operand's dtype, indices in int64."""
        (x,) = inputs
        if not 0 <= self.axis < x.ndim:
            raise ShapeError(
                f"sort: axis {self.axis} is out of range for shape {x.shape}{at_caller()}"
            )
        return (x.shape, x.dtype), (x.shape, INT64)

    def vjp(self, node: Node, g: Sequence[Node | None]) -> Sequence[Node | None]:
        """The cotangent of the values, put back in the old order."""
        x = node.inputs[0]
        if g[0] is None:
            return (None,)
        places = along(x, item(node, 1), self.axis)
        return (scatter_add(full_like(x, 0), g[0], places),)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Sequence[Node | None]:
        """The tangent in the new order; the indices have none."""
        t = tangents[0]
        return (None if t is None else take_along(t, item(node, 1), self.axis)), None


def sort(x: Node, axis: int) -> tuple[Node, Node]:
    """The sorted values and the indices that sort."""
    both = make(Sort(axis), x)
    return item(both, 0), item(both, 1)
