"""Shorter chains of operations with the same bits, for loops that wait for their own results."""

from __future__ import annotations

from collections.abc import Sequence
from math import frexp, isfinite
from typing import Any

import numpy as np

from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import literal
from glassgrad.graph.node import Node
from glassgrad.graph.traverse import rebuild


def shortened(outputs: Sequence[Node]) -> list[Node]:
    """The outputs with factors of two taken into other factors, and signs into constants.

    2*x is exact, so a*(2*x) is (2*a)*x, rounded once either way.
    """
    new = rebuild(outputs, {}, _change, rule="shorter chains")
    return [new[y] for y in outputs]


def _change(old: Node, node: Node) -> Node:
    if node.dtype.kind != "f":
        return node
    match node:
        case Node("multiply", (a, Node("multiply", (b, x)))):
            factor = _product(literal(a), literal(b), node.dtype)
            return node if factor is None else k.multiply(factor, x)
        case Node("negative", (Node("multiply", (x, Node("multiply", (c, y)))),)):
            factor = literal(c)
            return node if factor is None else k.multiply(x, k.multiply(-factor, y))
    return node


def _product(a: float | None, b: float | None, dtype: np.dtype[Any]) -> float | None:
    """a*b where a*(b*x) is (a*b)*x for every x: b is a power of two, and neither is below 1."""
    if a is None or b is None or abs(a) < 1 or b < 1 or frexp(b)[0] != 0.5:
        return None
    product = float(a) * float(b)
    return product if isfinite(product) and abs(product) <= np.finfo(dtype).max else None
