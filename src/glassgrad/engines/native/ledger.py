"""What the arena of a program holds, from when to when, and for whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from glassgrad.engines.memory import told_bytes
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.layout import Layout
from glassgrad.engines.native.row_step import Rows
from glassgrad.engines.native.step import Step
from glassgrad.graph.node import Node

Shown = Callable[[Buffer], Sequence[Node]]


class Kept(NamedTuple):
    """An intermediate value: its bytes, what it is, from which step until which it is kept.

    `reader` says what the last step is that reads it; `at_peak` whether it is there when most is.
    What is made and read over the same rows, a few at a time, is kept within one step.
    """

    nbytes: int
    what: str
    first: int
    last: int
    reader: str
    again: bool
    at_peak: bool

    def __str__(self) -> str:
        """A line of the report."""
        again = ", computed again" if self.again else ""
        when = f"from step {self.first} on, for" if self.first < self.last else "within"
        return (
            f"{told_bytes(self.nbytes)}: {self.what}{again}; {when} step {self.last}, {self.reader}"
        )


def ledger(steps: Sequence[Step], layout: Layout, shown: Shown) -> list[Kept]:
    """Every buffer of the arena, the largest first, those at the peak before others."""
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for i, step in enumerate(steps):
        for b in (*step.writes(), *step.reads()):
            if b in layout.offsets:
                first.setdefault(b, i)
                last[b] = i
    live = [0] * len(steps)
    for b in first:
        for i in range(first[b], last[b] + 1):
            live[i] += b.nbytes
    peak = max(range(len(live)), key=live.__getitem__, default=0)
    found = [
        Kept(
            b.nbytes, _told(b, shown(b) or steps[first[b]].nodes), first[b], last[b],
            _read_by(steps[last[b]], b), steps[first[b]].again, first[b] <= peak <= last[b],
        )
        for b in first
    ]  # fmt: skip
    return sorted(found, key=lambda k: (not k.at_peak, -k.nbytes, k.first))


def _told(buffer: Buffer, nodes: Sequence[Node]) -> str:
    return f"{buffer.dtype}{list(buffer.shape)}{_of(nodes)}"


def _read_by(step: Step, buffer: Buffer) -> str:
    if isinstance(step, Rows) and (readers := step.inside(buffer)):
        return f"{step.said()}, {_read_by(readers[-1], buffer)}"
    return f"{step.said()}{_of(step.nodes)}"


def _of(nodes: Sequence[Node]) -> str:
    """The op of a node that has a line of the user's, and that line."""
    for node in nodes:
        if sites := node.trace.sites(node):
            return f" of {node.op.name} at {sites[0]}"
    return f" of {nodes[0].op.name}" if nodes else ""


__all__ = ["Kept", "ledger"]
