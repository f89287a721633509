"""What a step is likely to take, in nanoseconds of one thread.

The estimates decide nothing but how a step is run: whether other threads may run meanwhile, whether
several share its work, how often a signal is looked for. They are right within a factor of three or
so on the machines of the day, and a result never depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log2, prod
from typing import Any
from weakref import WeakKeyDictionary

from glassgrad.engines.native.course import Branch
from glassgrad.engines.native.expression import Apply, Gather, Load, walk
from glassgrad.engines.native.outside import Question, Routine
from glassgrad.engines.native.renewal_step import Renewal
from glassgrad.engines.native.roots import is_costly
from glassgrad.engines.native.row_step import Rows
from glassgrad.engines.native.row_sums import RowSums
from glassgrad.engines.native.step import (
    Arrange,
    Draw,
    Loop,
    Multiply,
    Number,
    Reduction,
    Repeat,
    Scatter,
    Spin,
    Step,
)
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.loop import While

LONG = 10_000.0  # a program from here on lets other threads run
SHARED = 100_000.0  # a step from here on is cut into parts, which several threads may take
PART, MOST_PARTS = 25_000.0, 256
_STEP = 5.0  # calling the function of a step
_UNKNOWN = 1e6  # a step that is not in the table
_MOVED, _CHEAP, _COSTLY, _GATHERED = 0.1, 0.04, 0.5, 1.5  # of one float32 element
_CALLED, _FLOP = 500.0, 0.2  # one call of LAPACK, one operation in it
_ROW = 20.0  # of a row of a large table
_WORD = 0.7  # of one random word
_PRODUCT = {"float32": 0.02, "float64": 0.04}  # of one multiply and add


def of_step(step: Step) -> float:
    """The estimate for one step, made once it is planned, and kept."""
    if (known := _known.get(step)) is None:
        rule = _RULES.get(type(step))
        known = _known[step] = _STEP + (_UNKNOWN if rule is None else rule(step))
    return known


_known: WeakKeyDictionary[Step, float] = WeakKeyDictionary()


def of_steps(steps: Sequence[Step]) -> float:
    """The estimate for steps one after the other."""
    return sum(map(of_step, steps))


def parts(step: Step) -> int:
    """In how many parts a step should be cut; 1 where it is done in one go."""
    if type(step) not in (Loop, Reduction, Rows, Multiply, Renewal, Draw):
        return 1
    whole = of_step(step)
    return 1 if whole < SHARED else min(MOST_PARTS, int(whole / PART))


def per_point(step: Loop | Reduction | Multiply | Draw | Renewal) -> tuple[float, int]:
    """The nanoseconds of one point, multiplication, random word or row, and how many there are."""
    if isinstance(step, Draw):
        return _WORD, prod(step.draws)
    if isinstance(step, Renewal):
        return _row(step), step.space[0]
    if isinstance(step, Multiply):
        each = _PRODUCT.get(str(step.seed.dtype), 0.2)
        return each, prod(step.batch) * step.m * step.n * step.k
    return _points(step, 1), prod(step.space if isinstance(step, Reduction) else step.shape)


def _points(step: Step, count: int) -> float:
    """The expressions of a step at so many points."""
    each = _MOVED * len(step.stores)
    for x in walk(step.roots()):
        wide = max(x.dtype.itemsize, 4) / 4
        if isinstance(x, Gather):
            each += _GATHERED
        elif isinstance(x, Load):
            each += _MOVED * wide
        elif isinstance(x, Apply):
            each += wide * (_COSTLY if is_costly(x.op) else _CHEAP)
    return count * each


def _loop(step: Loop) -> float:
    return _points(step, prod(step.shape))


def _reduction(step: Reduction | RowSums) -> float:
    return _points(step, prod(step.space))


def _multiply(step: Multiply) -> float:
    each = prod(step.batch)
    product = _PRODUCT.get(str(step.seed.dtype), 0.2) * step.m * step.n * step.k
    return each * product + _points(step, each * step.m * step.n)


def _scatter(step: Scatter) -> float:
    return _points(step, prod(step.space))


def _renewal(step: Renewal) -> float:
    return step.space[0] * _row(step)


def _row(step: Renewal) -> float:
    each = _MOVED * len(step.values)
    for x in walk(step.values):
        each += _MOVED if isinstance(x, Load | Gather) else _CHEAP
    return _ROW * len(step.values) + prod(step.space[1:]) * each


def _number(step: Number) -> float:
    return 3.0 * prod(step.shape)


def _draw(step: Draw) -> float:
    return _WORD * prod(step.draws)


def _arrange(step: Arrange) -> float:
    count = prod(step.shape)
    return 2.0 * count * log2(max(2, count))


def _repeat(step: Repeat) -> float:
    return step.length * (of_steps(step.body) + 4 * _STEP)


def _rows(step: Rows) -> float:
    return sum(t.count * of_steps(t.steps) for t in step.turns)


def _spin(step: Spin) -> float:
    nodes = [n for n in topological_order(step.outputs) if n.inputs]
    inside = _UNKNOWN if any(isinstance(n.op, While) for n in nodes) else 0.0
    return inside + step.length * (1.0 + 0.5 * sum(n.size for n in nodes if n.outputs is None))


def _branch(step: Branch) -> float:
    return max(of_steps(step.yes), of_steps(step.no))


def _routine(step: Routine | Question) -> float:
    node = step.nodes[0]
    return _CALLED * prod(node.inputs[0].shape[:-2]) + _FLOP * node.op.flops(node)


_RULES: dict[type[Step], Callable[[Any], float]] = {
    Loop: _loop,
    Reduction: _reduction,
    RowSums: _reduction,
    Multiply: _multiply,
    Scatter: _scatter,
    Number: _number,
    Renewal: _renewal,
    Draw: _draw,
    Arrange: _arrange,
    Repeat: _repeat,
    Rows: _rows,
    Spin: _spin,
    Branch: _branch,
    Routine: _routine,
    Question: lambda step: LONG + _routine(step),
}
