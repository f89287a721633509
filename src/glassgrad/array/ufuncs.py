"""NumPy's ufuncs on handles: the elementwise ops of the same names, and matmul."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassgrad.array.handle import Array, as_node
from glassgrad.array.protocol import HANDLERS, UFUNCS
from glassgrad.graph.dtype import BOOL, FLOAT64, INT64, DType, as_dtype, holds, promote, to_float
from glassgrad.graph.errors import DTypeError, NegativePowerError, NoRuleError
from glassgrad.graph.family import Elementwise, broadcast_to, cast, literal, reshape
from glassgrad.graph.node import Node, Trace, constant
from glassgrad.graph.op import REGISTRY
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.arithmetic import divide, power, square
from glassgrad.ops.compare import equal, less, less_equal, not_equal
from glassgrad.ops.contract import matmul
from glassgrad.ops.gather import scatter_add
from glassgrad.ops.prefix import cumprod, cumsum, cumulate
from glassgrad.ops.product import product
from glassgrad.ops.reduce import normal_axes, reduce, sum_
from glassgrad.ops.select import bounded_above, bounded_below

Value = Node | float


def _power(x: Value, y: Value) -> Node:
    """x**2 is a square and x**1 is x itself; all else is a power."""
    exponent = literal(y)
    if isinstance(x, Node) and x.dtype.kind == "f" and (not isinstance(y, Node) or y.shape == ()):
        if exponent == 2:
            return square.apply(x)
        if exponent == 1:
            return x
    if exponent is not None and exponent < 0 and all(_is_whole(v) for v in (x, y)):
        raise NegativePowerError(
            f"integers have no negative integer powers: convert with .astype(float){at_caller()}"
        )
    return power.apply(x, y)


def _is_whole(x: Value) -> bool:
    return isinstance(x, int) or (isinstance(x, Node) and x.dtype.kind in "iu")


def _in_float64(x: Value) -> Value:
    return cast(x, FLOAT64) if isinstance(x, Node) else x


def _matmul(x: Value, y: Value) -> Node:
    trace = next(v.trace for v in (x, y) if isinstance(v, Node))
    return matmul(*(v if isinstance(v, Node) else constant(trace, v) for v in (x, y)))


def _positive(x: Value) -> Value:
    if isinstance(x, Node) and x.dtype == np.bool_:
        raise DTypeError(f"np.positive is not defined for booleans{at_caller()}")
    return x


def _reciprocal(x: Value) -> Node:
    if isinstance(x, Node) and x.dtype.kind != "f":
        raise DTypeError(
            f"np.reciprocal of {x.dtype} would divide integers: write 1/x{at_caller()}"
        )
    return divide.apply(1, x)


def _real(x: Value) -> Any:
    """Integers and booleans in float64, reals as they are."""
    return cast(x, to_float(x.dtype)) if isinstance(x, Node) else x


def _whole(name: str) -> Callable[..., Node]:
    """Division with a remainder; of two booleans in int8, as in NumPy."""

    def run(x: Value, y: Value) -> Node:
        if all(isinstance(v, bool) or (isinstance(v, Node) and v.dtype == BOOL) for v in (x, y)):
            x = cast(x, np.dtype(np.int8)) if isinstance(x, Node) else int(x)
            y = cast(y, np.dtype(np.int8)) if isinstance(y, Node) else int(y)
        return REGISTRY[name].apply(x, y)

    return run


def _compared(ufunc: Any, run: Callable[..., Node]) -> Callable[..., Node]:
    """A comparison, also with a Python integer beyond all that the other operand's dtype holds."""

    def answer(x: Value, y: Value) -> Node:
        for node, number, turned in ((x, y, 1), (y, x, -1)):
            if not isinstance(node, Node) or isinstance(number, Node) or holds(node.dtype, number):
                continue
            side = turned if number > 0 else -turned
            return broadcast_to(constant(node.trace, ufunc(0, side)), node.shape)
        return run(x, y)

    return answer


def _ignoring_nan(extreme: Callable[..., Node]) -> Callable[..., Node]:
    """maximum or minimum, of which a NaN is the other operand."""

    def run(x: Value, y: Value) -> Node:
        result = extreme(x, y)
        for a, b in ((x, y), (y, x)):
            if isinstance(a, Node) and a.dtype.kind == "f":
                result = REGISTRY["where"].apply(REGISTRY["isnan"].apply(a), b, result)
        return result

    return run


def _logaddexp2(x: Value, y: Value) -> Node:
    op, two = REGISTRY["logaddexp"], math.log(2)
    return op.apply(*(v * two for v in op.operands(x, y))) * (1 / two)


UFUNCS.update(
    {
        getattr(np, name): op.apply
        for name, op in list(REGISTRY.items())
        if isinstance(op, Elementwise) and isinstance(getattr(np, name, None), np.ufunc)
    }
)
UFUNCS.update(
    {
        np.maximum: bounded_below,
        np.minimum: bounded_above,
        np.matmul: _matmul,
        np.power: _power,
        np.float_power: lambda x, y: _power(*(_in_float64(v) for v in (x, y))),
        np.less: _compared(np.less, less.apply),
        np.less_equal: _compared(np.less_equal, less_equal.apply),
        np.equal: _compared(np.equal, equal.apply),
        np.not_equal: _compared(np.not_equal, not_equal.apply),
        np.greater: _compared(np.greater, lambda x, y: less.apply(y, x)),
        np.greater_equal: _compared(np.greater_equal, lambda x, y: less_equal.apply(y, x)),
        np.positive: _positive,
        np.reciprocal: _reciprocal,
        np.bitwise_and: REGISTRY["logical_and"].apply,
        np.bitwise_or: REGISTRY["logical_or"].apply,
        np.bitwise_xor: REGISTRY["logical_xor"].apply,
        np.invert: REGISTRY["logical_not"].apply,
        np.floor_divide: _whole("floor_divide"),
        np.remainder: _whole("remainder"),
        np.fmod: _whole("fmod"),
        np.fabs: lambda x: REGISTRY["abs"].apply(_real(x)),
        np.deg2rad: lambda x: _real(x) * (math.pi / 180),
        np.radians: lambda x: _real(x) * (math.pi / 180),
        np.rad2deg: lambda x: _real(x) * (180 / math.pi),
        np.degrees: lambda x: _real(x) * (180 / math.pi),
        np.fmax: _ignoring_nan(bounded_below),
        np.fmin: _ignoring_nan(bounded_above),
        np.logaddexp2: _logaddexp2,
    }
)
_BOOLEAN = {np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert}
_REDUCTIONS = {
    np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min",
    np.logical_and: "all", np.logical_or: "any", np.logaddexp: "logsumexp",
}  # fmt: skip
_ACCUMULATIONS = {
    np.add: cumsum,
    np.multiply: cumprod,
    np.maximum: lambda x, axis: cumulate(x, axis, REGISTRY["maximum"].apply),
    np.minimum: lambda x, axis: cumulate(x, axis, REGISTRY["minimum"].apply),
    np.logaddexp: lambda x, axis: cumulate(_real(x), axis, REGISTRY["logaddexp"].apply),
}


_NUMBERS = frozenset({int, float, bool})


def operands(inputs: Sequence[Any]) -> list[Value]:
    """Handles and arrays as nodes; Python scalars stay weak, and handles that stand for one too."""
    values: list[Any] = [x.node if isinstance(x, Array) else x for x in inputs]
    trace = next(x.trace for x in values if isinstance(x, Node))
    for i, x in enumerate(values):
        if not isinstance(x, Node) and type(x) not in _NUMBERS:
            values[i] = _node(x, trace)
    weak = [isinstance(x, Array) and x._weak for x in inputs]
    if True in weak and not all_weak(inputs):
        strong = [v.dtype for v, w in zip(values, weak) if isinstance(v, Node) and not w]
        for i, w in enumerate(weak):
            if w:
                x = inputs[i]
                values[i] = _taken(x, promote(*strong, x.dtype.type(0).item()))
    return values


def _taken(x: Array, dtype: DType) -> Value:
    """A handle that stands for a Python number in the dtype that it takes.

    Whether an integer dtype holds it is a guard; what it does not hold stays a Python integer.
    """
    if x.dtype.kind == "i" and dtype.kind in "iu" and dtype != INT64:
        info = np.iinfo(dtype)
        if bool(x > int(info.max)) or bool(x < int(info.min)):
            return int(x.value())
    return cast(x.node, dtype)


def all_weak(inputs: Sequence[Any]) -> bool:
    """Whether every operand is a Python number or stands for one."""
    return all(x._weak if isinstance(x, Array) else type(x) in _NUMBERS for x in inputs)


def _node(x: Any, trace: Trace) -> Node:
    if isinstance(x, Array):
        return x.node
    if isinstance(x, np.generic | np.ndarray):
        return constant(trace, x)
    return as_node(x, trace)


def call_ufunc(ufunc: Any, method: str, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """What `Array.__array_ufunc__` answers."""
    run = _METHODS.get(method)
    if run is None or ufunc not in UFUNCS:
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        raise NoRuleError(
            f"np.{name} has no rule yet: write it by ufuncs that have one ({_known()}), or apply "
            f"it to plain arrays outside the traced function{at_caller()}"
        )
    return run(ufunc, inputs, kwargs)


def _known() -> str:
    return ", ".join(sorted(u.__name__ for u in UFUNCS))


def _call(ufunc: Any, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    out, chosen, dtype = (kwargs.pop(k, None) for k in ("out", "where", "dtype"))
    kwargs.pop("casting", None)
    if kwargs or (chosen is not None and chosen is not True):
        raise NoRuleError(
            f"np.{ufunc.__name__}: the arguments {', '.join(kwargs) or 'where'} have no rule yet: "
            f"use np.where{at_caller()}"
        )
    target = out[0] if isinstance(out, tuple) else out
    if target is not None and not isinstance(target, Array):
        raise NoRuleError(
            f"np.{ufunc.__name__}: a traced result cannot be written into a plain ndarray, which "
            f"was made outside the traced function: make it inside, by np.zeros{at_caller()}"
        )
    values = operands(inputs if target is None else [*inputs, target])[: len(inputs)]
    if ufunc in _BOOLEAN:
        _check_boolean(ufunc, values)
    weak = dtype is None and all_weak(inputs)
    found = UFUNCS[ufunc](*values)
    if isinstance(found, tuple):
        return _several(ufunc, [Array(y, weak=weak) for y in found], target)
    result = Array(_checked(found, dtype), weak=weak)
    if target is None:
        return result
    target.write(result)
    return target


def _several(ufunc: Any, results: list[Array], target: Any) -> tuple[Array, ...]:
    """The results of a ufunc that gives more than one."""
    if target is not None:
        raise NoRuleError(f"np.{ufunc.__name__}: out has no rule for two results{at_caller()}")
    return tuple(results)


def _check_boolean(ufunc: Any, values: Sequence[Value]) -> None:
    for x in values:
        if not isinstance(x, bool) and (not isinstance(x, Node) or x.dtype != np.bool_):
            raise DTypeError(f"np.{ufunc.__name__} has a rule for booleans only{at_caller()}")


def _checked(node: Node, dtype: Any) -> Node:
    return node if dtype is None else cast(node, as_dtype(dtype))


def _reduce(ufunc: Any, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    kind = _REDUCTIONS.get(ufunc)
    axis, keepdims = kwargs.pop("axis", 0), bool(kwargs.pop("keepdims", False))
    extra = {k: v for k, v in kwargs.items() if v is not None and k not in ("initial", "where")}
    if kind is None or extra:
        raise NoRuleError(f"np.{ufunc.__name__}.reduce has no rule yet for {extra}{at_caller()}")
    (x,) = operands(inputs)
    assert isinstance(x, Node)
    axes = normal_axes(axis, x.ndim, f"np.{ufunc.__name__}.reduce")
    x = _real(x) if kind == "logsumexp" else x
    run = {"sum": sum_, "prod": product}.get(kind)
    return Array(run(x, axes, keepdims) if run else reduce(x, kind, axes, keepdims))


def _at(ufunc: Any, inputs: Sequence[Any], kwargs: dict[str, Any]) -> None:
    target, index, values = inputs
    if ufunc not in (np.add, np.subtract) or not isinstance(target, Array):
        raise NoRuleError(
            f"np.{ufunc.__name__}.at has a rule only for np.add.at and np.subtract.at on an array "
            f"made inside the traced function, by np.zeros{at_caller()}"
        )
    parsed = target._parse(np.asarray(index) if isinstance(index, list) else index)
    if parsed.arrays:
        added = values if ufunc is np.add else np.negative(values)
        target.change_at(parsed, added, scatter_add)
    else:
        target[index] = ufunc(target[index], values)


def _accumulate(ufunc: Any, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    run = _ACCUMULATIONS.get(ufunc)
    axis = kwargs.pop("axis", 0)
    extra = [k for k, v in kwargs.items() if v is not None]
    if run is None or extra:
        raise NoRuleError(
            f"np.{ufunc.__name__}.accumulate has no rule yet {extra or ''}{at_caller()}"
        )
    x = inputs[0].node
    (axis,) = normal_axes(axis, x.ndim, f"np.{ufunc.__name__}.accumulate")
    return Array(run(x, axis))


def _outer(ufunc: Any, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    x, y = operands(inputs)
    trace = next(v.trace for v in (x, y) if isinstance(v, Node))
    a, b = (v if isinstance(v, Node) else constant(trace, v) for v in (x, y))
    return _call(ufunc, (Array(reshape(a, (*a.shape, *[1] * b.ndim))), Array(b)), kwargs)


_METHODS: dict[str, Callable[..., Any]] = {
    "__call__": _call,
    "reduce": _reduce,
    "accumulate": _accumulate,
    "at": _at,
    "outer": _outer,
}
HANDLERS["ufunc"] = call_ufunc
