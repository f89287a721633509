"""Views: which element stands where. Slices, transposes, placements and concatenation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassgrad.graph.dtype import promote
from glassgrad.graph.errors import ShapeError
from glassgrad.graph.family import View, cast, full_like
from glassgrad.graph.node import Node, make
from glassgrad.graph.op import Aval, Op, Shape
from glassgrad.graph.provenance import at_caller


class Transpose(View):
    """The axes in another order: axis i of the result is axis perm[i] of the operand."""

    name = "transpose"
    verb = "transposes the gradient back"
    perm: tuple[int, ...]

    def infer(self, *inputs: Node) -> Aval:
        """The extents in the new order."""
        x = inputs[0]
        if sorted(self.perm) != list(range(x.ndim)):
            raise ShapeError(
                f"transpose: {self.perm} is no order of the {x.ndim} axes of shape {x.shape}"
                f"{at_caller()}"
            )
        return tuple(x.shape[i] for i in self.perm), x.dtype

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent with the axes put back."""
        return (transpose(g, tuple(int(i) for i in np.argsort(self.perm))),)


class Slice(View):
    """Every `steps`-th element from `starts`, `lengths` of them along each axis."""

    name = "slice"
    verb = "routes the gradient to the elements that were read, zero elsewhere"
    starts: tuple[int, ...]
    steps: tuple[int, ...]
    lengths: tuple[int, ...]

    def infer(self, *inputs: Node) -> Aval:
        """The lengths."""
        _check_range(self, inputs[0].shape)
        return self.lengths, inputs[0].dtype

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent placed among zeros."""
        return (make(Place(node.inputs[0].shape, self.starts, self.steps), g),)


class Place(View):
    """Zeros of `shape` with the operand written at a slice: the transpose of `Slice`."""

    name = "place"
    verb = "reads the gradient at the elements that were written"
    shape: Shape
    starts: tuple[int, ...]
    steps: tuple[int, ...]

    def infer(self, *inputs: Node) -> Aval:
        """The shape of the array written to."""
        _check_range(self.slice_of(inputs[0]), self.shape)
        return self.shape, inputs[0].dtype

    def slice_of(self, x: Node) -> Slice:
        """The slice that reads what this placement wrote."""
        return Slice(self.starts, self.steps, x.shape)

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent read at the slice."""
        return (make(self.slice_of(node.inputs[0]), g),)


class Update(Op):
    """The first operand with the second written at a slice."""

    name = "update"
    verb = "routes the gradient to what was written, and to what was not overwritten"
    cost = "none: it moves numbers"
    starts: tuple[int, ...]
    steps: tuple[int, ...]

    def infer(self, *inputs: Node) -> Aval:
        """The shape and dtype of the array written to."""
        x, v = inputs
        _check_range(Slice(self.starts, self.steps, v.shape), x.shape)
        if x.dtype != v.dtype:
            raise ShapeError(f"update: {v.dtype} written to {x.dtype}")
        return x.shape, x.dtype

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """Zero at the slice for the old array; the cotangent's slice for the new values."""
        v = node.inputs[1]
        return make(self, g, full_like(v, 0)), make(Slice(self.starts, self.steps, v.shape), g)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The tangent of the old array with that of the values written into it."""
        x, v = node.inputs
        s, t = tangents
        if s is None and t is None:
            return None
        if s is None:
            assert t is not None
            return make(Place(x.shape, self.starts, self.steps), t)
        return make(self, s, full_like(v, 0) if t is None else t)


class Concatenate(Op):
    """The operands one after the other along an axis."""

    name = "concatenate"
    verb = "cuts the gradient into the operands' parts"
    cost = "none: it moves numbers"
    axis: int

    def infer(self, *inputs: Node) -> Aval:
        """The summed extent along the axis; the rest must agree."""
        first = inputs[0]
        a = self.axis
        if not 0 <= a < first.ndim:
            raise ShapeError(
                f"concatenate: axis {a} is out of range for {first.shape}{at_caller()}"
            )
        for x in inputs:
            if x.shape[:a] != first.shape[:a] or x.shape[a + 1 :] != first.shape[a + 1 :]:
                raise ShapeError(
                    f"concatenate: shapes {first.shape} and {x.shape} differ off axis {a}"
                    f"{at_caller()}"
                )
        total = sum(x.shape[a] for x in inputs)
        return (*first.shape[:a], total, *first.shape[a + 1 :]), first.dtype

    def parts(self, node: Node) -> list[Slice]:
        """The slice of the result that each operand became."""
        start, found = 0, list[Slice]()
        for x in node.inputs:
            starts = tuple(start if i == self.axis else 0 for i in range(x.ndim))
            found.append(Slice(starts, (1,) * x.ndim, x.shape))
            start += x.shape[self.axis]
        return found

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent's part for each operand."""
        return [make(part, g) for part in self.parts(node)]

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The tangents one after the other, zeros where an operand has none."""
        if all(t is None for t in tangents):
            return None
        filled = (full_like(x, 0) if t is None else t for x, t in zip(node.inputs, tangents))
        return make(self, *filled)


def _check_range(s: Slice, shape: Shape) -> None:
    if not len(s.starts) == len(s.steps) == len(s.lengths) == len(shape):
        raise ShapeError(f"{s!r} does not fit shape {shape}")
    for start, step, length, n in zip(s.starts, s.steps, s.lengths, shape):
        last = start + step * (length - 1)
        if length and not (0 <= start < n and 0 <= last < n and step != 0):
            raise ShapeError(f"{s!r} reaches outside shape {shape}")


def transpose(x: Node, perm: Sequence[int]) -> Node:
    """The axes of `x` in another order; `x` itself if the order is the same."""
    order = tuple(perm)
    return x if order == tuple(range(x.ndim)) else make(Transpose(order), x)


def slice_(x: Node, starts: Sequence[int], steps: Sequence[int], lengths: Sequence[int]) -> Node:
    """A strided part of `x`; `x` itself if it is all of it."""
    op = Slice(tuple(starts), tuple(steps), tuple(lengths))
    whole = op.lengths == x.shape and all(s == 1 for s, n in zip(op.steps, x.shape) if n > 1)
    return x if whole else make(op, x)


def rows(x: Node, start: int, stop: int, axis: int = 0) -> Node:
    """The part of `x` from `start` to `stop` along one axis."""
    starts = [start if i == axis else 0 for i in range(x.ndim)]
    lengths = [stop - start if i == axis else n for i, n in enumerate(x.shape)]
    return slice_(x, starts, (1,) * x.ndim, lengths)


def concatenate(parts: Sequence[Node], axis: int = 0) -> Node:
    """The parts one after the other, promoted to one dtype; a single part is itself."""
    dtype = promote(*(x.dtype for x in parts))
    return (
        parts[0] if len(parts) == 1 else make(Concatenate(axis), *(cast(x, dtype) for x in parts))
    )
