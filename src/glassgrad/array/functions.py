"""What `__array_function__` answers: the rule of a NumPy function, its arguments checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array import (
    arrangement,
    choices,
    halves,
    joins,
    lines,
    matrices,
    missing,
    order,
    products,
    reductions,
    selection,
    shapes,
)
from glassgrad.array.handle import Array
from glassgrad.array.protocol import FUNCTIONS, HANDLERS, WITHOUT_RULE
from glassgrad.graph.errors import NoRuleError
from glassgrad.graph.provenance import at_caller

__all__ = [
    "arrangement",
    "call_function",
    "choices",
    "halves",
    "joins",
    "lines",
    "matrices",
    "missing",
    "order",
    "products",
    "reductions",
    "selection",
    "shapes",
]

_TAKES_MORE = 0x04  # the flag of a code object that has *args


def call_function(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `Array.__array_function__` answers."""
    run = FUNCTIONS.get(func)
    name = f"{getattr(func, '__module__', 'numpy').replace('numpy', 'np')}.{func.__name__}"
    if func in WITHOUT_RULE:
        raise NoRuleError(f"{name}: {WITHOUT_RULE[func]}{at_caller()}")
    if run is None:
        raise NoRuleError(
            f"{name} has no rule yet for traced arrays: write it by functions that have one "
            f"({', '.join(sorted({f.__name__ for f in FUNCTIONS}))}){at_caller()}"
        )
    kwargs = {k: v for k, v in kwargs.items() if v is not np._NoValue}  # pyright: ignore
    out = kwargs.pop("out", None)
    code = run.__code__
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    unknown = [key for key in kwargs if key not in known]
    if unknown or (len(args) > code.co_argcount and not code.co_flags & _TAKES_MORE):
        what = f"the argument {unknown[0]!r}" if unknown else "so many arguments"
        raise NoRuleError(f"{name} has no rule yet with {what}{at_caller()}")
    if out is not None and not isinstance(out, Array):
        raise NoRuleError(
            f"{name}: a traced result cannot be written into a plain ndarray, which was made "
            f"outside the traced function: make it inside, by np.zeros{at_caller()}"
        )
    result = run(*args, **kwargs)
    if out is None:
        return result
    out.write(result)
    return out


HANDLERS["function"] = call_function
