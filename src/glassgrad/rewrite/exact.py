"""Laws that keep every bit: units, signs, views of views, constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.graph.family import Elementwise, alias, broadcast_to, literal, reshape
from glassgrad.graph.node import Const, Node, constant, constant_value
from glassgrad.graph.numpy_algebra import NUMPY
from glassgrad.ops.arithmetic import square
from glassgrad.ops.view import Transpose, transpose
from glassgrad.rewrite.law import EXACT, LawBook

BOOK = LawBook("exact")
ALIASES = LawBook("aliases")  # not before differentiation: an alias is what one differentiates by
law = BOOK.law
V = np.array([0.5, -1.5, 2.0])


@law("x*1 -> x", EXACT, "multiply", lambda x: x * 1.0, [V])
def _times_one(node: Node) -> Node | None:
    x, y = node.inputs
    return x if literal(y) == 1 else y if literal(x) == 1 else None


@law("x*(-1) -> -x", EXACT, "multiply", lambda x: x * -1.0, [V])
def _times_minus_one(node: Node) -> Node | None:
    x, y = node.inputs
    if node.dtype.kind != "f":
        return None
    return -x if literal(y) == -1 else -y if literal(x) == -1 else None


@law("x/1 -> x", EXACT, "divide", lambda x: x / 1.0, [V])
def _over_one(node: Node) -> Node | None:
    x, y = node.inputs
    return x if literal(y) == 1 else None


@law("x - 0 -> x", EXACT, "subtract", lambda x: x - 0.0, [V])
def _minus_zero(node: Node) -> Node | None:
    x, y = node.inputs
    return x if literal(y) == 0 and not np.signbit(literal(y) or 0.0) else None


@law("-(-x) -> x", EXACT, "negative", lambda x: -np.negative(x), [V])
def _minus_minus(node: Node) -> Node | None:
    match node.inputs[0]:
        case Node("negative", (x,)):
            return x
    return None


@law("x + (-y) -> x - y", EXACT, "add", lambda x, y: x + (-y), [V, V + 1])
def _plus_minus(node: Node) -> Node | None:
    match node:
        case Node("add", (x, Node("negative", (y,)))):
            return x - y
        case Node("add", (Node("negative", (x,)), y)):
            return y - x
    return None


@law("x - (-y) -> x + y", EXACT, "subtract", lambda x, y: x - (-y), [V, V + 1])
def _minus_minus_of(node: Node) -> Node | None:
    match node:
        case Node("subtract", (x, Node("negative", (y,)))):
            return x + y
    return None


def _has_sign(node: Node) -> bool:
    """Whether an operand is a negative: most are not, and need no match."""
    return any(x.op.name == "negative" for x in node.inputs)


@law("(-x)*y -> -(x*y)", EXACT, "multiply", lambda x, y: (-x) * y, [V, V + 1])
def _sign_out_of_product(node: Node) -> Node | None:
    if not _has_sign(node):
        return None
    match node:
        case Node("multiply", (Node("negative", (x,)), Node("negative", (y,)))):
            return x * y
        case Node("multiply", (Node("negative", (x,)), y)):
            return -(x * y)
        case Node("multiply", (x, Node("negative", (y,)))):
            return -(x * y)
    return None


@law("(-x)/y -> -(x/y)", EXACT, "divide", lambda x, y: (-x) / (y + 2), [V, V + 3])
def _sign_out_of_quotient(node: Node) -> Node | None:
    if not _has_sign(node):
        return None
    match node:
        case Node("divide", (Node("negative", (x,)), Node("negative", (y,)))):
            return x / y
        case Node("divide", (Node("negative", (x,)), y)):
            return -(x / y)
        case Node("divide", (x, Node("negative", (y,)))):
            return -(x / y)
    return None


@law("x*x -> x**2", EXACT, "multiply", lambda x: x * x, [V])
def _product_with_itself(node: Node) -> Node | None:
    x, y = node.inputs
    return square.apply(x) if x is y and x.dtype.kind != "b" else None


@law("x**1 -> x", EXACT, "power", lambda x: np.power(x, np.ones_like(x)), [V])
def _first_power(node: Node) -> Node | None:
    return node.inputs[0] if literal(node.inputs[1]) == 1 else None


@law("where(c, x, x) -> x", EXACT, "where", lambda x: np.where(x > 0, x, x), [V])
def _same_branches(node: Node) -> Node | None:
    _, x, y = node.inputs
    return x if x is y else None


@law("view of the same -> itself", EXACT, "reshape", lambda x: x[None, :][0], [V])
def _idle_reshape(node: Node) -> Node | None:
    match node.inputs[0]:
        case Node("reshape", (x,)):
            return reshape(x, node.shape)
        case Node("broadcast", (x,)) if x.shape == ():
            return broadcast_to(x, node.shape)
    return node.inputs[0] if node.inputs[0].shape == node.shape else None


@law("x.T.T -> x", EXACT, "transpose", lambda x: (x[:, None] * x).T.T, [V])
def _transpose_twice(node: Node) -> Node | None:
    match node.inputs[0]:
        case Node("transpose", (x,)):
            inner, outer = node.inputs[0].op, node.op
            assert isinstance(inner, Transpose) and isinstance(outer, Transpose)
            return transpose(x, tuple(inner.perm[i] for i in outer.perm))
        case Node("broadcast", (x,)) if x.shape == ():
            return broadcast_to(x, node.shape)
    return None


@law("copies of copies -> copies", EXACT, "broadcast",
     lambda x: np.broadcast_to(np.broadcast_to(x, (2, 3)), (2, 2, 3)), [V])  # fmt: skip
def _broadcast_twice(node: Node) -> Node | None:
    match node.inputs[0]:
        case Node("broadcast", (x,)):
            return broadcast_to(x, node.shape)
        case Node("reshape", (x,)) if x.shape == ():
            return broadcast_to(x, node.shape)
    return node.inputs[0] if node.inputs[0].shape == node.shape else None


@law("part of a filled array -> a filled array", EXACT, "slice",
     lambda x: x * np.ones_like(np.concatenate([x, x]))[1:4], [V])  # fmt: skip
def _slice_of_fill(node: Node) -> Node | None:
    match node.inputs[0]:
        case Node("broadcast", (x,)) if x.shape == ():
            return broadcast_to(x, node.shape)
    return None


def _aliased(x: Any) -> Any:
    """The example of the alias law: a handle's node under a fresh identity."""
    return type(x)(alias(x.node)) if hasattr(x, "node") else x


@ALIASES.law("alias of x -> x", EXACT, "alias", _aliased, [V])
def _alias(node: Node) -> Node | None:
    return node.inputs[0]


LARGEST_FOLDED = 8  # elements; larger constants are computed when the graph runs


def _fold(node: Node) -> Node | None:
    """An elementwise op of small constants is a constant; a filled array folds as one number."""
    if not isinstance(node.op, Elementwise) or node.bound or node.name == "stop_gradient":
        return None
    fills = [_fill(x) for x in node.inputs]
    if all(v is not None for v in fills):
        return _filled_with(node, getattr(NUMPY, node.name)(*fills))
    values = [constant_value(x) for x in node.inputs]
    if any(v is None for v in values) or node.size > LARGEST_FOLDED:
        return None
    with np.errstate(all="ignore"):
        return constant(node.trace, np.asarray(getattr(NUMPY, node.name)(*values), node.dtype))


def _fill(node: Node) -> Any:
    while node.name == "broadcast":
        node = node.inputs[0]
    return node.op.value if isinstance(node.op, Const) and node.shape == () else None


def _filled_with(node: Node, value: Any) -> Node:
    return broadcast_to(constant(node.trace, np.asarray(value, node.dtype)), node.shape)


_FOLDED: dict[str, Callable[..., Any]] = {
    "add": lambda x: x * (np.full_like(x, 3.0) + 1.0),
    "subtract": lambda x: x * (np.full_like(x, 3.0) - 1.0),
    "multiply": lambda x: x * (np.full_like(x, 3.0) * 2.0),
    "divide": lambda x: x * (np.full_like(x, 3.0) / 2.0),
    "negative": lambda x: x * (-np.full_like(x, 3.0)),
    "square": lambda x: x * np.square(np.full_like(x, 3.0)),
    "power": lambda x: x * np.power(np.full_like(x, 3.0), 1.5),
    "sqrt": lambda x: x * np.sqrt(np.full_like(x, 3.0)),
}
for _name, _example in _FOLDED.items():
    law(f"{_name} of constants -> a constant", EXACT, _name, _example, [V])(_fold)
