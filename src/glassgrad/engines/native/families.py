"""Plans of the families that are not fused: reductions, placements, scatters, draws, loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from glassgrad.engines.native.builder import Memo, NeedsBuffer, no_rule
from glassgrad.engines.native.course import Branch, Until
from glassgrad.engines.native.expression import (
    Apply,
    Buffer,
    Expr,
    Gather,
    Load,
    Seed,
    Store,
    Uniform,
    loads,
)
from glassgrad.engines.native.matrix_plans import plan_matrices
from glassgrad.engines.native.shorten import shortened
from glassgrad.engines.native.sorting import work_bytes
from glassgrad.engines.native.sparse_rows import RowNumbers
from glassgrad.engines.native.spin import lowered, spins
from glassgrad.engines.native.step import (
    Arrange,
    Draw,
    Loop,
    Number,
    Reduction,
    Repeat,
    Scatter,
    Spin,
    Step,
)
from glassgrad.engines.native.strided import Strided, reducible
from glassgrad.graph.family import Cast
from glassgrad.graph.function import Function
from glassgrad.graph.node import Item, Node, Trace, new_input
from glassgrad.graph.op import Op
from glassgrad.ops.factor import OrthogonalFactor, SingularValues, SymmetricEigen
from glassgrad.ops.gather import ScatterAdd
from glassgrad.ops.linear_system import LogDeterminant
from glassgrad.ops.loop import Cond, Scan, While, results_of
from glassgrad.ops.random import RandomBits
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.sort import Sort
from glassgrad.ops.view import Concatenate, Place, Slice, Update

if TYPE_CHECKING:
    from glassgrad.engines.native.planner import Planner


def plan_reduce(p: Planner, node: Node, buffer: Buffer) -> None:
    """A reduction; without axes it is a copy."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, Reduce)
    expr = p.whole(x)
    if not op.axes and op.kind not in ("any", "all"):
        p.append(Loop([node], [Store(expr, buffer, Strided.contiguous(node.shape))]))
        return
    _reduction(p, node, buffer, x.shape, op.axes, op.kind, expr)


def _reduction(
    p: Planner, node: Node, buffer: Buffer, space: tuple[int, ...], axes: tuple[int, ...],
    kind: str, expr: Expr,
) -> None:  # fmt: skip
    if kind in ("any", "all") and expr.dtype != np.dtype(bool):
        expr = Apply(Cast(np.dtype(bool)), (expr,), np.dtype(bool))
    if not reducible(space, axes, [x.view for x in loads([expr])]):
        raise NeedsBuffer(node.inputs[0])
    seed = Seed(expr.dtype)
    store = Store(seed, buffer, Strided.contiguous(node.shape))
    p.append(Reduction([node], [store], space, axes, kind, expr, seed))


def plan_concatenate(p: Planner, node: Node, buffer: Buffer) -> None:
    """Each operand is written to its part of the result."""
    op = node.op
    assert isinstance(op, Concatenate)
    whole = Strided.contiguous(node.shape)
    for x, part in zip(node.inputs, op.parts(node)):
        place = whole.slice(part.starts, part.steps, part.lengths)
        p.append(Loop([node], [Store(p.whole(x), buffer, place)]))


def plan_place(p: Planner, node: Node, buffer: Buffer) -> None:
    """The old array (or zeros), then the values at their slice."""
    op, v = node.op, node.inputs[-1]
    assert isinstance(op, Place | Update)
    base = p.whole(node.inputs[0]) if isinstance(op, Update) else Uniform(0, node.dtype)
    written = Slice(op.starts, op.steps, v.shape)
    whole = Strided.contiguous(node.shape)
    part = whole.slice(written.starts, written.steps, written.lengths)
    expr = p.whole(v)
    p.append(Loop([node], [Store(base, buffer, whole)]))
    p.append(Loop([node], [Store(expr, buffer, part)]))


def plan_draw(p: Planner, node: Node, buffer: Buffer) -> None:
    """Random words of a key."""
    op = node.op
    assert isinstance(op, RandomBits)
    key = Load(*p.stored_view(node.inputs[0], {}))
    p.append(Draw([node], [], key, buffer, op.stream, op.shape))


def plan_item(p: Planner, node: Node) -> Buffer:
    """A result of a node with several: all of them are computed at once."""
    owner = node.inputs[0]
    op = owner.op
    plan = _RESULTS.get(type(op))
    if plan is None or owner.outputs is None:
        raise no_rule(owner)
    items = {n.op.index: n for n in p.roots.users[owner] if isinstance(n.op, Item)}
    results = [
        p.new_buffer(items[i]) if i in items else Buffer("arena", dtype, shape)
        for i, (shape, dtype) in enumerate(owner.outputs)
    ]
    plan(p, owner, results)
    for i, item in items.items():
        p.buffers[item] = results[i]
    return p.buffers[node]


def _sort(p: Planner, node: Node, results: list[Buffer]) -> None:
    op, x = node.op, node.inputs[0]
    assert isinstance(op, Sort)
    source = Load(*p.stored_view(x, {}))
    size = work_bytes(x.dtype, x.shape[op.axis])
    work = Buffer("arena", np.dtype(np.uint8), (size,))
    values, places = results
    p.append(Arrange([node], [], source, values, places, op.axis, work))


def _repeat(p: Planner, node: Node, results: list[Buffer]) -> None:
    op = node.op
    assert isinstance(op, Scan)
    operands = [p.contiguous(x) for x in node.inputs]
    if not op.length:
        for x, result in zip(node.inputs[: op.carries], results):
            whole = Strided.contiguous(x.shape)
            p.append(Loop([node], [Store(p.whole(x), result, whole)]))
        return
    params, outputs = lowered(op.body, p.extents)
    if spins(params, outputs):
        outputs = shortened(outputs)
        turns = (op.length, op.carries, op.rows)
        p.append(Spin([node], [], params, outputs, operands, results, *turns))
        return
    body = p.inside(outputs, params)
    spare = [Buffer("arena", b.dtype, b.shape) for b in results[: op.carries]]
    p.append(
        Repeat(
            [node], [], body.plan(), operands, results, spare, op.length, op.carries, op.rows,
            params, _block(),
        )
    )  # fmt: skip


def _block() -> Buffer:
    """The arena of programs inside a step; its size is known when the memory is laid out."""
    return Buffer("arena", np.dtype(np.uint8), (0,))


def _inside(p: Planner, body: Function) -> list[Step]:
    """The steps of a function that a step holds."""
    params, outputs = lowered(body, p.extents)
    return p.inside(outputs, params).plan()


def _branch(p: Planner, node: Node, results: list[Buffer]) -> None:
    op = node.op
    assert isinstance(op, Cond)
    operands = [p.contiguous(x) for x in node.inputs]
    if _in_registers(p, node, operands, results):
        return
    p.append(Branch([node], [], _inside(p, op.yes), _inside(p, op.no), operands, results, _block()))


def _until(p: Planner, node: Node, results: list[Buffer]) -> None:
    """Carries that never change are read where they lie, and copied once."""
    op = node.op
    assert isinstance(op, While)
    operands = [p.contiguous(x) for x in node.inputs]
    if _in_registers(p, node, operands, results):
        return
    params, outputs = lowered(op.body, p.extents)
    asking, answer = lowered(op.test, p.extents)
    moving = [i for i in range(op.carries) if outputs[i] is not params[i]]
    order = moving + [i for i in range(len(params)) if i not in moving]
    for i in set(range(op.carries)) - set(moving):
        whole = Strided.contiguous(results[i].shape)
        p.append(Loop([node], [Store(p.whole(node.inputs[i]), results[i], whole)]))
    test = p.inside(answer, [asking[i] for i in order]).plan()
    body = p.inside([outputs[i] for i in moving], [params[i] for i in order]).plan()
    carried = [results[i] for i in moving]
    spare = [Buffer("arena", b.dtype, b.shape) for b in carried]
    asked = Buffer("arena", np.dtype(bool), ())
    given = [operands[i] for i in order]
    p.append(Until([node], [], test, body, given, carried, spare, asked, _block()))


def _in_registers(
    p: Planner, node: Node, operands: list[Buffer], results: list[Buffer]
) -> bool:  # fmt: skip
    """A small loop or branch as the one turn of a loop in registers."""
    trace = Trace()
    params = [new_input(trace, "operand", x.shape, x.dtype) for x in node.inputs]
    outputs = results_of(node.op, *params)
    if not spins(params, outputs):
        return False
    p.append(Spin([node], [], params, outputs, operands, results, 1, 0, 0))
    return True


def plan_scatter(p: Planner, node: Node, buffer: Buffer) -> None:
    """A copy of the base, then the values added to it, or written over it."""
    base, values, *indices = node.inputs
    whole = Strided.contiguous(node.shape)
    memo: Memo = {}
    start, added = p.whole(base), p.build({}, memo, values, ())
    target = p.gather_from({}, memo, node, (), buffer, whole, indices)
    assert isinstance(target, Gather)
    p.append(Loop([node], [Store(start, buffer, whole)]))
    p.append(Scatter([node], [], target, added, values.shape, isinstance(node.op, ScatterAdd)))


def plan_later(p: Planner, node: Node, buffer: Buffer) -> None:
    """Where the operand lies, under another name, known from now on."""
    x, *known = node.inputs
    for g in known:
        p.ensure(g)
    source = p.contiguous(x)
    if buffer.kind == "output":
        whole = Strided.contiguous(node.shape)
        p.append(Loop([node], [Store(Load(source, whole), buffer, whole)]))
    else:
        p.aliases[buffer] = source
        p.made[buffer] = len(p.steps) - 1


def plan_numbers(p: Planner, node: Node, buffer: Buffer) -> None:
    """Numbers of rows, and the two tables by which they are found."""
    op, indices = node.op, node.inputs[0]
    assert isinstance(op, RowNumbers)
    expr = p.whole(indices)
    places = Buffer("arena", np.dtype(np.int32), (op.extent,))
    known = Buffer("arena", np.dtype(np.int64), node.shape)
    numbers = Store(expr, buffer, Strided.contiguous(node.shape))
    count = Buffer("arena", np.dtype(np.int64), (1,))
    p.append(Number([node], [], expr, numbers, op.extent, places, known, count))


_RESULTS: dict[type[Op], Callable[[Planner, Node, list[Buffer]], None]] = {
    Scan: _repeat,
    Sort: _sort,
    Cond: _branch,
    While: _until,
    **dict.fromkeys(
        (LogDeterminant, SymmetricEigen, SingularValues, OrthogonalFactor), plan_matrices
    ),
}
