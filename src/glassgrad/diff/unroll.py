"""The same graph without loops and branches: every step written out, as it runs at given values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from glassgrad.graph.family import reshape
from glassgrad.graph.function import Function
from glassgrad.graph.node import Item, Node, make
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.loop import Call, Cond, Scan, While
from glassgrad.ops.view import concatenate, rows

Evaluate = Callable[[Sequence[Node], Mapping[Node, Any]], Sequence[Any]]
MOST_NODES = 20_000  # a loop with more steps times nodes stays one


def unrolled(
    outputs: Sequence[Node],
    values: Mapping[Node, Any],
    run: Evaluate,
    asked: list[Node] | None = None,
    done: Sequence[Node] = (),
) -> list[Node]:
    """The outputs with the bodies of scans, branches and calls in the place of these.

    Of a branch the one that is taken at `values` is written out, and as many turns of a while loop
    as it takes there; `run` tells. The predicates are appended to `asked`; what lies under `done`
    is left as it is.
    """
    asked = [] if asked is None else asked
    new: dict[Node, Node] = {x: x for x in done}
    several: dict[Node, Sequence[Node]] = {}
    for node in topological_order(outputs, dict(new)):
        if isinstance(node.op, Item) and node.inputs[0] in several:
            new[node] = several[node.inputs[0]][node.op.index]
            continue
        inputs = [new[x] for x in node.inputs]
        if isinstance(node.op, Cond):
            asked.append(inputs[0])
        written = _written_out(node, inputs, values, run, asked)
        if written is not None:
            several[node] = unrolled(written, values, run, asked, inputs)
        elif inputs == list(node.inputs):
            new[node] = node
        else:
            with inputs[0].trace.making("rewrite", node, "written out"):
                new[node] = make(node.op, *inputs)
    return [new[y] for y in outputs]


def _written_out(
    node: Node,
    inputs: Sequence[Node],
    values: Mapping[Node, Any],
    run: Evaluate,
    asked: list[Node],
) -> list[Node] | None:
    """The results of a loop, a branch or a call as nodes of this graph, None for any other op."""
    op = node.op
    if isinstance(op, Call):
        return op.body.inline(inputs)
    if isinstance(op, Cond):
        pred, *operands = inputs
        (taken,) = run([pred], values)
        body: Function = op.yes if taken else op.no
        return body.inline(operands)
    if isinstance(op, Scan) and 0 < op.length * len(op.body.order) <= MOST_NODES:
        return _steps(op, inputs)
    if isinstance(op, While):
        return _turns(op, inputs, values, run, asked)
    return None


def _turns(
    op: While,
    inputs: Sequence[Node],
    values: Mapping[Node, Any],
    run: Evaluate,
    asked: list[Node],
) -> list[Node] | None:
    """As many turns of a loop as it takes at the values; None where these are too many."""
    c, fixed = op.carries, list(inputs[op.carries :])
    carry, tests = list(inputs[:c]), list[Node]()
    now, still = list(run(inputs, values)), True
    while len(tests) * len(op.body.order) <= MOST_NODES:
        tests += op.test.inline([*carry, *fixed])
        (still,) = run(op.test.outputs, dict(zip(op.test.params, now)))
        if not still:
            asked += tests
            return carry
        carry = op.body.inline([*carry, *fixed])
        now[:c] = run(op.body.outputs, dict(zip(op.body.params, now)))
    return None


def _steps(op: Scan, inputs: Sequence[Node]) -> list[Node]:
    c, r = op.carries, op.rows
    carry = list(inputs[:c])
    stacks: list[list[Node]] = [[] for _ in op.body.outputs[c:]]
    for step in range(op.length):
        row = [reshape(rows(x, step, step + 1), x.shape[1:]) for x in inputs[c : c + r]]
        results = op.body.inline([*carry, *row, *inputs[c + r :]])
        carry = results[:c]
        for stack, y in zip(stacks, results[c:]):
            stack.append(reshape(y, (1, *y.shape)))
    return [*carry, *(concatenate(stack) for stack in stacks)]
