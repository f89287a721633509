"""What one element of a fused loop is: loads, numbers and operations, shared where they are equal.

An expression is evaluated once for each point of an iteration space. Views are gone: every `Load`
says where its elements lie as the axes of the space move.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from glassgrad.engines.native.strided import Strided
from glassgrad.graph.node import Node
from glassgrad.graph.op import Op

DType = np.dtype[Any]


class Buffer:
    """Elements in memory: an argument, a result, a constant, or a part of the arena."""

    __slots__ = ("dtype", "index", "kind", "shape", "value")

    def __init__(self, kind: str, dtype: DType, shape: tuple[int, ...], index: int = -1) -> None:
        self.kind = kind  # "input" | "output" | "const" | "arena"
        self.dtype = dtype
        self.shape = shape
        self.index = index
        self.value: Any = None

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The number of bytes."""
        return self.size * self.dtype.itemsize


class Expr:
    """One value; `args` are the expressions that it is computed from."""

    __slots__ = ("args", "dtype")

    def __init__(self, dtype: DType, args: tuple[Expr, ...] = ()) -> None:
        self.dtype = dtype
        self.args = args


class Load(Expr):
    """An element of a buffer; `view.shape` is the iteration space."""

    __slots__ = ("buffer", "view")

    def __init__(self, buffer: Buffer, view: Strided) -> None:
        super().__init__(buffer.dtype)
        self.buffer = buffer
        self.view = view


class Gather(Expr):
    """An element of a buffer at computed places: `args` are indices, each along one `extents`.

    `view` moves along the axes of the space that are not indexed; `strides` are those of the
    indexed axes.
    """

    __slots__ = ("buffer", "extents", "strides", "view")

    def __init__(
        self, buffer: Buffer, view: Strided, indices: tuple[Expr, ...],
        extents: tuple[int, ...], strides: tuple[int, ...],
    ) -> None:  # fmt: skip
        super().__init__(buffer.dtype, indices)
        self.buffer, self.view, self.extents, self.strides = buffer, view, extents, strides


class Uniform(Expr):
    """The same number everywhere."""

    __slots__ = ("number",)

    def __init__(self, number: Any, dtype: DType) -> None:
        super().__init__(dtype)
        self.number = number


class Apply(Expr):
    """An elementwise op (or a cast) of its arguments; `node` is that of a division to tell of."""

    __slots__ = ("node", "op")

    def __init__(
        self, op: Op, args: tuple[Expr, ...], dtype: DType, node: Node | None = None
    ) -> None:
        super().__init__(dtype, args)
        self.op, self.node = op, node

    def on(self, args: tuple[Expr, ...]) -> Apply:
        """The same of other arguments."""
        return Apply(self.op, args, self.dtype, self.node)


class Seed(Expr):
    """The value that a product or a reduction has just finished."""

    __slots__ = ()


class Store:
    """Where the values of an expression go."""

    __slots__ = ("buffer", "expr", "view")

    def __init__(self, expr: Expr, buffer: Buffer, view: Strided) -> None:
        self.expr, self.buffer, self.view = expr, buffer, view


def walk(roots: Sequence[Expr]) -> list[Expr]:
    """Every expression once, arguments before what uses them."""
    order: list[Expr] = []
    done: set[Expr] = set()
    stack = list(reversed(roots))
    while stack:
        expr = stack[-1]
        if expr not in done:
            waits = False
            for x in reversed(expr.args):
                if x not in done:
                    stack.append(x)
                    waits = True
            if waits:
                continue
            done.add(expr)
            order.append(expr)
        stack.pop()
    return order


def loads(roots: Sequence[Expr]) -> list[Load | Gather]:
    """All accesses to memory."""
    return [x for x in walk(roots) if isinstance(x, Load | Gather)]


def may_fail(expr: Expr) -> bool:
    """Whether evaluating it can end in an error: a place out of range, a number that is refused.

    Or in something to tell: an integer division by zero.
    """
    if isinstance(expr, Apply) and expr.node is not None:
        return True
    if isinstance(expr, Apply) and expr.op.name == "power" and expr.dtype.kind == "i":
        exponent = expr.args[1]
        return not (isinstance(exponent, Uniform) and exponent.number >= 0)
    return isinstance(expr, Gather)
