"""Where ops are probed: points inside their sample intervals, and a grid of edges."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from mpmath import mpf

from glassgrad.graph.dtype import BOOL, FLOAT64
from glassgrad.graph.family import Elementwise
from glassgrad.graph.node import Trace, new_input

EDGES = (0.0, -0.0, 5e-324, -1e-300, 1e-12, -1e-5, 0.5, 1.0, -1.0, 2.0, -3.0, 20.0, -37.5, 40.0,
    -40.0,
         1000.0, -1000.0, 1e8, -1e18, 1e300, np.inf, -np.inf, np.nan)  # fmt: skip
FEW_EDGES = (0.0, -0.0, 1e-12, 0.5, 1.0, -1.0, 2.0, -3.0, 40.0, 1e8, np.inf, -np.inf, np.nan)
FEWEST_EDGES = (0.0, 1.0, -1.0, 1.5, -3.0, 1e8, -np.inf, np.nan)
ONE_ZERO = ("arctan2",)  # jumps between the two zeros, which are one in mathematics
SAMPLES = {1: 48, 2: 32, 3: 24}


def boolean_operands(op: Elementwise) -> list[bool]:
    """Which operands are questions."""
    x = new_input(Trace(), "x", (), FLOAT64)
    return [node.dtype == BOOL for node in op.operands(*[x] * op.arity)]


def samples(op: Elementwise) -> list[np.ndarray]:
    """Random points inside the op's sample intervals, always the same: one array an operand."""
    rng = np.random.default_rng([ord(c) for c in op.name])
    found = [rng.uniform(low, high, SAMPLES[op.arity]) for low, high in op.samples]
    return [x > 0.5 if q else x for x, q in zip(found, boolean_operands(op))]


def edges(op: Elementwise) -> list[np.ndarray]:
    """Zeros of both signs, tiny, huge, infinite and equal operands, NaN: one array an operand."""
    grid = {1: EDGES, 2: FEW_EDGES, 3: FEWEST_EDGES}[op.arity]
    if op.name in ONE_ZERO:
        grid = tuple(x for x in grid if x or not np.signbit(x))
    axes = [(True, False) if q else grid for q in boolean_operands(op)]
    rows = list(product(*axes))
    return [np.array(column) for column in zip(*rows)]


def exact(x: Any) -> Any:
    """A float as the mpmath number that it is."""
    return bool(x) if isinstance(x, bool | np.bool_) else mpf(float(x))


def rows(columns: list[np.ndarray]) -> list[tuple[Any, ...]]:
    """The points one by one, as mpmath numbers."""
    return [tuple(exact(x) for x in row) for row in zip(*columns)]
