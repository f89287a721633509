"""Integer divisions that NumPy warns of: by zero, and of the least number by −1.

Engines go on with NumPy's number, note which nodes it happened at, and tell when the call is over,
as ``np.errstate`` says at that moment: nothing, a warning, an error, or a call of one's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from glassgrad.graph.errors import DivisionError
from glassgrad.graph.node import Node, at_site
from glassgrad.graph.provenance import Site, warn
from glassgrad.ops.division import BY_ZERO, OVERFLOW, may_fault

_SETTING = {BY_ZERO: "divide", OVERFLOW: "over"}  # of np.errstate
_FLAG = {BY_ZERO: 1, OVERFLOW: 2}  # what NumPy hands to a function of one's own
_RESULT = {
    BY_ZERO: "is 0 there; guard the divisor, as in x // np.where(y == 0, 1, y)",
    OVERFLOW: "wraps to the least number there; use a wider dtype",
}


class Fault(NamedTuple):
    """A division that went wrong, and how; `others` are as many after it that may be meant."""

    node: Node
    kind: str
    others: int = 0

    def sites(self) -> list[Site]:
        """The places of the program that the division descends from."""
        return self.node.trace.root().sites(self.node)

    def __str__(self) -> str:
        more = f", or at one of {self.others} more integer divisions" if self.others else ""
        return (
            f"{self.kind} encountered in {self.node.name}: the {self.node.dtype} result "
            f"{_RESULT[self.kind]}{more}{at_site(self.node)}"
        )


_NOTED: ContextVar[list[Fault] | None] = ContextVar("glassgrad_faults", default=None)


@contextmanager
def noted() -> Iterator[list[Fault]]:
    """Collects what is noted and told inside, which is then for the caller to tell, or not."""
    found: list[Fault] = []
    token = _NOTED.set(found)
    try:
        yield found
    finally:
        _NOTED.reset(token)


def divided(node: Node, run: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """What NumPy gives for a node; what it would warn of is noted, where somebody collects it."""
    found = _NOTED.get()
    if found is None or not may_fault(node):
        return run(*operands)

    def note(kind: str, flags: int) -> None:
        found.append(Fault(node, kind))

    with np.errstate(divide="call", over="call", call=note):
        return run(*operands)


def tell(faults: Iterable[Fault]) -> None:
    """Tells of each line once, as ``np.errstate`` says; raises `DivisionError` where it says so.

    What divmod would tell for its quotient and for its remainder is told once.
    """
    held = _NOTED.get()
    if held is not None:
        held.extend(faults)
        return
    told: set[Any] = set()
    for fault in faults:
        keys = {(fault.kind, fault.node.inputs, *fault.sites()[:1]), str(fault)}
        if told.isdisjoint(keys):
            _HOW[np.geterr()[_SETTING[fault.kind]]](fault)
        told |= keys


def _warn(fault: Fault) -> None:
    warn(str(fault))


def _raise(fault: Fault) -> None:
    raise DivisionError(str(fault))


def _call(fault: Fault) -> None:
    function = np.geterrcall()
    if not callable(function):
        raise NameError(
            f"np.errstate says call for {fault.kind} (in {fault.node.name}), and there is no "
            "function: give one by np.seterrcall"
        )
    function(fault.kind, _FLAG[fault.kind])


def _log(fault: Fault) -> None:
    write = getattr(np.geterrcall(), "write", None)
    if write is None:
        raise NameError(
            f"np.errstate says log for {fault.kind} (in {fault.node.name}), and there is nothing "
            "with a write method: give it by np.seterrcall"
        )
    write(f"Warning: {fault}\n")


def _print(fault: Fault) -> None:
    sys.stderr.write(f"Warning: {fault}\n")


_HOW: dict[str, Callable[[Fault], None]] = {
    "ignore": lambda fault: None, "warn": _warn, "raise": _raise, "call": _call, "log": _log,
    "print": _print,
}  # fmt: skip

__all__ = ["Fault", "divided", "noted", "tell"]
