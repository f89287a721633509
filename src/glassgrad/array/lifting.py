"""NumPy's functions with all their operands lifted into a trace, where one of them is traced.

NumPy's protocols ask only some arguments, and never look into lists. Here a rule's parameter names
say which arguments are operands; without a traced one among them it is NumPy that is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from itertools import chain, repeat
from typing import Any

import numpy as np

from glassgrad.array.creation import MAKERS, ORIGINAL, stack_nested
from glassgrad.array.functions import call_function
from glassgrad.array.handle import Array
from glassgrad.array.protocol import FUNCTIONS, UFUNCS
from glassgrad.graph.dtype import is_float
from glassgrad.graph.errors import NoRuleError
from glassgrad.graph.node import ACTIVE, Trace, constant
from glassgrad.graph.provenance import at_caller

Callee = Callable[..., Any]

OPERANDS = frozenset({
    "A", "a", "a1", "a2", "a_max", "a_min", "arr", "array", "ary", "b", "base", "condition",
    "default", "dx", "element", "f", "fill_value", "fp", "m", "mask", "max", "min", "p", "src",
    "start", "stop", "test_elements", "to_begin", "to_end", "v", "val", "values", "weights",
    "where", "x", "x1", "x2", "xp", "y",
})  # fmt: skip
"""The parameters of rules that are arrays."""

PARTS = frozenset({"choicelist", "choices", "condlist"})
"""Those that are sequences of arrays, each of which is an operand."""

PLACES = frozenset({"indices"})
"""Those that stay plain unless they hold something traced: known places are checked at once."""

_WRITES = (np.copyto, np.putmask, np.put_along_axis, np.fill_diagonal)
_LIKE = (np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.copy)
_OF_NUMBERS = ("arange", "eye", "identity", "tri")
_METHODS = {
    "reduce": ("x",),
    "accumulate": ("x",),
    "outer": ("x", "y"),
    "at": ("", "indices", "values"),
}


def lifted(name: str, original: Any) -> Callee | None:
    """The function of a name, for plain and traced operands; None where there is no rule."""
    if name in MAKERS:
        return _maker(name)
    if name in _OF_NUMBERS:
        return _of_numbers(original)
    if isinstance(original, np.ufunc):
        return _ufunc(original) if original in UFUNCS else None
    return _function(original) if callable(original) and original in FUNCTIONS else None


def _first_trace(x: Any) -> Trace | None:
    """The trace of the first handle in nested sequences."""
    if isinstance(x, Array):
        return x._cell.base.trace
    if isinstance(x, list | tuple):
        return next((t for t in map(_first_trace, x) if t is not None), None)
    return None


def _trace_of(args: Sequence[Any], kwargs: dict[str, Any]) -> Trace | None:
    return _first_trace((*args, *kwargs.values()))


def _operand(x: Any, trace: Trace) -> Any:
    """A handle for what has a dtype of its own; Python numbers stay weak."""
    if isinstance(x, list | tuple):
        return stack_nested(x, None, trace)
    return Array(constant(trace, x)) if isinstance(x, np.ndarray | np.generic) else x


def _argument(name: str, x: Any, trace: Trace) -> Any:
    sequence = isinstance(x, list | tuple)
    if name in PARTS and sequence:
        return [_operand(v, trace) for v in x]
    if name in OPERANDS or (name in PLACES and sequence and _first_trace(x) is not None):
        return _operand(x, trace)
    return x


def _lifting(original: Callee, names: Sequence[str], run: Callee, like: bool = False) -> Callee:
    """`original` for plain arguments; `run`, with its operands lifted, where one is traced.

    What is made `like` something is also lifted while a function is traced, to be written into.
    """

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        trace = _trace_of(args, kwargs) or (ACTIVE.get() if like else None)
        if trace is None:
            return original(*args, **kwargs)
        named = zip(chain(names, repeat("")), args)
        found = [_argument(name, x, trace) for name, x in named]
        return run(*found, **{k: _argument(k, x, trace) for k, x in kwargs.items()})

    return call


def _function(original: Callee) -> Callee:
    code = FUNCTIONS[original].__code__
    names = code.co_varnames[: code.co_argcount]
    names = ("", *names[1:]) if original in _WRITES else names

    def run(*args: Any, **kwargs: Any) -> Any:
        return call_function(original, args, kwargs)

    return _lifting(original, names, run, original in _LIKE)


def _ufunc(original: np.ufunc) -> Callee:
    call = _lifting(original, ("x",) * original.nin, original)
    for name, names in _METHODS.items():
        method = getattr(original, name)
        setattr(call, name, _lifting(method, names, method))
    return call


def _maker(name: str) -> Callee:
    """A creation function: for a traced operand, and for any while a function is traced."""
    original, make = ORIGINAL[name], MAKERS[name]

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        trace = _trace_of(args, kwargs) or ACTIVE.get()
        return original(*args, **kwargs) if trace is None else make(trace, *args, **kwargs)

    return call


def _of_numbers(original: Callee) -> Callee:
    """A function of sizes: traced integers are looked at, as `range` does; reals are an error."""

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        found = [_known(original, x) for x in args]
        return original(*found, **{k: _known(original, x) for k, x in kwargs.items()})

    return call


def _known(original: Callee, x: Any) -> Any:
    if not isinstance(x, Array):
        return x
    if is_float(x.dtype):
        raise NoRuleError(
            f"np.{original.__name__} of a traced real number: how many elements there are would "
            "depend on it; count in known integers and compute with the result, as in "
            f"start + step * np.arange(n), or use np.linspace{at_caller()}"
        )
    return int(x)
