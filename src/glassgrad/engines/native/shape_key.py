"""What the code of a step depends on, as a key: steps of equal keys share one function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glassgrad.engines.native.expression import (
    Apply,
    Buffer,
    Expr,
    Gather,
    Load,
    Seed,
    Uniform,
    walk,
)
from glassgrad.engines.native.step import Loop, Reduction, Step

Key = tuple[Any, ...]


def key_of(step: Step, buffers: Sequence[Buffer]) -> Key | None:
    """The key of a loop or a reduction whose function takes these buffers; None for other steps."""
    if type(step) not in (Loop, Reduction):
        return None
    at = {b: i for i, b in enumerate(buffers)}
    number: dict[Expr, int] = {}
    rows: list[Key] = []
    for expr in walk(step.roots()):
        number[expr] = len(rows)
        rows.append((expr.dtype.char, *_row(expr, at), *(number[x] for x in expr.args)))
    stores = [(number[s.expr], at[s.buffer], s.view) for s in step.stores]
    own: Key = ()
    if isinstance(step, Reduction):
        own = (step.space, step.axes, step.kind, number[step.operand])
    kinds = tuple(b.dtype.char for b in buffers)
    over = tuple(at[b] for b in step.overwrites)
    ahead = tuple((at[x.buffer], x.view) for x in step.ahead)
    return (type(step), step.shape, kinds, tuple(rows), tuple(stores), own, over, ahead)


def _row(expr: Expr, at: Mapping[Buffer, int]) -> Key:
    """What an expression is, but for its arguments."""
    if isinstance(expr, Apply):
        return ("apply", expr.op, expr.node)
    if isinstance(expr, Load):
        return ("load", at[expr.buffer], expr.view)
    if isinstance(expr, Gather):
        return ("gather", at[expr.buffer], expr.view, expr.extents, expr.strides)
    if isinstance(expr, Uniform):
        return ("number", type(expr.number), repr(expr.number))
    assert isinstance(expr, Seed)
    return ("seed",)
