"""A step that runs others over a few rows at a time."""

from __future__ import annotations

from dataclasses import dataclass

from glassgrad.engines.native.expression import Buffer, Expr
from glassgrad.engines.native.step import Step


@dataclass(eq=False)
class Turns:
    """Steps that are run `count` times, for `rows` rows each time, from row `start` on."""

    start: int
    count: int
    rows: int
    steps: list[Step]


@dataclass(eq=False)
class Rows(Step):
    """Steps over the same rows, run for a few rows at a time, so that these stay in the cache.

    What only they use, the `local` buffers, is as long as one turn needs and lies on the stack. Of
    the others they see `windows`: the buffer, and the elements from one row to the next.
    """

    whole = True
    extent: int
    turns: list[Turns]
    windows: dict[Buffer, tuple[Buffer, int]]
    local: list[Buffer]

    def roots(self) -> list[Expr]:
        """Those of the steps of one turn."""
        return [x for step in self.turns[0].steps for x in step.roots()]

    def reads(self) -> list[Buffer]:
        """What the steps read through windows."""
        return self._outside([b for t in self.turns for s in t.steps for b in s.reads()])

    def writes(self) -> list[Buffer]:
        """What the steps write through windows."""
        return self._outside([b for t in self.turns for s in t.steps for b in s.writes()])

    def _outside(self, buffers: list[Buffer]) -> list[Buffer]:
        return [self.windows[b][0] for b in dict.fromkeys(buffers) if b in self.windows]

    @property
    def shape(self) -> tuple[int, ...]:
        """The rows."""
        return (self.extent,)

    @property
    def checked(self) -> bool:
        """Whether one of the steps is."""
        return any(s.checked for s in self.turns[0].steps)

    def inside(self, buffer: Buffer) -> list[Step]:
        """The steps of a turn that read a buffer that lies outside."""
        seen = {b for b, (outside, _) in self.windows.items() if outside is buffer}
        return [s for t in self.turns for s in t.steps if not seen.isdisjoint(s.reads())]

    def said(self) -> str:
        """A line for the report."""
        first = self.turns[0]
        return f"{self.extent} rows, {first.rows} at a time, through {len(first.steps)} steps"
