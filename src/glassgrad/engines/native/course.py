"""Steps whose course depends on values: one of two programs, and a program run while a test holds.

Small ones are kept in registers (see `spin`); these hold programs of their own, as `Repeat` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.step import Step


@dataclass(eq=False)
class Branch(Step):
    """The program `yes` where the first operand is true, else `no`; both write the results."""

    whole = True
    yes: list[Step]
    no: list[Step]
    operands: list[Buffer]
    results: list[Buffer]
    block: Buffer  # the arena of the one that runs, sized when the memory is laid out

    @property
    def programs(self) -> list[list[Step]]:
        """Both branches."""
        return [self.yes, self.no]

    def reads(self) -> list[Buffer]:
        """The operands, and what is used up."""
        return [*self.operands, self.block]

    def writes(self) -> list[Buffer]:
        """The results, and the arena of the branch."""
        return [*self.results, self.block]

    @property
    def shape(self) -> tuple[int, ...]:
        """One course is run."""
        return ()

    @property
    def checked(self) -> bool:
        """Whether a step of a branch is."""
        return any(step.checked for step in (*self.yes, *self.no))

    def said(self) -> str:
        """A line for the report."""
        return f"a branch of {len(self.yes)} or of {len(self.no)} steps"


@dataclass(eq=False)
class Until(Step):
    """`body` run as long as `test` gives true: carries go round between two places.

    `operands` are the first carries, then what both programs read; `asked` holds the answer.
    """

    whole = True
    test: list[Step]
    body: list[Step]
    operands: list[Buffer]
    results: list[Buffer]
    spare: list[Buffer]  # a second place for each carry
    asked: Buffer
    block: Buffer  # the arena of the programs, sized when the memory is laid out
    still: set[int] = field(default_factory=set)  # carries that the body changes in their place

    @property
    def carries(self) -> int:
        """How many there are."""
        return len(self.results)

    @property
    def programs(self) -> list[list[Step]]:
        """The test and the body."""
        return [self.test, self.body]

    def reads(self) -> list[Buffer]:
        """The operands, and what is used up."""
        return [*self.operands, *self.spare, self.asked, self.block]

    def writes(self) -> list[Buffer]:
        """The results, the carries' second places, the answer and the programs' arena."""
        return [*self.results, *self.spare, self.asked, self.block]

    @property
    def shape(self) -> tuple[int, ...]:
        """How often it runs is not known before."""
        return ()

    @property
    def checked(self) -> bool:
        """Always: it can be stopped."""
        return True

    def said(self) -> str:
        """A line for the report."""
        return f"a loop of {len(self.body)} steps while a test of {len(self.test)} holds"
