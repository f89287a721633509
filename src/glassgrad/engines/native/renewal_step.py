"""The step that computes rows of tables anew where they lie."""

from __future__ import annotations

from dataclasses import dataclass

from glassgrad.engines.native.expression import Buffer, Expr, Gather
from glassgrad.engines.native.step import Number, Step


@dataclass(eq=False)
class Renewal(Step):
    """`values[i]` written to `targets[i]`, over the numbers that were given to rows."""

    whole = True
    targets: list[Gather]
    values: list[Expr]
    space: tuple[int, ...]
    number: Number

    def roots(self) -> list[Expr]:
        """The values, and where they go."""
        return [*self.values, *(x for t in self.targets for x in t.args)]

    def reads(self) -> list[Buffer]:
        """What the values read, and the rows that are partly kept."""
        return [*super().reads(), *self.writes(), self.number.count, self.number.rows]

    def writes(self) -> list[Buffer]:
        """The tables."""
        return [t.buffer for t in self.targets]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values."""
        return self.space

    @property
    def checked(self) -> bool:
        """Always: it reads at computed places."""
        return True

    def said(self) -> str:
        """A line for the report."""
        return f"{self.space[0]} rows of {len(self.targets)} tables, each once"
