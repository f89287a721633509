"""Loops for many examples at once: the body is batched, the loop stays one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from glassgrad.graph.family import Broadcast, broadcast_to
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node, Trace, make, new_input
from glassgrad.graph.op import Op
from glassgrad.ops.loop import Scan, scan
from glassgrad.ops.random import RandomBits
from glassgrad.ops.view import transpose

Batch = Callable[[Sequence[Node], Mapping[Node, Node], int], list[Node | None]]
BodyRule = Callable[[Node, Sequence[Node | None], int, Batch], list[Node | None]]


def batched_body(
    body: Function, which: Sequence[bool], out: Sequence[bool], size: int, batch: Batch
) -> tuple[Function, list[bool]]:
    """The body with some parameters batched, and which outputs are; those in `out` always are."""
    params, outputs = body.fresh()
    trace = params[0].trace if params else Trace()
    given: dict[Node, Node] = {}
    new_params: list[Node] = []
    for p, batched in zip(params, which):
        wide = new_input(trace, "x", (size, *p.shape), p.dtype) if batched else p
        new_params.append(wide)
        if batched:
            given[p] = wide
    found = batch(outputs, given, size)
    new = [
        b if b is not None else spread(y, size) if must else y
        for y, b, must in zip(outputs, found, out)
    ]
    batched = [b is not None or must for b, must in zip(found, out)]
    return Function(new_params, new), batched


def spread(x: Node, size: int) -> Node:
    """A node that is the same for all examples, repeated along the new axis."""
    source = x.inputs[0] if isinstance(x.op, Broadcast) else x
    return broadcast_to(source, (size, *x.shape))


def _swapped(x: Node) -> Node:
    """The axis of the examples and that of the steps, exchanged."""
    return transpose(x, (1, 0, *range(2, x.ndim)))


def _scan(node: Node, xs: Sequence[Node | None], size: int, batch: Batch) -> list[Node | None]:
    """A scan over batched rows; a carry is batched if it ever becomes so."""
    op = node.op
    assert isinstance(op, Scan)
    c, r = op.carries, op.rows
    which = [x is not None for x in xs]
    while True:
        out = [which[i] if i < c else False for i in range(len(op.body.outputs))]
        body, batched = batched_body(op.body, which, out, size, batch)
        if batched[:c] == which[:c]:
            break
        which[:c] = batched[:c]
    operands: list[Node] = []
    for i, (old, x) in enumerate(zip(node.inputs, xs)):
        if x is None:
            operands.append(spread(old, size) if which[i] else old)
        else:
            operands.append(_swapped(x) if c <= i < c + r else x)
    results = scan(body, c, r, op.length, operands)
    found: list[Node | None] = []
    for i, (y, b) in enumerate(zip(results, batched)):
        found.append(None if not b else y if i < c else _swapped(y))
    return found


def each_key(op: RandomBits, keys: Node) -> Node:
    """Random words for many keys: one key after the other."""
    key = new_input(Trace(), "key", (2,), keys.dtype)
    (words,) = scan(Function([key], [make(op, key)]), 0, 1, keys.shape[0], [keys])
    return words


_RULES: dict[type[Op], BodyRule] = {Scan: _scan}


def body_rule(op: Op) -> BodyRule | None:
    """The rule for an op that holds functions, None for any other op."""
    return _RULES.get(type(op))

