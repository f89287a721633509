"""Which engine runs a compiled function: the one that was asked for, where this machine has it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache

from glassgrad.engines.program import Engine, Program
from glassgrad.engines.reference import ReferenceProgram
from glassgrad.graph.node import Node


def _native(outputs: Sequence[Node], inputs: Sequence[Node]) -> Program:
    from glassgrad.engines.native.program import NativeProgram

    return NativeProgram(outputs, inputs)


ENGINES: dict[str, Engine] = {"reference": ReferenceProgram, "native": _native}


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
    from glassgrad.engines.native import aside, pyabi, runtime

    if pyabi.usable():
        aside.begin(runtime.assembled)


@cache
def _say(why: str) -> None:
    warnings.warn(
        f"gg.jit runs on the reference engine, node by node and slower: {why}",
        RuntimeWarning,
        stacklevel=4,
    )
