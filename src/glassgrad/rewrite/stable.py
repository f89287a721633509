"""Laws that make naive formulas stable, before anything is differentiated.

They extend: the new formula is finite where the old one overflows, cancels or meets a pole, and its
derivative exists where the old one's does not. The spellings that are recognised are these
statements.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import literal, scaled
from glassgrad.graph.node import Node, make
from glassgrad.graph.op import Op
from glassgrad.ops.reduce import Reduce
from glassgrad.rewrite.law import EXTENDING, REAL_EQUAL, LawBook

BOOK = LawBook("stable")
law = BOOK.law
V = np.array([0.5, -1.5, 2.0])
P = np.array([0.5, 1.5, 2.0])

_VIEWS = {"reshape", "broadcast", "transpose", "slice", "take"}


def _through_views(node: Node) -> tuple[Node, list[Node]]:
    """What lies under a chain of views, and the chain, outermost first."""
    chain: list[Node] = []
    while node.name in _VIEWS:
        chain.append(node)
        node = node.inputs[0]
    return node, chain


def _seen_through(node: Node, chain: Sequence[Node]) -> Node:
    for view in reversed(chain):
        node = make(view.op, node, *view.inputs[1:])
    return node


def _is_one_plus(node: Node) -> Node | None:
    """x for a node that is 1 + x or x + 1."""
    match node:
        case Node("add", (x, y)):
            return y if literal(x) == 1 else x if literal(y) == 1 else None
    return None


def _summed(node: Node) -> tuple[Node, Op] | None:
    """What a node sums, and the reduction, for a sum that has been spread back by views."""
    under, _ = _through_views(node)
    if isinstance(under.op, Reduce) and under.op.kind == "sum":
        return under.inputs[0], under.op
    return None


@law("log(exp(x)) -> x, also through views", EXTENDING, "log", lambda x: np.log(np.exp(x)[1:]), [V])
def _log_of_exp(node: Node) -> Node | None:
    under, chain = _through_views(node.inputs[0])
    return _seen_through(under.inputs[0], chain) if under.name == "exp" else None


@law("exp(log(x)) -> x", EXTENDING, "exp", lambda x: np.exp(np.log(x)), [P])
def _exp_of_log(node: Node) -> Node | None:
    match node.inputs[0]:
        case Node("log", (x,)):
            return x
    return None


@law("log(1 + exp(x)) -> softplus(x)", EXTENDING, "log", lambda x: np.log(1 + np.exp(x)), [V])
def _softplus(node: Node) -> Node | None:
    match _is_one_plus(node.inputs[0]):
        case Node("exp", (x,)):
            return k.softplus(x)
    return None


@law("log1p(exp(x)) -> softplus(x)", EXTENDING, "log1p", lambda x: np.log1p(np.exp(x)), [V])
def _softplus_of_log1p(node: Node) -> Node | None:
    match node.inputs[0]:
        case Node("exp", (x,)):
            return k.softplus(x)
    return None


@law("log(sigmoid(x)) -> -softplus(-x), also through views", EXTENDING, "log",
     lambda x: np.log(1 / (1 + np.exp(-x))), [V])  # fmt: skip
def _log_sigmoid(node: Node) -> Node | None:
    under, chain = _through_views(node.inputs[0])
    if under.name != "sigmoid":
        return None
    return _seen_through(-k.softplus(-under.inputs[0]), chain)


@law("log(sum(exp(x))) -> logsumexp(x)", EXTENDING, "log", lambda x: np.log(np.sum(np.exp(x))), [V])
def _logsumexp(node: Node) -> Node | None:
    under, chain = _through_views(node.inputs[0])
    found = _summed(under)
    if found is None or found[0].name != "exp":
        return None
    op = found[1]
    assert isinstance(op, Reduce)
    return _seen_through(make(Reduce("logsumexp", op.axes), found[0].inputs[0]), chain)


@law("log(exp(u)/sum(exp(v))) -> u - logsumexp(v), also through views", EXTENDING, "log",
     lambda x: np.log(np.exp(x)[1] / np.sum(np.exp(x))), [V])  # fmt: skip
def _log_of_share(node: Node) -> Node | None:
    """The logarithm of one probability, picked before the division."""
    match node.inputs[0]:
        case Node("divide", (top, bottom)):
            picked, top_chain = _through_views(top)
            found = _summed(bottom)
            if picked.name != "exp" or found is None or found[0].name != "exp":
                return None
            _, chain = _through_views(bottom)
            op = found[1]
            assert isinstance(op, Reduce)
            total = make(Reduce("logsumexp", op.axes), found[0].inputs[0])
            return _seen_through(picked.inputs[0], top_chain) - _seen_through(total, chain)
    return None


@law("exp(x)/sum(exp(x)) -> exp(x - logsumexp(x))", EXTENDING, "divide",
     lambda x: np.exp(x) / np.sum(np.exp(x)), [V])  # fmt: skip
def _softmax(node: Node) -> Node | None:
    top, bottom = node.inputs
    found = _summed(bottom)
    if top.name != "exp" or found is None or found[0] is not top:
        return None
    _, chain = _through_views(bottom)
    op = found[1]
    assert isinstance(op, Reduce)
    total = make(Reduce("logsumexp", op.axes), top.inputs[0])
    return k.exp(top.inputs[0] - _seen_through(total, chain))


@law("u - logsumexp(u), u = x - c: no gradient through the shift c", EXTENDING, "subtract",
     lambda x: (x - np.max(x)) - np.log(np.sum(np.exp(x - np.max(x)))), [V])  # fmt: skip
def _shift_of_log_softmax(node: Node) -> Node | None:
    """The shift cancels; its gradient, a sum of zeros, need not be computed."""
    u, spread = node.inputs
    total, chain = _through_views(spread)
    if not (isinstance(total.op, Reduce) and total.op.kind == "logsumexp" and total.inputs[0] is u):
        return None
    match u:
        case Node("subtract", (x, c)) if c.linked and _constant_along(c, total.op.axes):
            fixed = x - k.stop_gradient(c)
            return fixed - _seen_through(make(total.op, fixed), chain)
    return None


def _constant_along(node: Node, axes: Sequence[int]) -> bool:
    """Whether a node is the same all along some axes, by its form."""
    if node.name != "broadcast":
        return False
    inner = node.inputs[0].shape
    lead = node.ndim - len(inner)
    return all(a < lead or inner[a - lead] == 1 for a in axes)


@law("a/(1 + exp(x)) -> a*sigmoid(-x)", EXTENDING, "divide", lambda x: x / (1 + np.exp(x)), [V])
def _sigmoid(node: Node) -> Node | None:
    top, bottom = node.inputs
    match _is_one_plus(bottom):
        case Node("exp", (x,)) as e:
            if top is e:
                return k.sigmoid(x)
            return scaled(top, k.sigmoid(x.inputs[0] if x.name == "negative" else -x))
    return None


@law("exp(x)/(1 + exp(x))**2 -> sigmoid'(x)", EXTENDING, "divide",
     lambda x: np.exp(x) / (1 + np.exp(x)) ** 2, [V])  # fmt: skip
def _sigmoid_slope(node: Node) -> Node | None:
    match node.inputs:
        case (Node("exp", (x,)) as top, Node("square", (under,))) if _is_one_plus(under) is top:
            return k.sigmoid_slope(x.inputs[0] if x.name == "negative" else x)
    return None


@law("1 - sigmoid(x) -> sigmoid(-x)", EXTENDING, "subtract",
     lambda x: 1 - 1 / (1 + np.exp(-x)), [V])  # fmt: skip
def _one_minus_sigmoid(node: Node) -> Node | None:
    match node.inputs:
        case (one, Node("sigmoid", (x,))) if literal(one) == 1:
            return k.sigmoid(x.inputs[0] if x.name == "negative" else -x)
    return None


@law("sqrt(x**2) -> abs(x)", EXTENDING, "sqrt", lambda x: np.sqrt(x**2), [V])
def _root_of_square(node: Node) -> Node | None:
    match node.inputs[0]:
        case Node("square", (x,)):
            return k.abs(x)
        case Node("multiply", (x, y)) if x is y:
            return k.abs(x)
    return None


@law("sqrt(x)**2 -> x", EXTENDING, "square", lambda x: np.sqrt(x) ** 2, [P])
def _square_of_root(node: Node) -> Node | None:
    match node.inputs[0]:
        case Node("sqrt", (x,)):
            return x
    return None


@law("x**0.5 -> sqrt(x)", REAL_EQUAL, "power", lambda x: x**0.5, [P])
def _half_power(node: Node) -> Node | None:
    return k.sqrt(node.inputs[0]) if literal(node.inputs[1]) == 0.5 else None


@law("x*sqrt(x) -> x**1.5", EXTENDING, "multiply", lambda x: x * np.sqrt(x), [P])
def _times_root(node: Node) -> Node | None:
    match node.inputs:
        case (x, Node("sqrt", (y,))) | (Node("sqrt", (y,)), x) if x is y:
            return k.power(x, 1.5)
    return None


@law("sqrt(sum of squares) -> a norm, with gradient 0 at 0", EXTENDING, "sqrt",
     lambda x: np.sqrt(np.sum(x**2)), [V])  # fmt: skip
def _norm(node: Node) -> Node | None:
    s = node.inputs[0]
    if not _sum_of_squares(s):
        return None
    zero = k.equal(s, 0)
    return k.where(zero, 0, k.sqrt(k.where(zero, 1, s)))


def _sum_of_squares(node: Node) -> bool:
    """Whether a node is a sum of squares by its form; at zero all of them are zero."""
    match node:
        case Node("square"):
            return True
        case Node("multiply" | "contract", (x, y)):
            return x is y and node.shape == (x.shape if node.name == "multiply" else ())
        case Node("add", (x, y)):
            return _sum_of_squares(x) and _sum_of_squares(y)
        case Node("divide", (x, c)):  # a mean of squares
            return (literal(c) or -1) > 0 and _sum_of_squares(x)
        case Node("reduce", (x,)):
            return isinstance(node.op, Reduce) and node.op.kind == "sum" and _sum_of_squares(x)
        case Node("reshape" | "broadcast" | "slice" | "transpose", (x,)):
            return _sum_of_squares(x)
    return False
