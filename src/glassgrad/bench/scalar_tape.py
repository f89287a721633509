"""Reverse mode on Python floats in thirty lines, the peer that needs no library."""

from __future__ import annotations

from collections.abc import Callable


class Value:
    """A number that remembers how it was made."""

    __slots__ = ("data", "grad", "parents", "push")

    def __init__(self, data: float, parents: tuple[Value, ...] = ()) -> None:
        self.data, self.grad, self.parents = data, 0.0, parents
        self.push: Callable[[], None] | None = None

    def __add__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def push() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out.push = push
        return out

    def __mul__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def push() -> None:
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.push = push
        return out

    def backward(self) -> None:
        """Adds the derivative of this value to `grad` of everything that it was made of.

        >>> a, b = Value(2.0), Value(1.0)
        >>> ((a + b) * (b + 1)).backward()
        >>> a.grad, b.grad
        (2.0, 5.0)
        """
        order: list[Value] = []
        seen: set[Value] = set()

        def visit(value: Value) -> None:
            if value not in seen:
                seen.add(value)
                for parent in value.parents:
                    visit(parent)
                order.append(value)

        visit(self)
        self.grad = 1.0
        for value in reversed(order):
            if value.push is not None:
                value.push()
