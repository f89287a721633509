"""Composite nodes in terms of simpler ones, before anything is planned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glassgrad.engines.native.by_factors import COMPOSITE, by_factors
from glassgrad.engines.native.extents import NONE, Extents
from glassgrad.engines.native.labels import in_order, is_outer, label_groups, sizes
from glassgrad.engines.native.later import postponed
from glassgrad.engines.native.long_sums import in_levels
from glassgrad.engines.native.sparse_rows import by_rows
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import Broadcast, Reshape, broadcast_to, full_like
from glassgrad.graph.function import Function
from glassgrad.graph.node import Item, Node, Trace, constant, make, new_input
from glassgrad.graph.traverse import consumers, rebuild, topological_order
from glassgrad.ops.contract import Contract
from glassgrad.ops.loop import Call, Custom, scan
from glassgrad.ops.prefix import Prefix
from glassgrad.ops.reduce import Reduce, reduce
from glassgrad.ops.view import Transpose, slice_, transpose
from glassgrad.rewrite.pipeline import finish


class _Parts(NamedTuple):
    """A logsumexp written out: its result, exp(x - shift), and the sum of that."""

    result: Node
    powers: Node
    total: Node


def expanded(outputs: Sequence[Node], extents: Extents = NONE) -> list[Node]:
    """The outputs with composite nodes written out.

    logsumexp is max, exp, sum and log; the softmax that is its derivative takes its exp from there;
    a product whose result interleaves its axes is an ordered one, transposed; partial sums are a
    loop; determinants and pseudo-inverses come of factorisations; long reductions are cut into
    parts; of row-sparse gradients only the rows are computed.
    """
    outputs = by_rows(inlined(outputs), extents)
    order = topological_order(outputs)
    if any(_is_composite(n) or _is_turned(n) for n in order):
        expander = _Expander(order, outputs)
        new = rebuild(outputs, {}, expander.change, rule="lowering")
        outputs = [new[y] for y in outputs]
    return in_levels(_rows_first(outputs, extents), extents)


def _rows_first(outputs: Sequence[Node], extents: Extents) -> list[Node]:
    """The outputs, in which what varies in the result of a product are its rows."""
    if not extents.primes:
        return list(outputs)

    def change(old: Node, node: Node) -> Node:
        op = node.op
        if not isinstance(op, Contract) or is_outer(op):
            return node
        batch, rows, columns, _ = label_groups(op)
        if op.out == (*batch, *columns, *rows):
            rows, columns = columns, rows
        size = sizes(node)
        if not extents.varies(*(size[i] for i in columns)) or op.out != (*batch, *rows, *columns):
            return node
        turned = (*batch, *columns, *rows)
        made = make(Contract(op.lhs, op.rhs, turned), *node.inputs)
        return transpose(made, [turned.index(i) for i in op.out])

    new = rebuild(outputs, {}, change, rule="lowering")
    return [new[y] for y in outputs]


def inlined(outputs: Sequence[Node]) -> list[Node]:
    """The outputs with calls replaced by what they compute; the rules of calculus are used up.

    What a call computes again is then one node with what was computed before, unless it is to wait
    for a cotangent: then it is kept apart.
    """
    found = list(outputs)
    while any(isinstance(n.op, Call | Custom) for n in topological_order(found)):
        results: dict[Node, list[Node]] = {}

        def change(old: Node, new: Node, results: dict[Node, list[Node]] = results) -> Node:
            if not isinstance(new.op, Item) or not isinstance(new.inputs[0].op, Call | Custom):
                return new
            owner = new.inputs[0]
            op = owner.op
            assert isinstance(op, Call | Custom)
            if owner not in results:
                late = op.late if isinstance(op, Call) else 0
                results[owner] = op.body.inline(postponed(owner.inputs, late))
            return results[owner][new.op.index]

        made = rebuild(found, {}, change, rule="inlined")
        found = finish([made[y] for y in found])
    return found


def _is_composite(node: Node) -> bool:
    op = node.op
    if isinstance(op, Contract):
        return not is_outer(op) and in_order(node) != op.out
    return isinstance(op, (Prefix, *COMPOSITE)) or (
        isinstance(op, Reduce) and op.kind == "logsumexp"
    )


def _is_turned(node: Node) -> bool:
    """Whether a node is a contraction's result with its axes in another order."""
    return isinstance(node.op, Transpose) and isinstance(node.inputs[0].op, Contract)


def _running(op: Prefix, x: Node) -> Node:
    """Partial sums as a loop over rows that carries their sum: in the order of the axis."""
    if x.size == 0:
        return x
    order = (op.axis, *(i for i in range(x.ndim) if i != op.axis))
    rows = _turned(transpose(x, order), op.backward)
    trace = Trace()
    total, row = (new_input(trace, name, rows.shape[1:], x.dtype) for name in ("total", "row"))
    added = total + row
    body = Function([total, row], [added, added])
    zeros = broadcast_to(constant(x.trace, np.zeros((), x.dtype)), rows.shape[1:])
    _, sums = scan(body, 1, 1, rows.shape[0], [zeros, rows])
    return transpose(_turned(sums, op.backward), [order.index(i) for i in range(x.ndim)])


def _turned(x: Node, backward: bool) -> Node:
    """The rows from the last to the first, or as they are."""
    if not backward:
        return x
    starts = (x.shape[0] - 1, *[0] * (x.ndim - 1))
    return slice_(x, starts, (-1, *[1] * (x.ndim - 1)), x.shape)


def _is_shifted(x: Node, axes: tuple[int, ...]) -> bool:
    """Whether x is y less the largest of y along axes: its own largest is then 0 or no number."""
    if x.name != "subtract":
        return False
    y, top = x.inputs
    kept = tuple(1 if i in axes else n for i, n in enumerate(y.shape))
    while isinstance(top.op, Broadcast | Reshape) or top.name == "stop_gradient":
        inner = top.inputs[0]
        shape = inner.shape if isinstance(top.op, Broadcast) else top.shape
        if top.name != "stop_gradient" and shape != kept and inner.size > 1:
            return False
        top = inner
    op = top.op
    largest = isinstance(op, Reduce) and (op.kind, op.axes) == ("max", axes)
    return largest and top.inputs[0] is y


class _Expander:
    def __init__(self, order: Sequence[Node], outputs: Sequence[Node]) -> None:
        self.users = {n: users for n, users in consumers(order).items() if n not in set(outputs)}
        self.parts: dict[Node, _Parts] = {}  # of each logsumexp of the old graph

    def change(self, old: Node, node: Node) -> Node:
        """A composite node in terms of simpler ones; any other as it is."""
        if old.name != "exp" and not _is_turned(old) and not _is_composite(node):
            return node
        with node.trace.making("rewrite", old, "lowering"):
            return self._simpler(old, node)

    def _simpler(self, old: Node, node: Node) -> Node:
        op = node.op
        if old.name == "exp":
            return self._softmax(old) or node
        if _is_turned(old) and self.users.get(old.inputs[0]) == [old]:
            return self._turned(node) or node
        if not _is_composite(node):
            return node
        if isinstance(op, Contract):
            order = in_order(node)
            ordered = make(Contract(op.lhs, op.rhs, order), *node.inputs)
            return transpose(ordered, [order.index(i) for i in op.out])
        if isinstance(op, Prefix):
            return _running(op, node.inputs[0])
        if isinstance(op, COMPOSITE):
            return by_factors(node)
        assert isinstance(op, Reduce)
        return self._logsumexp(old, op, node.inputs[0])

    def _turned(self, node: Node) -> Node | None:
        """A contraction whose result is only used in another order, computed in that."""
        op, x = node.op, node.inputs[0]
        assert isinstance(op, Transpose)
        perm = op.perm
        if isinstance(x.op, Transpose):  # it was composite
            perm, x = tuple(x.op.perm[i] for i in perm), x.inputs[0]
        if not isinstance(x.op, Contract):
            return None
        out = tuple(x.op.out[i] for i in perm)
        made = make(Contract(x.op.lhs, x.op.rhs, out), *x.inputs)
        return made if not is_outer(x.op) and in_order(made) == out else None

    def _logsumexp(self, old: Node, op: Reduce, x: Node) -> Node:
        if x.size == 0:
            return full_like(make(Reduce("sum", op.axes), x), float("-inf"))
        if _is_shifted(x, op.axes):
            powers = k.exp(x)
            total = reduce(powers, "sum", op.axes)
            result = k.log(total)
        else:
            top = reduce(x, "max", op.axes)
            shift = k.where(k.isfinite(top), top, 0)
            powers = k.exp(x - op.spread(shift, x))
            total = reduce(powers, "sum", op.axes)
            result = k.log(total) + shift
        self.parts[old] = _Parts(result, powers, total)
        return result

    def _softmax(self, old: Node) -> Node | None:
        """exp(x - y), y the logsumexp of x where finite and else 0, as powers/total.

        Where y is not finite neither is the largest x, so the shift is 0 and the powers are exp(x).
        """
        found = _softmax_source(old)
        if found is None or found not in self.parts:
            return None
        op = found.op
        assert isinstance(op, Reduce)
        result, powers, total = self.parts[found]
        scale = k.where(k.isfinite(result), 1 / total, 1)
        return powers * op.spread(scale, powers)


def _softmax_source(node: Node) -> Node | None:
    """The logsumexp whose derivative a node is, if it is one."""
    (difference,) = node.inputs
    if difference.name != "subtract" or difference.inputs[1].name != "where":
        return None
    x, guarded = difference.inputs
    finite, spread, otherwise = guarded.inputs
    if finite.name != "isfinite" or finite.inputs[0] is not spread or not _is_zero(otherwise):
        return None
    source = spread
    while isinstance(source.op, Broadcast | Reshape):
        source = source.inputs[0]
    op = source.op
    if not isinstance(op, Reduce) or op.kind != "logsumexp" or source.inputs[0] is not x:
        return None
    return source if op.spread(source, x) is spread else None


def _is_zero(node: Node) -> bool:
    while isinstance(node.op, Broadcast):
        node = node.inputs[0]
    value = getattr(node.op, "value", None)
    return value is not None and not value.any()
