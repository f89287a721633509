"""gg.check_grads: derivatives against differences, to any order; a failure names op, rule and line.

The whole function is checked first, along random directions. Where it fails, each op of the graph
is checked alone, at the values that occurred, and the first one that is wrong is named. Graphs with
float32 are evaluated in float64, so that their rounding hides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from glassgrad.array import Array
from glassgrad.array.creation import tracing
from glassgrad.array.handle import as_node
from glassgrad.diff import forward, reverse
from glassgrad.diff.bodies import BODIES
from glassgrad.diff.unroll import unrolled
from glassgrad.diff.widen import widened
from glassgrad.engines.reference import evaluate, interpret
from glassgrad.graph.errors import CalculusError, GlassgradError
from glassgrad.graph.family import Elementwise
from glassgrad.graph.function import Function as Body
from glassgrad.graph.node import NDArray, Node, Trace, item, make, new_input
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.loop import Custom, While
from glassgrad.ops.reduce import zeros_like
from glassgrad.rewrite.pipeline import stabilise
from glassgrad.transform.difference import KinkError, Line, Measured, site_of
from glassgrad.transform.trace import Function, argument_names, label_of, variable
from glassgrad.transform.tree import flatten, paths, unflatten

RELATIVE = 1e-8  # a derivative is right to this part of the terms that it sums
DIRECTIONS = 2

Values = dict[Node, Any]


class DerivativeError(GlassgradError, AssertionError):
    """A derivative rule that differences contradict."""


class Checked(NamedTuple):
    """What was compared: for each order the worst gap, and the gap that was allowed there."""

    gaps: tuple[tuple[float, float], ...]
    reverse: bool = True

    def __repr__(self) -> str:
        lines = [
            f"order {i + 1}: relative gap {gap:.1e}, allowed {allowed:.1e}"
            for i, (gap, allowed) in enumerate(self.gaps)
        ]
        alone = "" if self.reverse else " (forward mode alone: gg.while_loop has no reverse mode)"
        return "\n".join([f"derivatives agree with differences{alone}", *lines])


class Comparison(NamedTuple):
    """A derivative along a direction in both modes and by differences, and what they may differ."""

    forward: float
    reverse: float | None  # None where there is no reverse mode
    measured: Measured
    scale: float

    @property
    def allowed(self) -> float:
        """How far the modes may be from the differences."""
        return 10 * self.measured.error + RELATIVE * self.scale

    @property
    def gap(self) -> float:
        """How far the worse mode is."""
        return max(abs(found - self.measured.value) for found in self.modes.values())

    @property
    def modes(self) -> dict[str, float]:
        """What each mode gives, by the name of its rule."""
        reverse = {} if self.reverse is None else {"VJP": self.reverse}
        return {**reverse, "JVP": self.forward}

    @property
    def wrong(self) -> str:
        """The mode that is wrong: "VJP", "JVP", both, or none."""
        bad = [
            name
            for name, found in self.modes.items()
            if not abs(found - self.measured.value) <= self.allowed
        ]
        return " and ".join(bad)


def check_grads(f: Function, args: Sequence[Any], order: int = 2) -> Checked:
    """Compare the derivatives of f up to `order` with differences; an error names the op at fault.

    `args` are the positional arguments, a tuple; real arrays and floats in them, in containers too,
    are differentiated by, all else is passed as it is. Both modes are compared along random
    directions, with a step chosen from the measured noise; float32 is evaluated as float64. Of a
    `gg.while_loop`, which has no reverse mode, forward mode is compared alone.
    Raises `DerivativeError` naming op, rule and line where a derivative is wrong, and
    `KinkError` where the point lies on a kink of an op, since no derivative exists there.

    >>> import glassgrad as gg, numpy as np
    >>> found = gg.check_grads(lambda x: np.sum(np.tanh(x) ** 2), (np.array([0.3, -1.0]),))
    >>> len(found.gaps)
    2
    """
    if not isinstance(args, list | tuple):
        raise CalculusError("gg.check_grads takes the arguments as a tuple: check_grads(f, (x, y))")
    if order < 1:
        raise CalculusError(f"gg.check_grads: order is at least 1, not {order}")
    outputs, variables, values = _traced(f, args)
    rng = np.random.default_rng(0)
    gaps: list[tuple[float, float]] = []
    for level in range(1, order + 1):
        found, seeds = _compare(outputs, variables, values, rng, f, level)
        worst = max(found, key=lambda c: c.gap / (c.scale or 1.0))
        scale = worst.scale or 1.0
        gaps.append((worst.gap / scale, worst.allowed / scale))
        if level < order:
            outputs = _differentiated(outputs, variables, seeds, values, rng)
    return Checked(tuple(gaps), _has_reverse(outputs))


def _differentiated(
    outputs: Sequence[Node],
    variables: Sequence[Node],
    seeds: Sequence[Node],
    values: Values,
    rng: np.random.Generator,
) -> list[Node]:
    """The first derivatives as outputs: all of them by reverse mode, else along a direction."""
    if _has_reverse(outputs):
        found, like = reverse.vjp(outputs, seeds, variables), variables
    else:
        along = {x: _variable(x, _direction(values[x], rng), values) for x in variables}
        found, like = forward.jvp(outputs, along), outputs
    return [zeros_like(x) if g is None else g for x, g in zip(like, found)]


def _has_reverse(nodes: Sequence[Node]) -> bool:
    """Whether no loop of an unknown number of steps is among what computes these nodes."""
    for node in topological_order(nodes):
        if isinstance(node.op, While):
            return False
        bodies = [f for f in node.op.parameters() if isinstance(f, Body)]
        if not all(_has_reverse(body.outputs) for body in bodies):
            return False
    return True


def _traced(f: Function, args: Sequence[Any]) -> tuple[list[Node], list[Node], Values]:
    """The graph of a call in float64: real outputs, the variables, and their values."""
    trace = Trace()
    names = argument_names(f, len(args))
    variables: list[Node] = []
    new_args: list[Any] = []
    for arg, name in zip(args, names):
        leaves, tree = flatten(arg)
        if any(isinstance(v, Array) for v in leaves):
            raise CalculusError("gg.check_grads computes now: it takes plain arrays and numbers")
        handles: list[Any] = []
        for value, part in zip(leaves, paths(tree)):
            handles.append(_lifted(trace, value, name + part, variables))
        new_args.append(unflatten(tree, handles))
    with tracing(trace):
        result = f(*new_args)
    nodes = [as_node(v, trace) for v in flatten(result)[0]]
    outputs = stabilise([n for n in nodes if n.dtype.kind == "f"])
    if not outputs or not variables:
        raise CalculusError(
            f"gg.check_grads of {label_of(f)}: no real number goes in, or none comes out"
        )
    wide = widened([*outputs, *variables])
    known = {wide.get(x, x): v for x, v in trace.root().values.items() if x.outputs is None}
    values = {x: np.asarray(v, x.dtype) for x, v in known.items()}
    return [wide[y] for y in outputs], [wide[x] for x in variables], values


def _lifted(trace: Trace, value: Any, name: str, variables: list[Node]) -> Any:
    if isinstance(value, float) or np.asarray(value).dtype.kind == "f":
        variables.append(variable(trace, value, name, True))
        return Array(variables[-1])
    return Array(variable(trace, value, name, False)) if isinstance(value, np.ndarray) else value


def _compare(
    outputs: Sequence[Node],
    variables: Sequence[Node],
    values: Values,
    rng: np.random.Generator,
    f: Function,
    level: int,
) -> tuple[list[Comparison], list[Node]]:
    """The comparisons along random directions, and the cotangents of the last one as variables."""
    found: list[Comparison] = []
    seeds: list[Node] = []
    for _ in range(DIRECTIONS):
        seeds = [_variable(y, rng.normal(size=y.shape), values) for y in outputs]
        along = {x: _direction(values[x], rng) for x in variables}
        compared = _along(outputs, seeds, along, values)
        if compared.wrong:
            raise DerivativeError(_explained(outputs, values, compared, f, level))
        found.append(compared)
    return found, seeds


def _direction(value: NDArray, rng: np.random.Generator) -> NDArray:
    """A random direction in the size of a value."""
    size = float(np.sqrt(np.mean(np.square(value)))) if value.size else 1.0
    return rng.normal(size=value.shape) * (size if 0 < size < np.inf else 1.0)


def _variable(like: Node, value: Any, values: Values) -> Node:
    node = new_input(like.trace, "direction", like.shape, like.dtype)
    values[node] = np.asarray(value, like.dtype)
    return node


def _along(
    outputs: Sequence[Node], seeds: Sequence[Node], along: Mapping[Node, NDArray], values: Values
) -> Comparison:
    """One direction: both modes, and differences."""
    weights = [values[g] for g in seeds]
    measured = Line(outputs, weights, values, along).derivative()
    inputs = list(along)
    tangents = {x: _variable(x, t, values) for x, t in along.items()}
    pushed = forward.jvp(outputs, tangents)
    ahead, a = _projected(pushed, weights, values)
    if not _has_reverse(outputs):
        return Comparison(ahead, None, measured, max(a, abs(measured.value)))
    pulled = reverse.vjp(outputs, seeds, inputs)
    back, b = _projected(pulled, [along[x] for x in inputs], values)
    return Comparison(ahead, back, measured, max(a, b, abs(measured.value)))


def _projected(
    nodes: Sequence[Node | None], weights: Sequence[NDArray], values: Values
) -> tuple[float, float]:
    """The sum of products of nodes and weights, and that of their magnitudes."""
    numbers = iter(evaluate([n for n in nodes if n is not None], values))
    products = [next(numbers) * w for n, w in zip(nodes, weights) if n is not None]
    return sum(float(p.sum()) for p in products), sum(float(np.abs(p).sum()) for p in products)


# -- the op at fault ----------------------------------------------------------------------------


def _explained(
    outputs: Sequence[Node], values: Values, compared: Comparison, f: Function, level: int
) -> str:
    whole = (
        f"gg.check_grads of {label_of(f)}: wrong {compared.wrong} of order {level}: along a random "
        f"direction {_numbers(compared)}"
    )
    flat = unrolled(outputs, values, evaluate)  # an op inside a loop is looked for first
    fault = _first_fault(flat, values) or _first_fault(outputs, values)
    if fault is None:
        return (
            f"{whole}\n  every op by itself agrees with differences: look at writes into "
            "arrays, and at random numbers that differ from call to call"
        )
    return f"{whole}\n{fault}"


def _numbers(c: Comparison) -> str:
    words = {"VJP": "reverse mode gives", "JVP": "forward mode"}
    given = ", ".join(f"{words[name]} {found:.10g}" for name, found in c.modes.items())
    return f"{given}, differences {c.measured.value:.10g} ± {c.allowed:.1g}"


def _first_fault(outputs: Sequence[Node], values: Values) -> str | None:
    """The first op, inputs before consumers, whose rule is wrong at the values that occurred."""
    known = dict(values)
    order = topological_order(outputs)
    for _ in interpret(order, known):
        pass
    for node in order:
        if not any(x.linked for x in node.inputs) or node.name == "item":
            continue
        fault = _fault_of(node, [known[x] for x in node.inputs])
        if fault is not None:
            return fault
    return None


def _fault_of(node: Node, operands: Sequence[NDArray]) -> str | None:
    """What is wrong with one op, operand by operand; None where nothing is."""
    for i, x in enumerate(node.inputs):
        if x.dtype.kind != "f" or not x.size:
            continue
        try:
            compared = _alone(node, operands, i)
        except KinkError:
            continue  # differences say nothing there
        if compared is not None and compared.wrong:
            return _named(node, i, compared)
    return None


def _alone(node: Node, operands: Sequence[NDArray], index: int) -> Comparison | None:
    """One op on variables of its own, along a random direction of one operand."""
    trace = Trace()
    rng = np.random.default_rng(index)
    xs = [new_input(trace, f"x{i}", x.shape, x.dtype) for i, x in enumerate(node.inputs)]
    values: Values = dict(zip(xs, operands))
    made = make(node.op, *xs)
    count = 0 if made.outputs is None else len(made.outputs)
    outputs = [item(made, i) for i in range(count)] if count else [made]
    outputs = [y for y in outputs if y.dtype.kind == "f"]
    if not outputs:
        return None
    seeds = [_variable(y, rng.normal(size=y.shape), values) for y in outputs]
    return _along(outputs, seeds, {xs[index]: _direction(operands[index], rng)}, values)


def _named(node: Node, index: int, compared: Comparison) -> str:
    rules = [_rule_of(node, mode) for mode in compared.wrong.split(" and ")]
    return (
        f"  the op at fault is {node.op!r}: {' and '.join(dict.fromkeys(rules))}, by operand "
        f"{index}: {_numbers(compared)}{site_of(node)}"
    )


def _rule_of(node: Node, mode: str) -> str:
    """The name of a rule, and where it is written."""
    op = node.op
    if isinstance(op, Elementwise):
        rule: Callable[..., Any] | None = op.route if op.selects else op.partials
        name = "its rule `route`" if op.selects else "its rule `partials`"
    elif isinstance(op, Custom):
        return "the rule that gg.custom_rule was given"
    else:
        forward_rule, reverse_rule = BODIES.get(type(op), (op.jvp, op.vjp))
        rule = reverse_rule if mode == "VJP" else forward_rule
        name = f"its rule `{mode.lower()}`"
    code = getattr(rule, "__code__", None)
    if code is None:
        return name
    path = code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{name} ({path}:{code.co_firstlineno})"
