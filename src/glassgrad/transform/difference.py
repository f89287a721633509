"""Derivatives by differences: the step from the measured noise, and never across a kink.

A fixed step is wrong: in float64 e^{sin x²} at 1 is best at 1e-6, in float32 at 1e-3. So the values
are taken along a line at shrinking steps, extrapolated to step zero (Ridders 1982), and the noise
of the function is measured from its sixth difference (Moré and Wild 2011).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from glassgrad.diff.unroll import unrolled
from glassgrad.engines.reference import evaluate, interpret
from glassgrad.graph.errors import GlassgradError
from glassgrad.graph.node import NDArray, Node
from glassgrad.graph.provenance import Site
from glassgrad.graph.traverse import descendants, topological_order
from glassgrad.ops.reduce import CHOOSING, Reduce
from glassgrad.ops.sort import Sort

FIRST, SHRINK, ROWS = 0.1, 1.6, 12  # steps relative to the size of the operands
LEAST = 1e-9  # a kink nearer than this cannot be told from one at the point


class Side(NamedTuple):
    """On which side of its kinks an op lies, and where it matters."""

    at: NDArray
    matters: Any = np.True_


Signature = list[Side]


class KinkError(GlassgradError, ValueError):
    """A derivative was to be measured where the function has none."""


class Measured(NamedTuple):
    """A derivative by differences, and how far it may be off."""

    value: float
    error: float
    noise: float


class Line:
    """Outputs of a graph, projected to one number, along a line through its inputs' values."""

    def __init__(
        self,
        outputs: Sequence[Node],
        weights: Sequence[NDArray],
        values: Mapping[Node, Any],
        along: Mapping[Node, NDArray],
    ) -> None:
        asked: list[Node] = []
        self.outputs, self.weights = unrolled(outputs, values, evaluate, asked), weights
        self.values, self.along = values, along
        order = topological_order([*self.outputs, *asked], values)
        moving = descendants(order, along)
        self.constants = dict(values)
        for _ in interpret([n for n in order if n not in moving], self.constants):
            pass
        self.order = [n for n in order if n in moving]
        asked = [n for n in asked if n in moving]
        self.bends = [*asked, *(n for n in self.order if _bends(n))]
        self.asked = len(asked)

    def at(self, h: float) -> tuple[float, Signature]:
        """The projected value at step h, and on which side of each kink it lies."""
        known = dict(self.constants)
        for x, t in self.along.items():
            known[x] = self.values[x] + h * t
        for _ in interpret(self.order, known):
            pass
        total = np.longdouble(0)
        for y, w in zip(self.outputs, self.weights):
            total += np.sum((w * known[y]).astype(np.longdouble))
        sides = [Side(known[n], np.True_) for n in self.bends[: self.asked]]
        for n in self.bends[self.asked :]:
            sides.append(_side(n, [known[x] for x in n.inputs], known[n]))
        return float(total), sides

    def derivative(self) -> Measured:
        """The derivative at 0; a `KinkError` where the point lies on a kink."""
        here, sides = self.at(0.0)
        if not np.isfinite(here):
            raise KinkError("the function is not finite at this point: nothing to compare with")
        reach = self._reach(sides)
        noise = self._noise(reach)
        value, error, step = _extrapolated(lambda h: self.at(h)[0], reach)
        return Measured(value, error + 4 * noise / step, noise)

    def _reach(self, sides: Signature) -> float:
        """The largest step at which the function is smooth on both sides."""
        h, crossed = FIRST, -1
        while h > LEAST:
            pair = [self.at(s * h) for s in (1, -1)]
            crossed = next((_first_change(sides, found) for _, found in pair
                            if _first_change(sides, found) >= 0), -1)  # fmt: skip
            if crossed < 0 and all(np.isfinite(y) for y, _ in pair):
                return h
            h /= 4
        if crossed < 0:
            raise KinkError("the function is not finite on both sides of this point")
        raise KinkError(_on_a_kink(self.bends[crossed]))

    def _noise(self, reach: float) -> float:
        d = np.array([self.at(k * reach * 1e-4)[0] for k in range(-3, 4)])
        floor = float(np.finfo(np.float64).eps * np.abs(d).max())
        return max(abs(float(np.diff(d, 6)[0])) / 924**0.5, floor)


def _extrapolated(f: Callable[[float], float], reach: float) -> tuple[float, float, float]:
    """Central differences at shrinking steps, extrapolated: the value, its error, its step."""
    best, h = (0.0, np.inf, reach), reach
    above: list[float] = []
    for _ in range(ROWS):
        row = [(f(h) - f(-h)) / (2 * h)]
        factor = 1.0
        for j, upper in enumerate(above):
            factor *= SHRINK**2
            row.append((row[j] * factor - upper) / (factor - 1))
            error = max(abs(row[j + 1] - row[j]), abs(row[j + 1] - upper))
            if error < best[1]:
                best = (row[j + 1], error, h)
        if above and abs(row[-1] - above[-1]) > 4 * best[1]:
            break
        above, h = row, h / SHRINK
    return best


# -- kinks ------------------------------------------------------------------------------------

_COMPARING = ("maximum", "minimum")
_AT_ZERO = ("relu", "abs", "sign")
_STEPS = ("floor", "ceil", "trunc", "rint", "floor_divide", "remainder", "fmod")


def _bends(node: Node) -> bool:
    """Whether the op of a node has kinks: as an op of reals, or where an answer becomes a number.

    A comparison by itself bends nothing: a choice does between two that differ, and a cast.
    """
    if not node.inputs:
        return False
    if node.inputs[0].dtype == np.bool_ and node.name in ("where", "cast"):
        return True
    if node.inputs[0].dtype.kind != "f":
        return False
    chooses = isinstance(node.op, Reduce) and node.op.kind in CHOOSING
    known = (*_COMPARING, *_AT_ZERO, *_STEPS, "clip")
    return chooses or isinstance(node.op, Sort) or node.name in known


def _side(node: Node, xs: Sequence[NDArray], y: Any) -> Side:
    """On which side of its kinks each element lies."""
    if node.name == "where":
        return Side(xs[0], ~((xs[1] == xs[2]) | (np.isnan(xs[1]) & np.isnan(xs[2]))))
    return Side(_place(node, xs, y))


def _place(node: Node, xs: Sequence[NDArray], y: Any) -> NDArray:
    if node.name == "cast":
        return xs[0]
    if node.name in _AT_ZERO:
        return np.sign(xs[0])
    if node.name in _COMPARING:
        return np.sign(xs[0] - xs[1])
    if node.name == "clip":
        return np.stack([np.sign(xs[0] - xs[1]), np.sign(xs[0] - xs[2])])
    if node.name in _STEPS:
        step = y if len(xs) == 1 else np.floor_divide(*xs)
        jumps = np.zeros(step.shape) if node.name == "rint" else xs[0] == step
        return np.stack([step, jumps])
    if isinstance(node.op, Reduce):
        return xs[0] == np.expand_dims(y, node.op.axes)
    assert isinstance(node.op, Sort)
    values, places = y
    ties = np.diff(values, axis=node.op.axis) == 0
    return np.concatenate([ties, places], axis=node.op.axis)


def _first_change(before: Signature, after: Signature) -> int:
    """The first node whose side changed, -1 for none."""
    for i, (a, b) in enumerate(zip(before, after)):
        changed = ~((a.at == b.at) | ((a.at != a.at) & (b.at != b.at)))
        if np.any(changed & b.matters):
            return i
    return -1


def _on_a_kink(node: Node) -> str:
    words = getattr(node.op, "kinks", "") or "values are tied or at a jump"
    return (
        f"the point lies on a kink of {node.op!r} ({words}), where no derivative exists to compare "
        f"with: check at another point{site_of(node)}"
    )


def site_of(node: Node) -> str:
    """The user's line of a node, as the tail of a message."""
    sites: list[Site] = node.trace.sites(node)
    return f"\n  at {sites[0]}" if sites else ""
