"""An SSA value: what instructions take and give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassgrad.engines.native.irtype import Type

if TYPE_CHECKING:
    from glassgrad.engines.native.instructions import Instructions

Number = int | float


class Value:
    """An SSA value (or constant) of a function; `number` is set for constants known here."""

    __slots__ = ("function", "number", "text", "type")

    def __init__(self, function: Instructions, text: str, type_: Type, number: Any = None) -> None:
        self.function = function
        self.text = text
        self.type = type_
        self.number = number

    def __repr__(self) -> str:
        return f"{self.type} {self.text}"

    def __add__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("add", self, other)

    def __radd__(self, other: Number) -> Value:
        return self.function.arithmetic("add", other, self)

    def __sub__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("sub", self, other)

    def __rsub__(self, other: Number) -> Value:
        return self.function.arithmetic("sub", other, self)

    def __mul__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("mul", self, other)

    def __rmul__(self, other: Number) -> Value:
        return self.function.arithmetic("mul", other, self)

    def __truediv__(self, other: Value | Number) -> Value:
        return self.function.arithmetic("div", self, other)

    def __rtruediv__(self, other: Number) -> Value:
        return self.function.arithmetic("div", other, self)

    def __neg__(self) -> Value:
        return self.function.negate(self)

    def __and__(self, other: Value | int) -> Value:
        return self.function.binary("and", self, other)

    def __or__(self, other: Value | int) -> Value:
        return self.function.binary("or", self, other)

    def __xor__(self, other: Value | int) -> Value:
        return self.function.binary("xor", self, other)

    def __lshift__(self, other: Value | int) -> Value:
        return self.function.binary("shl", self, other)

    def __rshift__(self, other: Value | int) -> Value:
        return self.function.binary("lshr", self, other)

    def __invert__(self) -> Value:
        return self.function.binary("xor", self, -1 if self.type.bits > 1 else 1)
