"""Reductions over axes: sum, max, min, any, all, logsumexp."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.dtype import BOOL, INT64, DType
from glassgrad.graph.errors import AxisRangeError, DTypeError, ShapeError
from glassgrad.graph.family import broadcast_to, cast, full_like, reshape
from glassgrad.graph.node import Node, constant, make
from glassgrad.graph.op import Aval, Op
from glassgrad.graph.provenance import at_caller

VERBS = {
    "sum": "copies the gradient to each element",
    "max": "routes the gradient to the largest element",
    "min": "routes the gradient to the smallest element",
    "any": "passes no gradient: its answer is yes or no",
    "all": "passes no gradient: its answer is yes or no",
    "logsumexp": "shares the gradient among the elements by their softmax",
}
OPERATIONS = {"any": 0, "all": 0, "logsumexp": 4}  # shift, exp, sum and the largest before
LINEAR = "sum"
CHOOSING = ("max", "min")


class Reduce(Op):
    """One number for each slice along `axes`; the axes are dropped.

    `kind` is sum, max, min, any, all or logsumexp. Ties of max and min share the cotangent.
    """

    name = "reduce"
    verb = "; ".join(f"{kind} {effect}" for kind, effect in VERBS.items())
    kinks = "ties of max and min: the gradient is split equally"
    cost = "1 an element of the operand, logsumexp 4, any and all none"
    kind: str
    axes: tuple[int, ...]

    def effect(self) -> str:
        """What it does to a gradient, by its kind."""
        return VERBS[self.kind]

    def infer(self, *inputs: Node) -> Aval:
        """The shape without the axes."""
        (x,) = inputs
        if self.kind not in VERBS or self.axes != normal_axes(self.axes, x.ndim, self.kind):
            raise ShapeError(f"{self!r} does not fit shape {x.shape}{at_caller()}")
        shape = tuple(n for i, n in enumerate(x.shape) if i not in self.axes)
        if self.kind in CHOOSING and x.size == 0 and 0 in (x.shape[a] for a in self.axes):
            raise ShapeError(f"{self.kind} of an empty axis of shape {x.shape}{at_caller()}")
        if self.kind == "logsumexp" and x.dtype.kind != "f":
            raise DTypeError(f"logsumexp takes floats, not {x.dtype}")
        return shape, BOOL if self.kind in ("any", "all") else x.dtype

    def __repr__(self) -> str:
        return f"{self.kind}(axes={self.axes})"

    def flops(self, node: Node) -> int:
        """By its kind, for each element of the operand."""
        return OPERATIONS.get(self.kind, 1) * node.inputs[0].size

    def spread(self, g: Node, x: Node) -> Node:
        """A reduced array repeated along the reduced axes, in the shape of the operand."""
        kept = tuple(1 if i in self.axes else n for i, n in enumerate(x.shape))
        return broadcast_to(reshape(g, kept), x.shape)

    def share(self, node: Node) -> Node:
        """The derivative of the result by each element."""
        x = node.inputs[0]
        if self.kind == "logsumexp":  # softmax
            return k.exp(x - k.where(k.isfinite(y := self.spread(node, x)), y, 0))
        winners = cast(k.equal(x, self.spread(node, x)), x.dtype)
        return winners / self.spread(make(Reduce("sum", self.axes), winners), x)

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent, copied (sum), shared among winners (max, min), or by share."""
        x = node.inputs[0]
        wide = self.spread(g, x)
        if self.kind == LINEAR:
            return (wide,)
        if self.kind in CHOOSING:
            share = self.share(node)
            return (k.where(k.equal(share, 0), 0, wide * share),)
        if self.kind == "logsumexp":
            return (wide * self.share(node),)
        return (None,)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The sum of the tangents, weighted by the shares."""
        t = tangents[0]
        if t is None or node.dtype == BOOL:
            return None
        if self.kind == LINEAR:
            return make(self, t)
        if self.kind in CHOOSING:
            share = self.share(node)
            return sum_(k.where(k.equal(share, 0), 0, t * share), self.axes)
        return sum_(t * self.share(node), self.axes)


def normal_axes(axis: int | Sequence[int] | None, ndim: int, what: str) -> tuple[int, ...]:
    """Axes counted from 0, sorted; a `ShapeError` names one that is out of range or repeated."""
    return tuple(sorted(normal_order(axis, ndim, what)))


def normal_order(axis: int | Sequence[int] | None, ndim: int, what: str) -> tuple[int, ...]:
    """Axes counted from 0, in their order; an error as by `normal_axes`."""
    given = range(ndim) if axis is None else axis if isinstance(axis, Sequence) else (axis,)
    found: list[int] = []
    for a in map(operator.index, given):  # a traced number becomes a guarded one
        if not -ndim <= a < ndim:
            raise AxisRangeError(
                f"{what}: axis {a} is out of range for an array of {ndim} axes{at_caller()}"
            )
        if a % ndim in found:
            raise ShapeError(f"{what}: axis {a} is given twice{at_caller()}")
        found.append(a % ndim)
    return tuple(found)


def one_axis(axis: int, ndim: int, what: str) -> int:
    """One axis counted from 0; a `ShapeError` where it is out of range."""
    return normal_axes((axis,), ndim, what)[0]


def reduce(x: Node, kind: str, axes: tuple[int, ...], keepdims: bool = False) -> Node:
    """The reduction of that kind; with `keepdims` the axes stay, of length 1."""
    result = make(Reduce(kind, axes), x) if axes or kind in ("logsumexp",) else x
    if not keepdims:
        return result
    return reshape(result, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


def sum_(
    x: Node, axes: tuple[int, ...], keepdims: bool = False, dtype: DType | None = None
) -> Node:
    """The sum over axes; booleans and small integers are summed in int64, as NumPy does."""
    if dtype is None and x.dtype.kind in "bi":
        dtype = INT64
    elif dtype is None and x.dtype.kind == "u":
        dtype = np.dtype(np.uint64)
    return reduce(cast(x, dtype or x.dtype), "sum", axes, keepdims)


def mean(x: Node, axes: tuple[int, ...], keepdims: bool = False) -> Node:
    """The mean over axes: the sum, divided by the number of elements."""
    count = float(np.prod([x.shape[a] for a in axes], dtype=np.int64))
    if x.dtype.kind != "f":
        x = cast(x, np.dtype(np.float64))
    return reduce(x, "sum", axes, keepdims) / count


def ones_like(x: Node) -> Node:
    """A node of the same shape and dtype, filled with 1."""
    return full_like(x, 1)


def zeros_like(x: Node) -> Node:
    """A node of the same shape and dtype, filled with 0."""
    return full_like(x, 0)


def first_of(x: Node, axis: int, kind: str) -> Node:
    """The first index of the max or min along an axis, of NaN where there is one; int64."""
    n = x.shape[axis]
    best = make(Reduce(kind, (axis,)), x)
    wide = tuple(1 if i == axis else m for i, m in enumerate(x.shape))
    wins = k.equal(x, broadcast_to(reshape(best, wide), x.shape))
    if x.dtype.kind == "f":
        wins = k.logical_or(wins, k.isnan(x))
    places = constant(x.trace, np.arange(n, dtype=np.int64))
    line = tuple(n if i == axis else 1 for i in range(x.ndim))
    places = broadcast_to(reshape(places, line), x.shape)
    return make(Reduce("min", (axis,)), k.where(wins, places, n))
