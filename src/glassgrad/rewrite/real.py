"""Laws of real arithmetic that tidy a formula for reading; floats may differ in the last bits."""

from __future__ import annotations

import numpy as np

from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import full_like, literal
from glassgrad.graph.node import Node, constant, constant_value
from glassgrad.ops.contract import matmul
from glassgrad.rewrite.law import REAL_EQUAL, LawBook

BOOK = LawBook("real")
law = BOOK.law
V = np.array([0.5, -1.5, 2.0])


@law("x + 0 -> x", REAL_EQUAL, "add", lambda x: x + 0.0, [V])
def _plus_zero(node: Node) -> Node | None:
    x, y = node.inputs
    return x if literal(y) == 0 else y if literal(x) == 0 else None


@law("0 - x -> -x", REAL_EQUAL, "subtract", lambda x: 0.0 - x, [V])
def _zero_minus(node: Node) -> Node | None:
    x, y = node.inputs
    return -y if literal(x) == 0 else None


@law("x*0 -> 0", REAL_EQUAL, "multiply", lambda x: x * 0.0, [V])
def _times_zero(node: Node) -> Node | None:
    x, y = node.inputs
    return full_like(node, 0) if literal(x) == 0 or literal(y) == 0 else None


@law("x**2 by power -> x**2", REAL_EQUAL, "power", lambda x: np.power(x, np.full_like(x, 2.0)), [V])
def _second_power(node: Node) -> Node | None:
    return k.square(node.inputs[0]) if literal(node.inputs[1]) == 2 else None


@law("sigmoid(x)*sigmoid(-x) -> sigmoid'(x)", REAL_EQUAL, "multiply",
     lambda x: (1 / (1 + np.exp(-x))) * (1 / (1 + np.exp(x))), [V])  # fmt: skip
def _slope_of_sigmoid(node: Node) -> Node | None:
    match node.inputs:
        case (Node("sigmoid", (x,)), Node("sigmoid", (Node("negative", (y,)),))) if x is y:
            return k.sigmoid_slope(x)
        case (Node("sigmoid", (Node("negative", (y,)),)), Node("sigmoid", (x,))) if x is y:
            return k.sigmoid_slope(x)
    return None


A, B = (
    np.array([[1.0, 0.0, 2.0], [-1.0, 1.0, 0.5]]),
    np.array([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]]),
)


@law("A @ (B @ x) -> (A @ B) @ x, for known matrices", REAL_EQUAL, "contract",
     lambda x: A @ (B @ x), [V[:2]])  # fmt: skip
def _linear_maps_joined(node: Node) -> Node | None:
    match node.inputs:
        case (Node("const") as a, Node("contract", (Node("const") as b, x)) as inner):
            if {"matmul"} == {
                str(getattr(n.op, "kind", "")) for n in (node, inner)
            } and a.ndim == 2:
                joined = np.matmul(constant_value(a), constant_value(b))  # pyright: ignore
                return matmul(constant(node.trace, joined), x)
    return None
