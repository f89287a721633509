"""Arrays created inside a trace: NumPy's creation functions give handles while one is active.

The protocols do not see np.array([t1, t2]) or an np.zeros(n) that a loop fills, so these functions
are replaced, in the `numpy` module, while any trace is active. In a context without one (another
thread) they are NumPy's own. A name that was imported before, as in `from numpy import zeros`, is
out of reach (`from glassgrad.numpy import zeros` is not): an attempt to write a traced value into
such an array is an error that says so.
"""

from __future__ import annotations

import math
import operator
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np

from glassgrad.array.handle import Array, as_node
from glassgrad.array.protocol import FUNCTIONS, HANDLERS
from glassgrad.graph.dtype import as_dtype
from glassgrad.graph.errors import ShapeError
from glassgrad.graph.family import broadcast_to, cast
from glassgrad.graph.node import ACTIVE, Trace, constant
from glassgrad.graph.provenance import at_caller, is_internal

Creator = Callable[..., Any]


def _seen_trace(name: str) -> Trace | None:
    """The active trace, for a call that stands in the program's own text.

    Code of glassgrad and NumPy is not meant, nor is compiled code (as in numpy.random) that calls
    from below a line of the program: that line does not name the function.
    """
    trace = ACTIVE.get()
    if trace is None:
        return None
    code = sys._getframe(2).f_code  # pyright: ignore[reportPrivateUsage]
    return None if is_internal(code) or name not in code.co_names else trace


def _has_handle(x: Any) -> bool:
    return isinstance(x, Array) or (isinstance(x, list | tuple) and any(_has_handle(v) for v in x))


def stack_nested(x: Any, dtype: Any, trace: Trace) -> Array:
    """A handle for nested lists that may hold handles."""
    if not _has_handle(x):
        return Array(constant(trace, np.asarray(x, dtype)))
    if isinstance(x, Array):
        return Array(x.node if dtype is None else cast(x.node, as_dtype(dtype)))
    return FUNCTIONS[np.stack]([stack_nested(v, dtype, trace) for v in x])


def _array(name: str, copies: bool) -> Creator:
    def make(trace: Trace, object: Any, dtype: Any = None, **kwargs: Any) -> Any:
        if _foreign(object):
            return ORIGINAL[name](object, dtype, **kwargs)
        if isinstance(object, Array):
            copied = copies and kwargs.get("copy", True)
            same = dtype is None or np.dtype(dtype) == object.dtype
            return object if same and not copied else stack_nested(object, dtype, trace)
        return _grown(stack_nested(object, dtype, trace), kwargs.get("ndmin", 0))

    return make


def _grown(handle: Array, ndmin: int) -> Array:
    extra = max(0, ndmin - handle.ndim)
    return handle[(None,) * extra] if extra else handle


def _foreign(x: Any) -> bool:
    """Objects whose arrays glassgrad does not compute with: text, records, complex numbers."""
    if isinstance(x, Array):
        return False
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.kind not in "biuf" or x.dtype.itemsize > 8
    if isinstance(x, list | tuple):
        return any(_foreign(v) for v in x)
    return not isinstance(x, int | float)


def _filled(name: str, value: float | None) -> Creator:
    def make(trace: Trace, shape: Any, *args: Any, **kwargs: Any) -> Any:
        fill = args[0] if value is None and args else kwargs.get("fill_value", value)
        rest = args[1:] if value is None else args
        dtype = rest[0] if rest else kwargs.get("dtype")
        strange = dtype is not None and np.dtype(dtype).kind not in "biuf"
        if strange or kwargs.get("like") is not None:
            return ORIGINAL[name](shape, *args, **kwargs)
        node = as_node(fill if value is None else float(fill), trace)
        node = node if dtype is None else cast(node, as_dtype(dtype))
        return Array(broadcast_to(node, _extents(name, shape, node.dtype.itemsize)))

    return make


def _extents(name: str, shape: Any, itemsize: int) -> tuple[int, ...]:
    """The extents of a new array; traced ones are guarded."""
    several = isinstance(shape, list | tuple) or np.ndim(shape) > 0
    given: Any = shape if several else (shape,)
    found = tuple(operator.index(n) for n in given)
    if any(n < 0 for n in found):
        raise ShapeError(f"np.{name}: an extent of {found} is negative{at_caller()}")
    if math.prod(found) * itemsize > sys.maxsize:
        raise ShapeError(f"np.{name}: an array of shape {found} is too big{at_caller()}")
    return found


MAKERS: dict[str, Creator] = {
    "array": _array("array", copies=True),
    "asarray": _array("asarray", copies=False),
    "asanyarray": _array("asanyarray", copies=False),
    "zeros": _filled("zeros", 0.0),
    "ones": _filled("ones", 1.0),
    "empty": _filled("empty", 0.0),
    "full": _filled("full", None),
}
"""What a creation function does for a trace, which it takes before its own arguments."""

ORIGINAL: dict[str, Creator] = {name: getattr(np, name) for name in MAKERS}
"""NumPy's creation functions themselves, whatever the `numpy` module holds at the moment."""


def _replacement(name: str) -> Creator:
    """What stands in the `numpy` module while any trace is active."""
    original, make, may_be_same = ORIGINAL[name], MAKERS[name], name.startswith("as")

    @wraps(original)
    def create(*args: Any, **kwargs: Any) -> Any:
        trace = _seen_trace(name)
        if trace is None or (may_be_same and args and isinstance(args[0], np.ndarray)):
            return original(*args, **kwargs)
        return make(trace, *args, **kwargs)

    return create


_REPLACED: dict[str, Creator] = {name: _replacement(name) for name in MAKERS}
_lock = threading.Lock()
_active = 0


def _replace(by: int) -> None:
    """Count the active traces of all threads; the first puts the functions in, the last out."""
    global _active
    with _lock:
        before, _active = _active, _active + by
        if (before == 0) != (_active == 0):
            for name, function in (_REPLACED if _active else ORIGINAL).items():
                setattr(np, name, function)


@contextmanager
def tracing(trace: Trace) -> Iterator[None]:
    """Make `trace` the one that this context writes."""
    token = ACTIVE.set(trace)
    _replace(+1)
    try:
        yield
    finally:
        ACTIVE.reset(token)
        _replace(-1)


HANDLERS["nested"] = stack_nested
