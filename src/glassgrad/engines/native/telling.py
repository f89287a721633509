"""The steps of a program in words, for its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from glassgrad.engines.native.expression import Apply, walk
from glassgrad.engines.native.row_step import Rows
from glassgrad.engines.native.step import Step


def told(steps: Sequence[Step], indent: str) -> Iterator[str]:
    """A line for each step, with those of the programs inside it below."""
    for i, step in enumerate(steps):
        ops = " ".join(repr(n.op) if n.inputs else n.name for n in step.nodes)
        inside = Counter(x.op.name for x in walk(step.roots()) if isinstance(x, Apply))
        fused = ", ".join(f"{name} x{n}" if n > 1 else name for name, n in inside.items())
        said = f"{step.said()}, again" if step.again else step.said()
        if isinstance(step, Rows):
            yield f"{indent}{i}: {said}"
            yield from told(step.turns[0].steps, f"{indent}{i}.")
            continue
        yield f"{indent}{i}: {said}: {ops}" + (f"; inside: {fused}" if fused else "")
        for letter, program in zip("abc", step.programs):
            yield from told(program, f"{indent}{i}{letter if len(step.programs) > 1 else ''}.")
