"""What gg.jit(check=True) looks at: a second trace, and both engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glassgrad.engines.compare import first_difference
from glassgrad.graph.errors import CalculusError, EngineError
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node

Traced = tuple[Sequence[Node], Sequence[Node]]
"""The variables and the results of a trace."""


def check_traces(first: Traced, second: Traced, name: str) -> None:
    """Two traces are one: a program that drew numbers or read a changing global differs."""
    if Function(*first) != Function(*second):
        raise CalculusError(
            f"gg.jit(check=True): two traces of {name} differ, so something that changes would be "
            "frozen into the program: draw random numbers by gg.random with a key, and pass "
            "changing values as arguments"
        )


def check_engines(traced: Traced, arrays: Sequence[Any]) -> None:
    """Both engines compute the same at every node; the first that differs is named."""
    inputs, outputs = traced
    found = first_difference(outputs, inputs, arrays)
    if found is not None:
        raise EngineError(f"gg.jit(check=True): {found}")


__all__ = ["check_engines", "check_traces"]
