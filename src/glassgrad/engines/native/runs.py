"""Steps of equal code in one loop over a table of where their operands lie.

A long chain has thousands of steps and a dozen kinds of them. A call that hands over twelve
addresses costs LLVM as much time as the step itself, so what occurs often finds its operands in a
table: offsets in the arena, one row a step. Consecutive steps of one kind are a loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from glassgrad.engines.native import cost
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.shape_key import Key, key_of
from glassgrad.engines.native.step import Step

FEW = 32  # addresses that calls of one kind hand over themselves
_FARTHEST = 1 << 31  # offsets are 32-bit numbers


class Run(NamedTuple):
    """Consecutive steps; `offsets` has a row for each, or is None for one that stands alone."""

    first: int
    steps: Sequence[Step]
    key: Key | None
    offsets: np.ndarray | None


def operands(step: Step) -> list[Buffer]:
    """The buffers that the code of a step is given, once each."""
    return list(dict.fromkeys([*step.writes(), *step.reads()]))


def runs(
    steps: Sequence[tuple[int, Step]], offsets: Mapping[Buffer, int], size: int | None
) -> Iterator[Run]:
    """All steps in order; `offsets` are those in an arena of `size` bytes, None if that varies."""
    lists = [operands(step) for _, step in steps]
    keys = [
        key_of(step, buffers) if cost.parts(step) == 1 else None
        for (_, step), buffers in zip(steps, lists)
    ]
    if size is None or size >= _FARTHEST:
        often = set[Key]()
    else:
        inside = (all(b.kind == "arena" for b in buffers) for buffers in lists)
        keys = [(fits, key) if key else None for fits, key in zip(inside, keys)]
        handed = Counter[Any]()
        for key, buffers in zip(keys, lists):
            handed[key] += len(buffers)
        often = {k for k, n in handed.items() if n > FEW and k and k[0]}
    at = 0
    while at < len(steps):
        end = at + 1
        key = keys[at]
        if key not in often:
            yield Run(steps[at][0], [steps[at][1]], None, None)
        else:
            while end < len(steps) and keys[end] == key:
                end += 1
            rows = [[offsets[b] for b in buffers] for buffers in lists[at:end]]
            yield Run(steps[at][0], [s for _, s in steps[at:end]], key, np.array(rows, np.int32))
        at = end
