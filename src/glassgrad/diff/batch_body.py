"""Loops for many examples at once: the body is batched, the loop stays one.

A result that is the same for all examples is repeated: the old node cannot stand for it, since it
reads the one example that is being replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from glassgrad.diff.guarded import guarded, with_live
from glassgrad.graph.algebra import NODES
from glassgrad.graph.family import Broadcast, broadcast_to, reshape
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node, Trace, make, new_input
from glassgrad.graph.op import Op
from glassgrad.ops.division import any_may_fault
from glassgrad.ops.loop import Call, Cond, Custom, Scan, While, results_of, scan
from glassgrad.ops.random import RandomBits
from glassgrad.ops.reduce import reduce
from glassgrad.ops.view import transpose

Batch = Callable[[Sequence[Node], Mapping[Node, Node], int], list[Node | None]]
BodyRule = Callable[[Node, Sequence[Node | None], int, Batch], list[Node]]


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


def _scan(node: Node, xs: Sequence[Node | None], size: int, batch: Batch) -> list[Node]:
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
    found: list[Node] = []
    for i, (y, b) in enumerate(zip(results, batched)):
        found.append(spread(y, size) if not b else y if i < c else _swapped(y))
    return found


def each_key(op: RandomBits, keys: Node) -> Node:
    """Random words for many keys: one key after the other."""
    key = new_input(Trace(), "key", (2,), keys.dtype)
    (words,) = scan(Function([key], [make(op, key)]), 0, 1, keys.shape[0], [keys])
    return words


def _wide(node: Node, xs: Sequence[Node | None], size: int) -> list[Node]:
    return [spread(old, size) if x is None else x for old, x in zip(node.inputs, xs)]


def _cond(node: Node, xs: Sequence[Node | None], size: int, batch: Batch) -> list[Node]:
    """One predicate for all: a branch on batched branches. One for each: both, and a select."""
    op = node.op
    assert isinstance(op, Cond)
    pred, *operands = node.inputs
    which = [x is not None for x in xs[1:]]
    if xs[0] is not None:
        given = {old: x for old, x in zip(node.inputs, xs) if x is not None}
        sides = (op.yes, pred), (op.no, NODES.logical_not(pred))
        yes, no = (_each(f, live, operands, given, size, batch) for f, live in sides)
        return [_chosen(xs[0], a, b) for a, b in zip(yes, no)]
    out = [False] * len(op.yes.outputs)
    for _ in range(2):  # what differs in one branch differs in the other
        for body in (op.yes, op.no):
            out = batched_body(body, which, out, size, batch)[1]
    bodies = [batched_body(f, which, out, size, batch)[0] for f in (op.yes, op.no)]
    inputs = [old if x is None else x for old, x in zip(operands, xs[1:])]
    results = results_of(Cond(*bodies), pred, *inputs)
    return [y if wide else spread(y, size) for y, wide in zip(results, out)]


def _each(
    body: Function, live: Node, operands: Sequence[Node], given: Mapping[Node, Node], size: int,
    batch: Batch,
) -> list[Node]:  # fmt: skip
    """The results of a function for every example; `live` says of which they are used."""
    outputs = body.inline(operands)
    if any_may_fault(body.order):
        outputs = guarded(outputs, {x: x for x in operands}, live)
    found = batch(outputs, given, size)
    return [spread(y, size) if b is None else b for y, b in zip(outputs, found)]


def _chosen(pred: Node, x: Node, y: Node) -> Node:
    mask = reshape(pred, (*pred.shape, *(1,) * (x.ndim - pred.ndim)))
    return NODES.where(mask, x, y)


def _while(node: Node, xs: Sequence[Node | None], size: int, batch: Batch) -> list[Node]:
    """Runs as long as any example does; one that is done stays as it is."""
    op = node.op
    assert isinstance(op, While)
    c = op.carries
    which = [x is not None for x in xs]
    while True:
        body, out = batched_body(op.body, which, which[:c], size, batch)
        test, (each,) = batched_body(op.test, which, [False], size, batch)
        if each and not all(out):
            out = [True] * c
        if out == which[:c]:
            break
        which[:c] = out
    operands = [
        x if x is not None else spread(old, size) if wide else old
        for old, x, wide in zip(node.inputs, xs, which)
    ]
    if each:
        params, _ = body.fresh()
        (going,) = test.inline(params)
        step, taken = body, params
        if any_may_fault(op.body.order):
            live = with_live(op.body, len(params))
            step, taken = batched_body(live, [*which, True], out, size, batch)[0], [*params, going]
        moved = [_chosen(going, new, old) for new, old in zip(step.inline(taken), params)]
        body = Function(params, moved)
        asked, _ = body.fresh()
        test = Function(asked, [reduce(test.inline(asked)[0], "any", (0,))])
    results = results_of(While(test, body, c), *operands)
    return [y if wide else spread(y, size) for y, wide in zip(results, which)]


def _call(node: Node, xs: Sequence[Node | None], size: int, batch: Batch) -> list[Node]:
    op = node.op
    assert isinstance(op, Call)
    which = [x is not None for x in xs]
    body, out = batched_body(op.body, which, [False] * len(op.body.outputs), size, batch)
    operands = (old if x is None else x for old, x in zip(node.inputs, xs))
    results = results_of(Call(body, op.late), *operands)
    return [y if wide else spread(y, size) for y, wide in zip(results, out)]


def _custom(node: Node, xs: Sequence[Node | None], size: int, batch: Batch) -> list[Node]:
    """Function and rules batched, in everything that they differentiate by."""
    op = node.op
    assert isinstance(op, Custom)
    captured = [x is not None for x in xs[op.count :]]
    given = [*(True,) * op.count, *captured]

    def wide(body: Function) -> Function:
        more = len(body.params) - len(given)
        which = [*given, *(True,) * more]
        return batched_body(body, which, [True] * len(body.outputs), size, batch)[0]

    back, ahead = (None if f is None else wide(f) for f in (op.back, op.ahead))
    inputs = _wide(node, xs, size)[: op.count]
    inputs += [old if x is None else x for old, x in zip(node.inputs[op.count :], xs[op.count :])]
    return results_of(Custom(wide(op.body), back, ahead, op.count), *inputs)


_RULES: dict[type[Op], BodyRule] = {
    Scan: _scan,
    Cond: _cond,
    While: _while,
    Call: _call,
    Custom: _custom,
}


def body_rule(op: Op) -> BodyRule | None:
    """The rule for an op that holds functions, None for any other op."""
    return _RULES.get(type(op))
