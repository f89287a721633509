"""Loops as ops: a body, run once for each row of its inputs."""

from __future__ import annotations

from glassgrad.graph.errors import ShapeError
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node, item, make
from glassgrad.graph.op import Aval, Op


class Scan(Op):
    """carry, y_i = body(carry, x_i, constants) for i = 0 … length−1.

    Operands: `carries` first values, then `rows` arrays with a leading axis of `length`, then what
    the body captured. Results: the last carries, then the stacked y. The calculus of a loop is in
    `diff.loop`, since it differentiates the body.
    """

    name = "scan"
    verb = "runs the gradient backwards through the steps"
    body: Function
    carries: int
    rows: int
    length: int

    def infer(self, *inputs: Node) -> tuple[Aval, ...]:
        """The carries as they came in, the other outputs with a leading axis."""
        c, r = self.carries, self.rows
        results = self.body.results
        if len(inputs) != len(self.body.params) or c > len(results):
            raise ShapeError(f"{self!r} does not fit a body of {len(self.body.params)} parameters")
        for i, x in enumerate(inputs):
            shape = x.shape[1:] if c <= i < c + r else x.shape
            param = self.body.params[i]
            if (shape, x.dtype) != (param.shape, param.dtype) or (
                c <= i < c + r and x.shape[0] != self.length
            ):
                raise ShapeError(
                    f"scan: operand {i} is {x.dtype}{list(x.shape)}, its body takes "
                    f"{param.dtype}{list(param.shape)} at each of {self.length} steps"
                )
        for i, (shape, dtype) in enumerate(results[:c]):
            if (shape, dtype) != (inputs[i].shape, inputs[i].dtype):
                raise ShapeError(
                    f"scan: the carry comes in as {inputs[i].dtype}{list(inputs[i].shape)} and "
                    f"goes out as {dtype}{list(shape)}; return it in the shape and dtype it came in"
                )
        stacked = tuple(((self.length, *shape), dtype) for shape, dtype in results[c:])
        return (*results[:c], *stacked)

    def __repr__(self) -> str:
        return f"scan(length={self.length}, carries={self.carries}, rows={self.rows})"


def scan(body: Function, carries: int, rows: int, length: int, operands: list[Node]) -> list[Node]:
    """The results of a scan: last carries, then stacked outputs."""
    node = make(Scan(body, carries, rows, length), *operands)
    assert node.outputs is not None
    return [item(node, i) for i in range(len(node.outputs))]
