"""The time, as machine code asks the system for it."""

from __future__ import annotations

import ctypes
import os
import time

from glassgrad.engines.native.emit import I32, I64, Function, Module, Value
from glassgrad.engines.native.runtime import python

HAS_CLOCK = os.name == "posix" and hasattr(time, "CLOCK_MONOTONIC")


def addresses() -> dict[str, int]:
    """The address of the function of the C library that is named here."""
    if not HAS_CLOCK:
        return {}
    code = ctypes.cast(ctypes.CDLL(None).clock_gettime, ctypes.c_void_p).value
    return {} if code is None else {"clock_gettime": code}


def emit_now(module: Module) -> None:
    """``i64 gg_now()``: nanoseconds since some moment; 0 on a system without such a clock."""
    f = module.function("gg_now", I64, [], "internal")
    if not HAS_CLOCK:
        f.ret(f.index(0))
        return
    both = f.stack(I64, 2)
    python(f, "clock_gettime", I32, f.const(I32, time.CLOCK_MONOTONIC), both)
    f.ret(f.load(I64, both) * 1_000_000_000 + f.load(I64, f.at(both, I64, 1)))


def now(f: Function) -> Value:
    """The time at this point."""
    return f.call("gg_now", I64)
