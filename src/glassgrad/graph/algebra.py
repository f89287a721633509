"""The algebra in which scalar bodies and partial derivatives are written, once.

Values of an algebra overload + - * / and unary minus with each other and with Python scalars; the
algebra supplies the functions. An algebra that has a primitive for an op defines a method of that
name; for any other registered elementwise op it runs the op's scalar body on itself. So the same
lines give values in NumPy, machine code, graph nodes, text and 50-digit numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from glassgrad.graph.op import REGISTRY

if TYPE_CHECKING:
    from glassgrad.graph.node import Node

PRIMITIVES = (
    "abs", "sign", "floor", "sqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "power",
    "maximum", "minimum", "where", "less", "less_equal", "equal", "not_equal", "isfinite",
    "logical_and", "logical_or", "logical_not",
)  # fmt: skip
"""What every algebra brings itself; all else follows from bodies."""


class Algebra:
    """Functions on the values of one algebra; missing ones are run from their op's scalar body."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = REGISTRY.get(name)
        body = getattr(op, "scalar", None)
        if body is None:
            raise AttributeError(
                f"{type(self).__name__} has no primitive {name!r}, nor has it a body"
            )

        def run(*operands: Any) -> Any:
            return body(self, *operands)

        return run


class NodeAlgebra:
    """The algebra whose values are graph nodes: each function builds the node of that op."""

    def __getattr__(self, name: str) -> Callable[..., Node]:
        op = REGISTRY.get(name)
        if op is None:
            raise AttributeError(f"there is no op named {name!r}")
        return op.apply


NODES = NodeAlgebra()
