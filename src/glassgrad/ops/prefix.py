"""Prefixes: every partial sum or product along an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from glassgrad.graph.dtype import INT64
from glassgrad.graph.errors import ShapeError
from glassgrad.graph.family import Linear, cast
from glassgrad.graph.node import Node, make
from glassgrad.graph.op import Aval
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.view import concatenate, rows


class Prefix(Linear):
    """The sums of all elements up to each along an axis; with `backward`, from each to the end."""

    name = "cumsum"
    verb = "sums the gradient from the other end"
    cost = "1 an element"
    axis: int
    backward: bool

    def infer(self, *inputs: Node) -> Aval:
        """The same shape and dtype."""
        (x,) = inputs
        if not 0 <= self.axis < x.ndim:
            raise ShapeError(
                f"cumsum: axis {self.axis} is out of range for shape {x.shape}{at_caller()}"
            )
        return x.shape, x.dtype

    def flops(self, node: Node) -> int:
        """One an element."""
        return node.size

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The sums of the cotangent from the other end."""
        return (make(Prefix(self.axis, not self.backward), g),)


def widened(x: Node) -> Node:
    """Booleans and integers in 64 bits, as NumPy sums and multiplies them."""
    if x.dtype.kind in "bi":
        return cast(x, INT64)
    return cast(x, np.dtype(np.uint64)) if x.dtype.kind == "u" else x


def cumsum(x: Node, axis: int) -> Node:
    """The partial sums along an axis."""
    return make(Prefix(axis, False), widened(x))


def cumulate(x: Node, axis: int, join: Callable[[Node, Node], Node]) -> Node:
    """The partial results of an associative `join` along an axis, by doubling the reach.

    After the step of reach d each element joins the 2d elements before it. No rule is needed:
    cumprod is right at zeros, to any order.
    """
    n, reach = x.shape[axis], 1
    while reach < n:
        head = rows(x, 0, reach, axis)
        tail = join(rows(x, 0, n - reach, axis), rows(x, reach, n, axis))
        x = concatenate([head, tail], axis)
        reach *= 2
    return x


def cumprod(x: Node, axis: int) -> Node:
    """The partial products along an axis."""
    return cumulate(widened(x), axis, lambda a, b: a * b)
