"""Reading rows by integer indices, adding into them, and writing over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassgrad.graph.errors import DTypeError, ShapeError
from glassgrad.graph.family import broadcast_to, full_like, reshape
from glassgrad.graph.node import Node, constant, constant_value, make
from glassgrad.graph.op import REGISTRY, Aval, Op, Shape
from glassgrad.graph.provenance import at_caller


def _result(shape: Shape, axis: int, indices: Sequence[Node]) -> Shape:
    if any(i.dtype.kind not in "iu" for i in indices):
        raise DTypeError(f"indices must be integers, not {indices[0].dtype}{at_caller()}")
    if any(i.shape != indices[0].shape for i in indices):
        raise ShapeError("take: the index arrays must have one shape")
    if not 0 <= axis <= len(shape) - len(indices):
        raise ShapeError(f"take: axis {axis} is out of range for shape {shape}{at_caller()}")
    return (*shape[:axis], *indices[0].shape, *shape[axis + len(indices) :])


class Take(Op):
    """The elements of the first operand at integer indices along `axis` and the axes after it.

    One index array for each axis; their shape stands where these axes were. Negative indices count
    from the end.
    """

    name = "take"
    domain = "indices from -n to n - 1 along an axis of length n"
    verb = "routes the gradient to the rows that were read; rows read twice sum"
    cost = "none: it moves numbers"
    axis: int

    def infer(self, *inputs: Node) -> Aval:
        """The operand's shape with the indexed axes replaced by the indices' shape."""
        x, *indices = inputs
        return _result(x.shape, self.axis, indices), x.dtype

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent added into zeros at the indices."""
        x, *indices = node.inputs
        return scatter_add(full_like(x, 0), g, indices, self.axis), *[None] * len(indices)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The tangent at the same indices."""
        t = tangents[0]
        return None if t is None else make(self, t, *node.inputs[1:])


class Written(Op):
    """An op that puts the second operand into the first, at integer indices along `axis`."""

    domain = "indices from -n to n - 1 along an axis of length n"
    axis: int

    def infer(self, *inputs: Node) -> Aval:
        """The base's shape; the values must have the shape that `take` would read."""
        base, values, *indices = inputs
        if values.shape != _result(base.shape, self.axis, indices) or values.dtype != base.dtype:
            raise ShapeError(
                f"{self.name}: values of shape {values.shape} do not fit {len(indices)} indices of "
                f"shape {indices[0].shape} into shape {base.shape}{at_caller()}"
            )
        return base.shape, base.dtype

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The tangents put in alike."""
        base, values, *indices = node.inputs
        s, t = tangents[:2]
        if s is None and t is None:
            return None
        s = full_like(base, 0) if s is None else s
        return make(self, s, full_like(values, 0) if t is None else t, *indices)


class ScatterAdd(Written):
    """The first operand with the second added at integer indices; repeated indices sum."""

    name = "scatter_add"
    verb = "passes the gradient to the base, and its rows to what was added"
    cost = "1 for each element that is added"

    def flops(self, node: Node) -> int:
        """One for each element that is added."""
        return node.inputs[1].size

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent for the base, its rows for the values."""
        _, _, *indices = node.inputs
        return g, make(Take(self.axis), g, *indices), *[None] * len(indices)


class Scatter(Written):
    """The first operand, the second written over it at integer indices; the last write stays."""

    name = "scatter"
    verb = "routes the gradient to what was written last, and to what was not overwritten"
    cost = "none: it moves numbers"

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent where nothing was written, for the base; where a value stayed, for it."""
        base, values, *indices = node.inputs
        for_base = make(self, g, full_like(values, 0), *indices)
        read = make(Take(self.axis), g, *indices)
        stays = self._stays(base, values, indices)
        for_values = read if stays is None else REGISTRY["where"].apply(stays, read, 0)
        return for_base, for_values, *[None] * len(indices)

    def _stays(self, base: Node, values: Node, indices: Sequence[Node]) -> Node | None:
        """Which values no later one overwrites; None if each is written to a place of its own."""
        extents = base.shape[self.axis : self.axis + len(indices)]
        if _distinct(indices, extents):
            return None
        shape = indices[0].shape
        turn = constant(base.trace, np.arange(indices[0].size).reshape(shape))
        turns = make(Scatter(0), constant(base.trace, np.zeros(extents, np.int64)), turn, *indices)
        stays = REGISTRY["equal"].apply(make(Take(0), turns, *indices), turn)
        rest = (1,) * (values.ndim - self.axis - len(shape))
        return broadcast_to(reshape(stays, (*shape, *rest)), values.shape)


def _distinct(indices: Sequence[Node], extents: Shape) -> bool:
    """Whether indices are known by now and name no place twice."""
    known = [constant_value(i.inputs[0] if i.name == "broadcast" else i) for i in indices]
    if any(v is None for v in known):
        return False
    shape = indices[0].shape
    placed = [
        np.broadcast_to(v, shape).ravel() % n for v, n in zip(known, extents) if v is not None
    ]
    return len(set(zip(*(v.tolist() for v in placed)))) == indices[0].size


def take(x: Node, indices: Sequence[Node], axis: int = 0) -> Node:
    """The elements of `x` at the indices, one index array an axis from `axis` on."""
    return make(Take(axis), x, *indices)


def scatter_add(base: Node, values: Node, indices: Sequence[Node], axis: int = 0) -> Node:
    """`base` with `values` added at the indices."""
    return make(ScatterAdd(axis), base, values, *indices)


def scatter(base: Node, values: Node, indices: Sequence[Node], axis: int = 0) -> Node:
    """`base` with `values` written at the indices; of several at one place the last stays."""
    return make(Scatter(axis), base, values, *indices)


def along(x: Node, indices: Node, axis: int) -> tuple[Node, ...]:
    """Index arrays for every axis, that vary along `axis` by `indices` and else stay in place."""
    found: list[Node] = []
    for i, n in enumerate(indices.shape):
        if i == axis:
            found.append(indices)
        else:
            shape = tuple(n if j == i else 1 for j in range(x.ndim))
            places = constant(x.trace, np.arange(n, dtype=np.int64))
            found.append(broadcast_to(reshape(places, shape), indices.shape))
    return tuple(found)


def take_along(x: Node, indices: Node, axis: int) -> Node:
    """NumPy's take_along_axis for indices that match `x` off the axis."""
    return take(x, along(x, indices, axis))
