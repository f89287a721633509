"""Graphs as JSON, and back: versioned, naming registered ops only, nothing is ever executed.

A file is a list of rows, inputs before consumers: the op's name, its parameters, the numbers of its
input rows. Constants are little-endian bytes in base64.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from glassgrad.graph.dtype import as_dtype
from glassgrad.graph.errors import GlassgradError, GraphError
from glassgrad.graph.function import Function
from glassgrad.graph.node import Const, Input, Node, Trace, constant, make, new_input
from glassgrad.graph.op import REGISTRY, Op
from glassgrad.graph.traverse import topological_order

FORMAT = "glassgrad-graph"
VERSION = 1
MOST_ROWS = 10_000_000

Row = dict[str, Any]


def dumps(outputs: Sequence[Node]) -> str:
    """The graph under the outputs as JSON text.

    >>> import glassgrad as gg
    >>> from glassgrad.graph.serial import dumps, loads
    >>> print(gg.Array(loads(dumps([(gg.variable("a") + 1).node]))[0]))
    a + 1
    """
    return json.dumps({"format": FORMAT, "version": VERSION, **_graph(outputs)}, allow_nan=False)


def _graph(outputs: Sequence[Node], params: Sequence[Node] = ()) -> dict[str, Any]:
    order = topological_order([*params, *outputs])
    number = {node: i for i, node in enumerate(order)}
    return {
        "nodes": [_row(node, number) for node in order],
        "outputs": [number[y] for y in outputs],
    }


def _row(node: Node, number: dict[Node, int]) -> Row:
    row: Row = {"op": node.name}
    if isinstance(node.op, Input):
        label = node.trace.root().names.get(node, node.op.label)
        row |= {"label": label, "shape": list(node.shape), "dtype": str(node.dtype)}
    elif isinstance(node.op, Const):
        value = node.op.value
        data = base64.b64encode(value.astype(value.dtype.newbyteorder("<")).tobytes()).decode()
        row |= {"shape": list(value.shape), "dtype": str(value.dtype), "data": data}
    else:
        fields = {f: _plain(getattr(node.op, f)) for f in node.op.fields if f != "name"}
        row |= {"with": fields} if fields else {}
        row["inputs"] = [number[x] for x in node.inputs]
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, Function):
        inner = _graph(value.outputs, value.params)
        order = topological_order([*value.params, *value.outputs])
        return {"function": {**inner, "params": [order.index(p) for p in value.params]}}
    if isinstance(value, np.dtype):
        return {"dtype": str(cast(Any, value))}
    return list(cast(Sequence[Any], value)) if isinstance(value, tuple) else value


def loads(text: str) -> list[Node]:
    """The outputs of a graph in a new trace; a `GraphError` says what is wrong with the text."""
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as problem:
        raise GraphError(f"this is no JSON: {problem}") from None
    if not isinstance(data, dict) or cast(Row, data).get("format") != FORMAT:
        raise GraphError(f"this is no graph file: its 'format' must be {FORMAT!r}")
    row = cast(Row, data)
    if row.get("version") != VERSION:
        raise GraphError(
            f"this graph file has version {row.get('version')!r}, this glassgrad reads {VERSION}: "
            "save it anew, or use the glassgrad that wrote it"
        )
    nodes, outputs = _load(row, Trace())
    return [nodes[i] for i in outputs]


def _load(data: Row, trace: Trace) -> tuple[list[Node], list[int]]:
    rows = _list(data, "nodes")
    if len(rows) > MOST_ROWS:
        raise GraphError(f"a graph file has at most {MOST_ROWS} rows, this one has {len(rows)}")
    nodes: list[Node] = []
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            raise GraphError(f"row {i} is not an object")
        try:
            nodes.append(_node(cast(Row, row), nodes, trace, rows, i))
        except GraphError as problem:
            raise GraphError(f"row {i}: {problem}") from None
        except (
            GlassgradError,
            TypeError,
            ValueError,
            KeyError,
            AttributeError,
            OverflowError,
        ) as bad:
            raise GraphError(f"row {i} ({str(cast(Row, row).get('op'))[:40]}): {bad}") from None
    return nodes, [_index(j, nodes, rows, -1) for j in _list(data, "outputs")]


def _list(row: Row, key: str) -> list[Any]:
    found = row.get(key)
    if not isinstance(found, list):
        raise GraphError(f"{key!r} must be a list")
    return cast(list[Any], found)


def _node(row: Row, nodes: list[Node], trace: Trace, rows: list[Any], i: int) -> Node:
    name = row.get("op")
    special = _SPECIAL.get(str(name))
    if special is not None:
        return special(row, trace)
    inputs = [_index(j, nodes, rows, i) for j in _list(row, "inputs")]
    op = _op(name, row.get("with", {}))
    if not inputs:
        raise GraphError(f"op {name!r} without inputs")
    return make(op, *(nodes[j] for j in inputs))


def _index(j: Any, nodes: list[Node], rows: list[Any], i: int) -> int:
    if not isinstance(j, int) or isinstance(j, bool) or not 0 <= j < len(rows):
        raise GraphError(f"it names row {j!r}, which does not exist")
    if j >= len(nodes):
        raise GraphError(f"a cycle: {' -> '.join(map(str, _cycle(rows, i, j)))}; graphs have none")
    return j


def _cycle(rows: list[Any], start: int, first: int) -> list[int]:
    """The rows of a cycle, if following the inputs from `first` leads back to `start`."""
    came: dict[int, int] = {first: start}
    todo = [first]
    while todo:
        at = todo.pop()
        row = rows[at] if 0 <= at < len(rows) else None
        for x in cast(Row, row).get("inputs", ()) if isinstance(row, dict) else ():
            if x == start:
                chain = [at]
                while chain[-1] != first:
                    chain.append(came[chain[-1]])
                return [start, *reversed(chain), start]
            if isinstance(x, int) and x not in came:
                came[x] = at
                todo.append(x)
    return [start, first]


def _op(name: Any, given: Any) -> Op:
    registered = REGISTRY.get(name) if isinstance(name, str) else None
    if registered is None:
        raise GraphError(
            f"op {str(name)[:80]!r} is not registered; a file may name registered ops only"
        )
    if not isinstance(given, dict):
        raise GraphError("'with' must be an object")
    fields = {str(key): _value(value) for key, value in cast(Row, given).items()}
    if isinstance(registered, Op):
        if fields:
            raise GraphError(f"op {name!r} has no parameters, the file gives {sorted(fields)}")
        return registered
    return registered(**fields)


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_value(v) for v in cast(list[Any], value))
    if isinstance(value, dict):
        entry = cast(Row, value)
        if set(entry) == {"dtype"}:
            return as_dtype(entry["dtype"])
        if set(entry) == {"function"}:
            nodes, outputs = _load(entry["function"], Trace())
            params = [nodes[int(i)] for i in _list(entry["function"], "params")]
            return Function(params, [nodes[i] for i in outputs])
        raise GraphError(
            f"a parameter is a number, text, list, dtype or function, not {value!r:.80}"
        )
    return value


def _shape(row: Row) -> tuple[int, ...]:
    found = _list(row, "shape")
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in found):
        raise GraphError(f"shape {found!r:.80} must be a list of non-negative integers")
    return tuple(found)


def _load_input(row: Row, trace: Trace) -> Node:
    return new_input(trace, str(row.get("label", "x")), _shape(row), row.get("dtype"))


def _load_const(row: Row, trace: Trace) -> Node:
    dtype = as_dtype(row.get("dtype"))
    try:
        data = base64.b64decode(str(row.get("data")), validate=True)
    except binascii.Error as problem:
        raise GraphError(f"its data is no base64: {problem}") from None
    shape = _shape(row)
    wanted = int(np.prod(shape, dtype=np.float64)) * dtype.itemsize
    if len(data) != wanted:
        raise GraphError(f"it has {len(data)} bytes, shape {shape} of {dtype} needs {wanted}")
    return constant(
        trace, np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape).astype(dtype)
    )


_SPECIAL: dict[str, Callable[[Row, Trace], Node]] = {"input": _load_input, "const": _load_const}
