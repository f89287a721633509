"""What an engine makes of a graph: a program from the inputs' arrays to the outputs'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from glassgrad.graph.node import NDArray, Node


class Program(Protocol):
    """A compiled graph. Results are fresh arrays that belong to the caller."""

    def __call__(self, arrays: Sequence[Any]) -> list[NDArray]:
        """The outputs for these inputs, which have the shapes and dtypes that were compiled for."""
        ...

    def report(self) -> str:
        """What was compiled, fused and called."""
        ...


class Engine(Protocol):
    """A way to run graphs."""

    def __call__(
        self, outputs: Sequence[Node], inputs: Sequence[Node], budget: int | None = None
    ) -> Program:
        """Compile the outputs as a function of the inputs, which needs at most `budget` bytes."""
        ...
