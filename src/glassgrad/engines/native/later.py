"""Values that are computed again, late: what `gg.remat` asks for.

The gradient of a call computes the call's function once more. Equal nodes are one, so it would find
all of its values kept from the first time, and no memory would be saved. `Later` keeps them apart:
it is its first operand, but no node is the same after it, and no step after it runs before the
other operands, the cotangents, are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from glassgrad.engines.native.course import Branch, Until
from glassgrad.engines.native.expression import Buffer, loads
from glassgrad.engines.native.step import Multiply, Repeat, Spin, Step
from glassgrad.graph.node import Const, Node, make
from glassgrad.graph.op import Aval, Op


class Later(Op, listed=False):
    """The first operand, once the others are known."""

    name = "later"

    def infer(self, *inputs: Node) -> Aval:
        """As the first operand."""
        return inputs[0].shape, inputs[0].dtype


def postponed(operands: Sequence[Node], count: int) -> list[Node]:
    """The operands of a call of which the last `count` are cotangents: the others wait for them."""
    if not count:
        return list(operands)
    values, seeds = operands[:-count], operands[-count:]
    known = [g for g in seeds if g.bound]
    if not known:
        return list(operands)
    return [x if isinstance(x.op, Const) else make(Later(), x, *known) for x in values] + [*seeds]


def put_through(steps: Sequence[Step], aliases: Mapping[Buffer, Buffer]) -> None:
    """Makes steps read where the elements are in place of buffers that only stand for others."""
    if not aliases:
        return

    def real(buffer: Buffer) -> Buffer:
        while buffer in aliases:
            buffer = aliases[buffer]
        return buffer

    for step in steps:
        for x in loads(step.roots()):
            x.buffer = real(x.buffer)
        if isinstance(step, Multiply):
            step.left = replace(step.left, buffer=real(step.left.buffer))
            step.right = replace(step.right, buffer=real(step.right.buffer))
        if isinstance(step, Repeat | Spin | Until | Branch):
            step.operands = [real(b) for b in step.operands]


__all__ = ["Later", "postponed", "put_through"]
