"""A kernel that has been emitted, assembled and written down, so that it is known again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassgrad.engines.native.cache import ObjectCache, key
from glassgrad.engines.native.kernel import Code
from glassgrad.engines.native.recall import Made, remember
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.units import assembled
from glassgrad.graph.node import Node
from glassgrad.version import __version__


def keep(
    code: Code, target: Target, cache: ObjectCache, name: str | None, outputs: Sequence[Node],
    arena_bytes: int, copied_back: int = 0, constants: Sequence[np.ndarray] = (),
) -> tuple[Made, bool]:  # fmt: skip
    """What is made of some code, and whether its objects were in the cache.

    A record of it is kept under `name`, that of the graph of `outputs`.
    """
    objects, cache_hit = assembled(code.units, target, cache)
    foreign = [n for n in code.module.foreign() if not n.startswith("const_")]
    made = Made(
        objects, arena_bytes, code.size, copied_back, code.long, bool(code.parts), foreign,
        list(constants), len(code.module.faults),
    )  # fmt: skip
    names = [key(u.text, target, __version__, u.level) for u in code.units]
    remember(cache, name, made, names, outputs)
    return made, cache_hit


__all__ = ["keep"]
