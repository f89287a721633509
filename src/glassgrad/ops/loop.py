"""Ops that hold functions: loops, branches, and calls that are computed again or have own rules.

Their calculus is in `diff.bodies`, since it differentiates the functions.
"""

from __future__ import annotations

from collections.abc import Callable

from glassgrad.graph.dtype import BOOL
from glassgrad.graph.errors import ShapeError
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node, item, make
from glassgrad.graph.op import Aval, Op
from glassgrad.graph.provenance import at_caller


class Scan(Op):
    """carry, y_i = body(carry, x_i, constants) for i = 0 … length−1.

    Operands: `carries` first values, then `rows` arrays with a leading axis of `length`, then what
    the body captured. Results: the last carries, then the stacked y. The calculus of a loop is in
    `diff.loop`, since it differentiates the body.
    """

    name = "scan"
    verb = "runs the gradient backwards through the steps"
    cost = "its body, at each step"
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
                    f"{at_caller()}"
                )
        stacked = tuple(((self.length, *shape), dtype) for shape, dtype in results[c:])
        return (*results[:c], *stacked)

    def flops(self, node: Node) -> int:
        """At every step the body."""
        return self.length * self.body.flops()

    def __repr__(self) -> str:
        return f"scan(length={self.length}, carries={self.carries}, rows={self.rows})"


def scan(body: Function, carries: int, rows: int, length: int, operands: list[Node]) -> list[Node]:
    """The results of a scan: last carries, then stacked outputs."""
    node = make(Scan(body, carries, rows, length), *operands)
    assert node.outputs is not None
    return [item(node, i) for i in range(len(node.outputs))]


def _check_operands(what: str, body: Function, inputs: tuple[Node, ...]) -> None:
    """Raise where the operands are not what a function takes."""
    given = [(x.shape, x.dtype) for x in inputs]
    if given != [(p.shape, p.dtype) for p in body.params]:
        raise ShapeError(f"{what}: the operands {given} do not fit a function of {body.params}")


class Cond(Op):
    """yes(operands) where the first operand, one boolean, is true, else no(operands)."""

    name = "cond"
    verb = "runs the gradient through the branch that was taken"
    cost = "the dearer of its branches"
    yes: Function
    no: Function

    def infer(self, *inputs: Node) -> tuple[Aval, ...]:
        """What both branches give."""
        pred, *operands = inputs
        if pred.shape != () or pred.dtype != BOOL:
            raise ShapeError(f"cond: the predicate is one boolean, not {pred.dtype}{pred.shape}")
        for body in (self.yes, self.no):
            _check_operands("cond", body, tuple(operands))
        if self.yes.results != self.no.results:
            raise ShapeError(f"cond: the branches give {self.yes.results} and {self.no.results}")
        return self.yes.results

    def flops(self, node: Node) -> int:
        """The dearer of the branches."""
        return max(self.yes.flops(), self.no.flops())

    def __repr__(self) -> str:
        return f"cond({len(self.yes.order)} or {len(self.no.order)} nodes)"


class While(Op):
    """carry = body(carry, constants) as long as test(carry, constants).

    Operands: `carries` first values, then what the functions captured. Results: the last carries.
    """

    name = "while_loop"
    verb = "passes tangents through the steps; it has no reverse mode"
    cost = "its test and its body, a step: how many there are, only the run tells"
    test: Function
    body: Function
    carries: int

    def infer(self, *inputs: Node) -> tuple[Aval, ...]:
        """The carries as they came in."""
        for function in (self.test, self.body):
            _check_operands("while_loop", function, inputs)
        if self.test.results != (((), BOOL),):
            raise ShapeError(f"while_loop: the test gives one boolean, not {self.test.results}")
        given = tuple((x.shape, x.dtype) for x in inputs[: self.carries])
        if self.body.results != given:
            raise ShapeError(f"while_loop: the carry is {given} and becomes {self.body.results}")
        return given

    def flops(self, node: Node) -> int:
        """Those of one step: how many there are, only the run tells."""
        return self.test.flops() + self.body.flops()

    def __repr__(self) -> str:
        return f"while_loop(carries={self.carries})"


class Call(Op):
    """The function of the operands, computed apart: its derivative computes it again.

    In such a derivative the last `late` operands are cotangents: an engine that wants to save
    memory computes the function when they are known, and not before.
    """

    name = "call"
    verb = "computes the function again, then its gradient"
    cost = "its function"
    body: Function
    late: int = 0

    def infer(self, *inputs: Node) -> tuple[Aval, ...]:
        """What the function gives."""
        _check_operands("call", self.body, inputs)
        return self.body.results

    def flops(self, node: Node) -> int:
        """Those of the function."""
        return self.body.flops()

    def __repr__(self) -> str:
        return f"remat({len(self.body.order)} nodes)"


class Custom(Op):
    """A function with derivative rules of its own, for its first `count` operands.

    back:  (*operands, *results, cotangents of the real results) -> those of the real operands.
    ahead: (*operands, *results, tangents of the real operands) -> those of the real results.
    One of the two may be None: it is the transpose of the other.
    """

    name = "custom"
    verb = "passes the gradient by its own rule"
    cost = "its function"
    body: Function
    back: Function | None
    ahead: Function | None
    count: int

    def infer(self, *inputs: Node) -> tuple[Aval, ...]:
        """What the function gives."""
        _check_operands("custom_rule", self.body, inputs)
        return self.body.results

    def flops(self, node: Node) -> int:
        """Those of the function."""
        return self.body.flops()

    def __repr__(self) -> str:
        return f"custom_rule({len(self.body.order)} nodes)"


def results_of(op: Op, *operands: Node) -> list[Node]:
    """The results of an op that has several, as nodes."""
    node = make(op, *operands)
    return [item(node, i) for i in range(len(node.outputs or ()))]


def functions_of(node: Node) -> list[Function]:
    """The functions that a node's op holds."""
    if node.outputs is None:
        return []
    return [f for f in node.op.parameters() if isinstance(f, Function)]


def with_functions(op: Op, change: Callable[[Function], Function]) -> Op:
    """The op with others in the place of its functions."""
    return type(op)(*(change(v) if isinstance(v, Function) else v for v in op.parameters()))


def place_of_one_more(node: Node) -> int:
    """Where an op that holds functions takes one more operand: after all, but for cotangents."""
    return len(node.inputs) - (node.op.late if isinstance(node.op, Call) else 0)
