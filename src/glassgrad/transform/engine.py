"""Which engine runs a compiled function: the one that was asked for, where this machine has it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from glassgrad.engines.program import Engine, Program
from glassgrad.engines.reference import ReferenceProgram
from glassgrad.graph.errors import CalculusError
from glassgrad.graph.node import Node
from glassgrad.graph.provenance import warn


def _native(outputs: Sequence[Node], inputs: Sequence[Node], budget: int | None = None) -> Program:
    from glassgrad.engines.native.program import NativeProgram

    return NativeProgram(outputs, inputs, budget=budget)


def _reference(
    outputs: Sequence[Node], inputs: Sequence[Node], budget: int | None = None
) -> Program:
    if budget is not None:
        raise CalculusError("gg.jit: budget= needs the native engine, which is not there")
    return ReferenceProgram(outputs, inputs)


ENGINES: dict[str, Engine] = {"reference": _reference, "native": _native}


def check_budget(budget: Any, engine: str, batch: bool) -> None:
    """Refuses what is no budget, and what no engine or program for all sizes can keep."""
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
        raise CalculusError(
            f"gg.jit: budget is a number of bytes, such as 64 << 20, not {budget!r}"
        )
    if engine != "native":
        raise CalculusError(
            f"gg.jit: a budget is kept by the native engine, and the {engine} engine keeps every "
            "value: leave one of engine= and budget= out"
        )
    if batch:
        raise CalculusError(
            "gg.jit: a budget is kept for one size at a time, and batch= asks for a program for "
            "all sizes: leave one of them out"
        )


def present(engine: str) -> str:
    """The engine itself; "reference" where this machine has no native one, which is said once."""
    if engine != "native":
        return engine
    from glassgrad.engines.native.target import absence

    why = absence()
    if why is None:
        _begin()
        return engine
    _say(why)
    return "reference"


@cache
def _begin() -> None:
    """Lets what all programs share be made while the first of them is traced."""
    from glassgrad.engines.native import pyabi, runtime

    if pyabi.usable():
        runtime.begin()


@cache
def _say(why: str) -> None:
    warn(f"gg.jit runs on the reference engine, node by node and slower: {why}")
