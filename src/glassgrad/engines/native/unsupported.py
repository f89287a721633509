"""The error for what the native engine cannot compile."""

from __future__ import annotations

from glassgrad.graph.errors import GlassgradError
from glassgrad.graph.node import Node


class UnsupportedOnNative(GlassgradError, TypeError):
    """An op that has no machine code yet; the reference engine runs it."""


_OF_INTEGERS = ("floor_divide", "remainder", "fmod")


def refuse_reals(node: Node) -> None:
    """Raise for an op that has machine code for integers alone, of reals."""
    if node.name in _OF_INTEGERS and node.dtype.kind == "f":
        raise unsupported(node, "it has machine code for integers only")


def unsupported(node: Node, why: str) -> UnsupportedOnNative:
    """The error for a node: op, operands, reason, the user's line, and what to do."""
    operands = ", ".join(f"{x.dtype}{list(x.shape)}" for x in node.inputs)
    sites = node.trace.sites(node)
    where = f"\n  at {sites[0]}" if sites else ""
    return UnsupportedOnNative(
        f'{node.op!r} on {operands or "no operand"} is not compiled by engine="native": {why}; '
        f'use engine="reference"{where}'
    )
