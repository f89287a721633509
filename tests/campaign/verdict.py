"""Whether an engine's results are those of the graph, up to rounding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from campaign.graph import RandomGraph
from campaign.noise import perturbed

SAMPLES = (2, 6, 60)
"""Runs with noise; the more only where the fewer, which allow less, did not settle it."""
MARGIN = 4.0
"""Results may be off by so many times the largest difference that noise made."""


@dataclass(frozen=True)
class Mismatch:
    """The first element that differs."""

    output: int
    index: tuple[int, ...]
    found: Any
    wanted: Any
    allowed: float

    def __str__(self) -> str:
        return (
            f"output {self.output} at {list(self.index)}: {self.found!r} instead of "
            f"{self.wanted!r}, {self.allowed:.3g} allowed"
        )


def mismatch(
    graph: RandomGraph, found: Sequence[Any], seed: int = 0, loose: float = 0.0
) -> Mismatch | None:
    """The first element of `found` that no correct engine gives; None where all are right.

    `loose` is an error that is allowed besides, relative to each number and, times a millionth, to
    the largest of the graph: of numbers that cancel the peers lose digits.
    """
    wanted = [graph.values[y] for y in graph.outputs]
    if all(np.array_equal(a, b) for a, b in zip(found, wanted)):
        return None
    wrong = None
    for i, samples in enumerate(SAMPLES):
        wrong = _outside(graph, found, wanted, samples, seed + i, loose)
        if wrong is None:
            break
    return wrong


def _outside(
    graph: RandomGraph, found: Sequence[Any], wanted: Sequence[Any], samples: int, seed: int,
    loose: float,
) -> Mismatch | None:  # fmt: skip
    rng = np.random.default_rng(seed)
    given = {x: graph.values[x] for x in graph.inputs}
    runs = [perturbed(graph.outputs, given, rng) for _ in range(samples)]
    floor = 1e-6 * loose * _largest(graph) if loose else 0.0
    for i, (x, y, *noisy) in enumerate(zip(found, wanted, *runs)):
        allowed = _allowed(np.asarray(y), noisy) + loose * np.abs(np.asarray(y, np.float64)) + floor
        if x.shape != y.shape or x.dtype != y.dtype:
            return Mismatch(i, (), (x.shape, x.dtype), (y.shape, y.dtype), 0.0)
        with np.errstate(invalid="ignore"):
            wide = (np.asarray(a, np.float64) for a in (x, y))
            off = ~((np.abs(np.subtract(*wide)) <= allowed) | (x == y))
        if off.any():
            where = tuple(int(a) for a in np.argwhere(off)[0])
            return Mismatch(i, where, x[where], y[where], float(allowed[where]))
    return None


def _largest(graph: RandomGraph) -> float:
    """The largest number of all nodes."""
    arrays = (np.asarray(x) for x in graph.values.values() if not isinstance(x, tuple))
    return max(
        (float(np.max(np.abs(x))) for x in arrays if x.size and x.dtype.kind == "f"), default=0.0
    )


def _allowed(y: np.ndarray, noisy: Sequence[Any]) -> np.ndarray:
    """The difference that noise explains; infinite where noise changes a decision."""
    if y.dtype.kind != "f":
        same = np.ones(y.shape, bool)
        for z in noisy:
            same &= np.asarray(z == y)
        return np.where(same, 0.0, np.inf)
    with np.errstate(invalid="ignore", over="ignore"):
        spread = np.zeros(y.shape)
        for z in noisy:
            spread = np.maximum(spread, np.abs(np.asarray(z, np.float64) - y))
        return np.where(np.isnan(spread), np.inf, MARGIN * spread + 2 * np.spacing(np.abs(y)))
