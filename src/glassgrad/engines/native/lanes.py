"""Values of the algebra of machine code: an SSA value with its dtype, and Python's operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassgrad.engines.native.emit import Value
from glassgrad.graph.dtype import DType

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import LLVMAlgebra

Operand = Any
"""A `Lanes` or a Python number."""


class Lanes:
    """A value of the algebra: one number a lane, with the dtype that says how to read the bits."""

    __slots__ = ("algebra", "dtype", "value")

    def __init__(self, algebra: LLVMAlgebra, value: Value, dtype: DType) -> None:
        self.algebra = algebra
        self.value = value
        self.dtype = dtype

    def __repr__(self) -> str:
        return f"{self.dtype}:{self.value!r}"

    def __add__(self, other: Operand) -> Lanes:
        return self.algebra.add(self, other)

    def __radd__(self, other: Operand) -> Lanes:
        return self.algebra.add(other, self)

    def __sub__(self, other: Operand) -> Lanes:
        return self.algebra.subtract(self, other)

    def __rsub__(self, other: Operand) -> Lanes:
        return self.algebra.subtract(other, self)

    def __mul__(self, other: Operand) -> Lanes:
        return self.algebra.multiply(self, other)

    def __rmul__(self, other: Operand) -> Lanes:
        return self.algebra.multiply(other, self)

    def __truediv__(self, other: Operand) -> Lanes:
        return self.algebra.divide(self, other)

    def __rtruediv__(self, other: Operand) -> Lanes:
        return self.algebra.divide(other, self)

    def __neg__(self) -> Lanes:
        return self.algebra.negative(self)

    def __and__(self, other: Operand) -> Lanes:
        return self.algebra.integer("and", self, other)

    def __or__(self, other: Operand) -> Lanes:
        return self.algebra.integer("or", self, other)

    def __xor__(self, other: Operand) -> Lanes:
        return self.algebra.integer("xor", self, other)

    def __lshift__(self, other: Operand) -> Lanes:
        return self.algebra.integer("shl", self, other)

    def __rshift__(self, other: Operand) -> Lanes:
        return self.algebra.integer("ashr" if self.dtype.kind == "i" else "lshr", self, other)
