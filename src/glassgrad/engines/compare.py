"""Both engines on one computation, node by node: the first one that differs beyond its bound.

The native engine gives the value of every node; each is then compared with what the reference
engine makes of the *native* operands, so that no error of an earlier node counts again. At last
the program as it is run, fused, is compared with those values.

Bounds: exact for integers, booleans, comparisons, choices and everything that only moves elements;
4 ULP from the true value, or as far as NumPy is from it and 4 more, for elementwise functions (the
true value is the same formula in the next wider dtype); for sums and products of matrices the
forward error of any order of addition; half of the digits for loops, branches and linear algebra.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from glassgrad.engines import matrices, reference
from glassgrad.engines.integer_division import noted
from glassgrad.graph.family import Cast, Elementwise
from glassgrad.graph.node import Const, Input, Item, NDArray, Node, at_site
from glassgrad.graph.numpy_algebra import NUMPY
from glassgrad.graph.op import Op
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.contract import Contract
from glassgrad.ops.gather import ScatterAdd
from glassgrad.ops.loop import Call, Cond, Custom, Scan, While
from glassgrad.ops.prefix import Prefix
from glassgrad.ops.reduce import Reduce
from glassgrad.rewrite.pipeline import finish

ULPS = 4.0
_WIDER = {np.dtype(np.float32): np.float64, np.dtype(np.float64): np.longdouble}
_HOLDING = (Scan, While, Cond, Call, Custom)
Values = Mapping[Node, Any]


class Difference(NamedTuple):
    """A node on which the engines differ: where in its value, by how much, and what is allowed."""

    node: Node
    place: tuple[int, ...]
    native: Any
    reference: Any
    allowed: float

    @property
    def ulps(self) -> float:
        """The distance in units of the last place; infinite where one of them is not a number."""
        if self.node.dtype.kind != "f":
            return float(abs(int(self.native) - int(self.reference)))
        gap = abs(np.longdouble(self.native) - np.longdouble(self.reference))
        found = float(gap / np.spacing(np.abs(self.reference)))
        return found if np.isfinite(found) else float("inf")

    def __str__(self) -> str:
        node, at = self.node, f" at {list(self.place)}" if self.place else ""
        return (
            f"the engines differ first at {node.op!r}, {node.dtype}{list(node.shape)}: "
            f"native gives {self.native!s}{at}, reference {self.reference!s}: {self.ulps:.4g} ULP "
            f"apart, where {self.allowed:.4g} are allowed{at_site(node)}"
        )


def first_difference(
    outputs: Sequence[Node], inputs: Sequence[Node], arrays: Sequence[Any]
) -> Difference | None:
    """The first node under the outputs on which the engines differ for these inputs, if any."""
    from glassgrad.engines.native.cache import ObjectCache
    from glassgrad.engines.native.program import NativeProgram

    fresh = ObjectCache(None)  # what is checked is made now

    def run(nodes: Sequence[Node]) -> list[NDArray]:
        program = NativeProgram(finish(nodes), inputs, cache=fresh)
        with noted():  # what goes wrong in a division is told by the program itself
            return program([np.array(a) for a in arrays])

    order = [n for n in topological_order(outputs) if n.outputs is None]
    nodes = [n for n in order if not isinstance(n.op, Input)]
    values: dict[Node, Any] = dict(zip(inputs, map(np.asarray, arrays)))
    values |= dict(zip(nodes, run(nodes)))
    for node in nodes:
        if (found := compared(node, values)) is not None:
            return found
    for node, fused in zip(outputs, run(outputs)):
        if _apart(node, fused, values[node], _half(values[node])) is not None:
            return _walk(node, values, lambda n: run([n])[0])
    return None


def _operands(node: Node) -> tuple[Node, ...]:
    """What a node is computed from; of one result of several, what its owner is."""
    return node.inputs[0].inputs if isinstance(node.op, Item) else node.inputs


def compared(node: Node, values: Values) -> Difference | None:
    """The difference at one node, given its value and those of its operands."""
    if isinstance(node.op, Const):
        return None
    given = {x: values[x] for x in _operands(node)}
    with noted():
        (want,) = map(np.asarray, reference.evaluate([node], given))
    return _apart(node, values[node], want, _allowed(node, given, want))


def _apart(node: Node, got: NDArray, want: NDArray, allowed: Any) -> Difference | None:
    with np.errstate(all="ignore"):
        same = (got == want) | ((got != got) & (want != want))
        if node.dtype.kind == "f":
            same |= np.abs(got.astype(np.longdouble) - want) <= allowed
        else:
            same |= np.asarray(allowed) == np.inf
    if np.all(same):
        return None
    place = tuple(int(i) for i in np.argwhere(~same)[0])
    bound = float(np.broadcast_to(allowed, got.shape)[place])
    unit = float(np.spacing(np.abs(want[place]))) if node.dtype.kind == "f" else 1.0
    return Difference(node, place, got[place], want[place], bound / unit)


def _walk(node: Node, values: Values, alone: Callable[[Node], NDArray]) -> Difference:
    """From an output that is wrong when fused, down to a node whose operands are right."""

    def wrong(n: Node) -> Difference | None:
        if isinstance(n.op, Input | Const):
            return None
        return _apart(n, alone(n), values[n], _half(values[n]))

    found, at = wrong(node), node
    while (below := next(filter(None, map(wrong, _operands(at))), None)) is not None:
        found, at = below, below.node
    if found is None:  # it is wrong beside the other outputs only
        return Difference(node, (), np.nan, np.nan, 0.0)
    return found


# -- bounds -------------------------------------------------------------------------------------


def _allowed(node: Node, given: Values, want: NDArray) -> Any:
    """How far from the reference engine's value each element may be."""
    op = node.inputs[0].op if isinstance(node.op, Item) else node.op
    rule = _BOUNDS.get(type(op))
    if isinstance(op, Cast) and node.dtype.kind in "iu":
        return _cast_bound(node, *given.values())
    if rule is None or node.dtype.kind != "f":
        return 0.0
    with np.errstate(all="ignore"):
        return rule(node, want, *(given[x] for x in _operands(node)))


def _elementwise_bound(node: Node, want: NDArray, *xs: NDArray) -> Any:
    """4 ULP and twice what NumPy is from the truth: it may be on the other side of it."""
    wide = _WIDER[node.dtype]
    truth = getattr(NUMPY, node.name)(*(x.astype(wide) if x.dtype.kind == "f" else x for x in xs))
    error = np.abs(want - truth)
    return ULPS * np.spacing(np.abs(want)) + 2 * np.where(np.isfinite(error), error, 0)


def _cast_bound(node: Node, x: NDArray) -> Any:
    """What does not fit an integer has no meaning in NumPy."""
    if x.dtype.kind != "f":
        return 0.0
    info = np.iinfo(node.dtype)
    fits = (x > float(info.min) - 1) & (x < float(info.max) + 1)
    return np.where(fits, 0.0, np.inf)


def _sum_bound(node: Node, count: int, total: NDArray) -> Any:
    return 4 * max(1, count) * np.finfo(node.dtype).eps * np.asarray(total, np.float64)


def _reduce_bound(node: Node, want: NDArray, x: NDArray) -> Any:
    op = node.op
    assert isinstance(op, Reduce)
    count = prod(x.shape[a] for a in op.axes)
    if op.kind == "sum":
        return _sum_bound(node, count, np.abs(x).sum(axis=op.axes, dtype=np.float64))
    if op.kind == "logsumexp":
        return np.finfo(node.dtype).eps * (8 * np.abs(want) + 4 * count)
    return 0.0


def _contract_bound(node: Node, want: NDArray, x: NDArray, y: NDArray) -> Any:
    op = node.op
    assert isinstance(op, Contract)
    size = dict(zip(op.lhs, x.shape))
    count = prod(size[i] for i in op.lhs if i not in op.out)
    magnitude = np.abs(x).astype(np.float64), np.abs(y).astype(np.float64)
    return _sum_bound(node, count, reference.compute(node, magnitude))


def _prefix_bound(node: Node, want: NDArray, x: NDArray) -> Any:
    return _sum_bound(node, x.size, reference.compute(node, [np.abs(x)]))


def _scatter_bound(node: Node, want: NDArray, base: NDArray, v: NDArray, *at: NDArray) -> Any:
    return _sum_bound(node, v.size + 1, reference.compute(node, [np.abs(base), np.abs(v), *at]))


def _half(want: NDArray) -> float:
    """Half of the digits of the largest number."""
    if want.dtype.kind != "f":
        return 0.0
    finite = np.abs(want[np.isfinite(want)])
    return float(np.sqrt(np.finfo(want.dtype).eps) * finite.max(initial=0))


_BOUNDS: dict[type[Op], Callable[..., Any]] = {
    Elementwise: _elementwise_bound,
    Reduce: _reduce_bound,
    Contract: _contract_bound,
    Prefix: _prefix_bound,
    ScatterAdd: _scatter_bound,
    **dict.fromkeys((*_HOLDING, *matrices.RUN), lambda node, want, *xs: _half(want)),
}
