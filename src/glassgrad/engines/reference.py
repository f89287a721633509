"""The reference engine: each node by NumPy, in order, nothing fused.

The interpreter is a generator of (path, node, value); whoever wants to watch a computation loops
over it. Bits depend on the BLAS that NumPy was built with, and on its number of threads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Generator, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from glassgrad.engines import matrices
from glassgrad.engines.integer_division import divided, noted, tell
from glassgrad.graph.errors import GraphError, IndexRangeError, NegativePowerError, UnboundError
from glassgrad.graph.family import Alias, Broadcast, Cast, Elementwise, Reshape
from glassgrad.graph.function import Function
from glassgrad.graph.node import Const, Input, Item, NDArray, Node, at_site
from glassgrad.graph.numpy_algebra import NUMPY
from glassgrad.graph.op import Op
from glassgrad.graph.provenance import at_caller
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.contract import Contract
from glassgrad.ops.gather import Scatter, ScatterAdd, Take
from glassgrad.ops.loop import Call, Cond, Custom, Scan, While
from glassgrad.ops.prefix import Prefix
from glassgrad.ops.random import RandomBits, philox
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.sort import Sort
from glassgrad.ops.view import Concatenate, Place, Slice, Transpose, Update

LOOP_VARIABLE = "loop variable"
EXAMPLE = "one example"
_TRACED_ONCE = {
    LOOP_VARIABLE: "the carry and the rows of gg.scan have no value while its body is traced",
    EXAMPLE: "under gg.vmap the function is traced once for all examples, and one has no value",
}

Path = tuple[str | int, ...]
Step = tuple[Path, Node, Any]


def interpret(order: Sequence[Node], values: dict[Node, Any], path: Path = ()) -> Iterator[Step]:
    """Compute each node of `order` in turn and yield (path, node, value).

    `values` holds what is known: give the inputs there, find every result there. A loop yields its
    body's nodes too, with the step's number in the path.
    """
    for node in order:
        if node in values:
            continue
        if (run := _BODIES.get(type(node.op))) is not None:
            yield from run(node.op, node, values, path)
        else:
            values[node] = compute(node, [values[x] for x in node.inputs])
        yield path, node, values[node]


def compute(node: Node, operands: Sequence[Any]) -> Any:
    """The value of one node, given those of its inputs."""
    op = node.op
    run = _RUN.get(type(op))
    if run is None:
        raise GraphError(f"the reference engine has no rule for {op!r}")
    with np.errstate(all="ignore"):
        value = run(op, node, *operands)
    return value if isinstance(value, tuple) else np.asarray(value, dtype=node.dtype)


def _elementwise(op: Elementwise, node: Node, *xs: Any) -> Any:
    if op.name == "power" and node.dtype.kind == "i" and np.any(np.less(xs[1], 0)):
        raise NegativePowerError(
            f"power: an integer to the power {np.min(xs[1])} is no integer: convert the base with "
            f".astype(float){at_site(node)}"
        )
    return divided(node, getattr(NUMPY, op.name), xs)


def _slice(op: Slice, node: Node, x: NDArray) -> Any:
    return x[_index(op)]


def _index(op: Slice) -> tuple[slice, ...]:
    """The slice as NumPy writes it; a stop before the first element is None."""
    found: list[slice] = []
    for start, step, length in zip(op.starts, op.steps, op.lengths):
        stop = start + step * length
        found.append(slice(start, None if stop < 0 else stop, step) if length else slice(0, 0))
    return tuple(found)


def _place(op: Place, node: Node, v: NDArray) -> Any:
    result = np.zeros(op.shape, v.dtype)
    result[_index(op.slice_of(node.inputs[0]))] = v
    return result


def _update(op: Update, node: Node, x: NDArray, v: NDArray) -> Any:
    result = x.copy()
    result[_index(Slice(op.starts, op.steps, v.shape))] = v
    return result


def _reduce(op: Reduce, node: Node, x: NDArray) -> Any:
    if op.kind == "logsumexp":
        return _logsumexp(x, op.axes)
    run = getattr(np, op.kind)
    kwargs = {"dtype": x.dtype} if op.kind == "sum" else {}
    return run(x, axis=op.axes, **kwargs)


def _logsumexp(x: NDArray, axes: tuple[int, ...]) -> Any:
    """max + log Σ exp(x − max): exp only ever sees a non-positive number."""
    top = x.max(axis=axes, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(top), top, 0)
    total = np.exp(x - shift).sum(axis=axes, dtype=x.dtype)
    return np.log(total) + shift.reshape(total.shape)


def _contract(op: Contract, node: Node, x: NDArray, y: NDArray) -> Any:
    """By matmul, after bringing the axes into the order batch, rows, summed / summed, columns."""
    shared = set(op.lhs) & set(op.rhs)
    batch = [i for i in op.out if i in shared]
    summed = [i for i in op.lhs if i in shared and i not in op.out]
    rows = [i for i in op.lhs if i not in shared]
    columns = [i for i in op.rhs if i not in shared]
    size = {**dict(zip(op.lhs, x.shape)), **dict(zip(op.rhs, y.shape))}
    b, m, k, n = (
        int(np.prod([size[i] for i in group], dtype=np.int64))
        for group in (batch, rows, summed, columns)
    )
    left = x.transpose([op.lhs.index(i) for i in (*batch, *rows, *summed)]).reshape(b, m, k)
    right = y.transpose([op.rhs.index(i) for i in (*batch, *summed, *columns)]).reshape(b, k, n)
    if k == 1:  # nothing is summed
        product = left * right
    else:
        product = (left[0] @ right[0])[None] if b == 1 else left @ right
    labels = (*batch, *rows, *columns)
    return product.reshape([size[i] for i in labels]).transpose([labels.index(i) for i in op.out])


def _take(op: Take, node: Node, x: NDArray, *indices: NDArray) -> Any:
    _check_indices(node, x.shape[op.axis :], indices)
    return x[(slice(None),) * op.axis + indices]


def _scatter(
    op: Scatter | ScatterAdd, node: Node, base: NDArray, v: NDArray, *indices: NDArray
) -> Any:
    _check_indices(node, base.shape[op.axis :], indices)
    result = base.copy()
    ordered = tuple(np.asarray(i, order="C") for i in indices)  # the last in this order stays
    where: Any = (slice(None),) * op.axis + ordered
    if isinstance(op, ScatterAdd):
        np.add.at(result, where, v)
    else:
        result[where] = np.asarray(v, order="C")
    return result


def _prefix(op: Prefix, node: Node, x: NDArray) -> Any:
    if op.backward:
        return np.flip(np.cumsum(np.flip(x, op.axis), op.axis, dtype=x.dtype), op.axis)
    return np.cumsum(x, op.axis, dtype=x.dtype)


def _check_indices(node: Node, extents: Sequence[int], indices: Sequence[NDArray]) -> None:
    for n, index in zip(extents, indices):
        if index.size and (index.max() >= n or index.min() < -n):
            worst = index.max() if index.max() >= n else index.min()
            raise IndexRangeError(
                f"{node.name}: index {worst} is out of range for an axis of length {n}"
                f"{at_site(node)}"
            )


def _sort(op: Sort, node: Node, x: NDArray) -> tuple[NDArray, NDArray]:
    places = np.argsort(x, axis=op.axis, kind="stable")
    return np.take_along_axis(x, places, op.axis), places


def _random_bits(op: RandomBits, node: Node, key: NDArray) -> Any:
    n = int(np.prod(op.shape, dtype=np.int64))
    return philox(key, n, op.stream).reshape(op.shape)


# -- ops that hold functions ------------------------------------------------------------------


def _body(body: Function, operands: Sequence[Any], path: Path) -> Generator[Step, None, list[Any]]:
    """The nodes of a function, one by one; returns its results."""
    inner = dict(zip(body.params, operands))
    yield from interpret(body.order, inner, path)
    return [inner[y] for y in body.outputs]


def _scan(op: Scan, node: Node, values: dict[Node, Any], path: Path) -> Iterator[Step]:
    assert node.outputs is not None
    operands = [values[x] for x in node.inputs]
    c, r = op.carries, op.rows
    carry = operands[:c]
    stacked = [np.empty(shape, dtype) for shape, dtype in node.outputs[c:]]
    for step in range(op.length):
        rows = [x[step] for x in operands[c : c + r]]
        given = (*carry, *rows, *operands[c + r :])
        results = yield from _body(op.body, given, (*path, repr(op), step))
        carry = results[:c]
        for whole, part in zip(stacked, results[c:]):
            whole[step] = part
    values[node] = (*carry, *stacked)


def _cond(op: Cond, node: Node, values: dict[Node, Any], path: Path) -> Iterator[Step]:
    pred, *operands = (values[x] for x in node.inputs)
    body, name = (op.yes, "true") if pred else (op.no, "false")
    values[node] = tuple((yield from _body(body, operands, (*path, repr(op), name))))


def _while(op: While, node: Node, values: dict[Node, Any], path: Path) -> Iterator[Step]:
    operands = [values[x] for x in node.inputs]
    for step in count():
        inside = (*path, repr(op), step)
        (goes_on,) = yield from _body(op.test, operands, inside)
        if not goes_on:
            break
        operands[: op.carries] = yield from _body(op.body, operands, inside)
    values[node] = tuple(operands[: op.carries])


def _call(op: Call | Custom, node: Node, values: dict[Node, Any], path: Path) -> Iterator[Step]:
    operands = [values[x] for x in node.inputs]
    values[node] = tuple((yield from _body(op.body, operands, (*path, repr(op)))))


_BODIES: dict[type[Op], Callable[..., Iterator[Step]]] = {
    Scan: _scan,
    Cond: _cond,
    While: _while,
    Call: _call,
    Custom: _call,
}

_RUN: dict[type[Op], Callable[..., Any]] = {
    Elementwise: _elementwise,
    Const: lambda op, node: op.value,
    Item: lambda op, node, xs: xs[op.index],
    Alias: lambda op, node, x: x,
    Cast: lambda op, node, x: x.astype(op.dtype),
    Broadcast: lambda op, node, x: np.broadcast_to(x, op.shape),
    Reshape: lambda op, node, x: x.reshape(op.shape),
    Transpose: lambda op, node, x: x.transpose(op.perm),
    Slice: _slice,
    Place: _place,
    Update: _update,
    Concatenate: lambda op, node, *xs: np.concatenate(xs, axis=op.axis),
    Reduce: _reduce,
    Contract: _contract,
    Take: _take,
    ScatterAdd: _scatter,
    Scatter: _scatter,
    Prefix: _prefix,
    Sort: _sort,
    RandomBits: _random_bits,
    **matrices.RUN,
}


def bound_order(outputs: Sequence[Node], values: Mapping[Node, Any]) -> list[Node]:
    """What is still to be computed for the outputs; an input without a value is an error."""
    order = topological_order(outputs, values)
    for node in order:
        if isinstance(node.op, Input):
            if node.op.label in _TRACED_ONCE:
                raise UnboundError(
                    f"{_TRACED_ONCE[node.op.label]}: use gg.cond or np.where instead of if, and "
                    f"shapes instead of values{at_caller()}"
                )
            raise UnboundError(
                f"variable {node.op.label!r} has no value: give one, as in "
                f"gg.evaluate([e], {{{node.op.label}: 2.0}})"
            )
    return order


def _deaths(order: Sequence[Node], kept: Container[Node]) -> dict[Node, list[Node]]:
    """For each node the values that nobody needs after it."""
    last = {x: node for node in order for x in node.inputs if x not in kept}
    dying: dict[Node, list[Node]] = {}
    for x, user in last.items():
        dying.setdefault(user, []).append(x)
    return dying


def _run(order: Sequence[Node], known: dict[Node, Any], dying: Mapping[Node, list[Node]]) -> None:
    for _, node, _value in interpret(order, known):
        for x in dying.get(node, ()):
            known.pop(x, None)


def evaluate(outputs: Sequence[Node], values: Mapping[Node, Any]) -> list[NDArray]:
    """The values of the outputs, given values for the inputs under them.

    Each result is freed after its last use. An input without a value is an `UnboundError`. What
    went wrong in integer divisions is told at the end.
    """
    order = bound_order(outputs, values)
    known = dict(values)
    with noted() as faults:
        _run(order, known, _deaths(order, {*outputs, *values}))
    tell(faults)
    return [known[y] for y in outputs]


class ReferenceProgram:
    """A graph scheduled once and run by the interpreter."""

    def __init__(self, outputs: Sequence[Node], inputs: Sequence[Node]) -> None:
        self.outputs = tuple(outputs)
        self.inputs = tuple(inputs)
        self.order = bound_order(outputs, dict.fromkeys(inputs))
        self._dying = _deaths(self.order, {*outputs, *inputs})

    def __call__(self, arrays: Sequence[Any]) -> list[NDArray]:
        """The outputs for these inputs, as arrays of the caller's own."""
        known = dict(zip(self.inputs, arrays))
        with noted() as faults:
            _run(self.order, known, self._dying)
        tell(faults)
        return [np.array(known[y]) for y in self.outputs]

    def report(self) -> str:
        """How many nodes of which op are run."""
        counts = Counter(repr(n.op) if n.name == "reduce" else n.name for n in self.order)
        listed = ", ".join(f"{name} x{n}" for name, n in counts.most_common())
        return f"reference engine: {len(self.order)} nodes, run one by one in NumPy: {listed}"
