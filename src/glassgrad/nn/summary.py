"""What a model is made of: shapes, parameters and operations, layer by layer, as a text table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from glassgrad.array import Array
from glassgrad.graph.errors import ShapeError
from glassgrad.graph.node import Node
from glassgrad.graph.traverse import topological_order
from glassgrad.nn.formula import Width, parameter_formula
from glassgrad.nn.layer import Linear
from glassgrad.nn.module import WATCH, Module, count_parameters, modules
from glassgrad.transform.trace import trace_call
from glassgrad.transform.tree import flatten


class Row(NamedTuple):
    """One call of a layer: where it stands, its class, the shape that came out, and its size."""

    layer: str
    kind: str
    output: str
    parameters: int
    operations: int


class Summary(NamedTuple):
    """The calls of all layers in order, and the totals; printed, it is a table."""

    rows: tuple[Row, ...]
    parameters: int
    operations: int
    formula: str

    def __repr__(self) -> str:
        total = Row("total", "", "", self.parameters, self.operations)
        head = ("layer", "kind", "output", "parameters", "operations")
        cells = [head] + [(*r[:3], f"{r[3]:,}", f"{r[4]:,}") for r in (*self.rows, total)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
        lines = ["  ".join(_placed(row, widths)).rstrip() for row in cells]
        rule = "-" * max(map(len, lines))
        shown = [lines[0], rule, *lines[1:-1], rule, lines[-1]]
        return "\n".join([*shown, f"parameters: {self.formula}"] if self.formula else shown)


def _placed(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The cells of a row in their columns: words to the left, numbers to the right."""
    return [c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]


def summary(model: Any, *args: Any, names: Sequence[Width] = (), **kwargs: Any) -> Summary:
    """The layers that `model(*args, **kwargs)` calls; nothing is computed, only traced.

    `operations` counts the additions, multiplications and functions of numbers in one call as it
    is written. `names` are the widths of a chain of linear layers in symbols, the inputs first: the
    shapes then show them, and the number of weights is a formula too.

    >>> from glassgrad import nn
    >>> first, last = nn.Linear(np.ones((4, 2)), np.ones(4)), nn.Linear(np.ones((3, 4)))
    >>> net = nn.Sequential((first, nn.Activation("tanh"), last))
    >>> print(nn.summary(net, np.ones((5, 2)), names=("n", "m", 3)))
    layer     kind        output    parameters  operations
    ------------------------------------------------------
    layers.0  Linear      (5, m=4)          12         100
    layers.1  Activation  (5, m=4)           0          20
    layers.2  Linear      (5, 3)            12         120
    ------------------------------------------------------
    total                                   24         240
    parameters: m(n + 1) + 3m = m(n + 4)
    """
    recorder = _Recorder(tuple(names))

    def called(model: Any, *given: Any, **named: Any) -> Any:
        recorder.paths = {id(m): path for path, m in modules(model)}
        token = WATCH.set(recorder.watch)
        try:
            return model(*given, **named)
        finally:
            WATCH.reset(token)

    trace_call(called, (model, *args), kwargs, ())
    chain = recorder.linear
    if names and len(names) != len(chain) + 1:
        raise ShapeError(
            f"summary: {len(chain)} linear layers have {len(chain) + 1} widths, but names has "
            f"{len(names)}: {tuple(names)}"
        )
    formula = parameter_formula(names, [m.bias is not None for m in chain]) if names else ""
    operations = sum(row.operations for row in recorder.rows)
    return Summary(tuple(recorder.rows), count_parameters(model), operations, formula)


class _Recorder:
    """Listens to the calls of modules, and writes the rows."""

    def __init__(self, names: tuple[Width, ...]) -> None:
        self.names = names
        self.rows: list[Row] = []
        self.paths: dict[int, str] = {}
        self.linear: list[Linear] = []

    def watch(self, module: Module, call: Any, args: Any, kwargs: Any) -> Any:
        """Make the call; note it, without what its own parts do."""
        place = len(self.rows)
        result = call(module, *args, **kwargs)
        inside = self.rows[place:]
        if isinstance(module, Linear):
            self.linear.append(module)
        done = _operations(_nodes(result), set(_nodes((module, args, kwargs))))
        own = done - sum(row.operations for row in inside)
        held = count_parameters(module) - sum(row.parameters for row in inside)
        if not inside or own or held > 0:
            path, kind = self.paths.get(id(module), "(made inside)"), type(module).__name__
            shape = self._shape(result)
            self.rows.append(Row(path or "(model)", kind, shape, max(held, 0), own))
        return result

    def _shape(self, result: Any) -> str:
        """The shape of the first array that comes out, its last axis by name if it has one."""
        leaves = [v for v in flatten(result)[0] if np.ndim(v)]
        shape = [str(n) for n in np.shape(leaves[0])] if leaves else []
        name = self.names[len(self.linear)] if len(self.linear) < len(self.names) else None
        if shape and self.linear and isinstance(name, str):
            last = self.linear[-1].weight.shape[0]
            shape[-1] = f"{name}={last}" if str(last) == shape[-1] else shape[-1]
        return f"({', '.join(shape)})"


def _nodes(value: Any) -> list[Node]:
    return [leaf.node for leaf in flatten(value)[0] if isinstance(leaf, Array)]


def _operations(outputs: Sequence[Node], known: Any) -> int:
    """The operations on numbers between known nodes and outputs."""
    return sum(node.op.flops(node) for node in topological_order(outputs, known))
