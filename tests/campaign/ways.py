"""The ways in which a graph is compiled and called: on any machine, as for large arrays, by gg.jit.

A way never changes a result beyond rounding; some must not change a bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np

from glassgrad.engines.native import (
    contraction,
    cost,
    donation,
    gemm,
    labels,
    long_sums,
    pyabi,
    row_blocks,
    row_sums,
    tiling,
    underway,
    units,
)
from glassgrad.engines.native.target import Target

TINY = {
    row_blocks: {"_LARGE": 1, "_TURN": 64},
    long_sums: {"ACROSS": 16, "DOWN": 8, "_SHARE": 4},
    labels: {"TALL": 1, "LARGE": 1},
    contraction: {"TALL": 1, "_LARGE": 1},
    tiling: {"DEEPEST": 4, "_A_BYTES": 64, "_COLUMNS": 8, "_PACK_FROM": 1, "_ALIAS": 1},
    gemm: {"_FAR": 0},
    donation: {"_LARGE": 0},
    units: {"_WHOLE": 10},
    row_sums: {"_SHORTEST": 2},
}
"""What is done to large arrays only, done to small ones."""

CUT = {cost: {"LONG": 0.0, "SHARED": 5.1, "PART": 1.0}}
"""Every step is cut that can be, into as many parts as it can be."""


@dataclass(frozen=True)
class Unoptimised(Target):
    """A target for which LLVM selects instructions in the quickest way: of the same module."""

    def machine(self, level: int = 0) -> Any:
        """A fresh TargetMachine."""
        return super().machine(0)


@dataclass(frozen=True)
class Way:
    """How a graph is compiled and called."""

    level: str = "host"  # or avx2, sse2
    optimised: bool = True
    tiny: bool = False
    cut: bool = False  # into parts, which one thread or several compute
    builtin: bool = False  # called through the builtin
    finished: bool = False  # rewritten first, as gg.jit does
    strange: bool = False  # arguments lie in other orders than C's
    donated: bool = False  # once more, with some results in the memory of arguments
    stored: bool = False  # once more, with every node stored, so that nothing is fused away

    @staticmethod
    def of(seed: int) -> Way:
        """The way of a seed; what takes long is done seldom."""
        rng = np.random.default_rng([seed, 7])
        level = ("host", "avx2", "sse2")[int(rng.choice(3, p=(0.8, 0.12, 0.08)))]
        shares = {"optimised": 0.1, "tiny": 0.3, "cut": 0.15, "builtin": 0.2, "finished": 0.5,
                  "strange": 0.5, "donated": 0.15, "stored": 0.08}  # fmt: skip
        return Way(level, **{name: bool(rng.random() < p) for name, p in shares.items()})

    @property
    def target(self) -> Target:
        """What is compiled for."""
        target = Target.host()
        target = target if self.level == "host" else target.restricted(self.level)
        return target if self.optimised else Unoptimised(**vars(target))

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """The engine's thresholds while a graph is compiled in this way."""
        changes = (TINY if self.tiny else {}) | (CUT if self.cut else {})
        with ExitStack() as stack:
            for module, numbers in changes.items():
                stack.enter_context(patch.multiple(module, **numbers))
            if not self.builtin:
                underway.addresses()  # known before, for all programs
                stack.enter_context(patch.object(pyabi, "usable", lambda: False))
            yield

    def __str__(self) -> str:
        on = [name for name, value in vars(self).items() if value is True]
        return " ".join([self.level, *on])


def strangely(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same numbers in another place: backwards, by columns, with gaps, unaligned, swapped."""
    kind = int(rng.integers(6))
    if kind == 0 and x.ndim:
        return np.flip(np.flip(x).copy())
    if kind == 1:
        return np.array(x, order="F")
    if kind == 2 and x.ndim:
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1] + 1), x.dtype)
        wide[..., 1::2] = x
        return wide[..., 1::2]
    if kind == 3:
        room = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
        room[...] = x
        return room
    if kind == 4:
        return np.array(x, x.dtype.newbyteorder())
    frozen = np.array(x)
    frozen.flags.writeable = False
    return frozen
