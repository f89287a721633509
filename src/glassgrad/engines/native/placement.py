"""On which processor a worker runs: not on that of its caller.

A system may wake a worker on its caller's processor while another stands idle (the halted processor
of a virtual machine passes for one in use) or has a neighbour's work. Then each waits for the
other, until a balancer parts them some milliseconds later. So a worker that has last run where its
caller runs is kept off that processor while it is woken, and may go anywhere again once it runs.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

from glassgrad.engines.native.emit import I1, I32, I64, PTR, Function, Module, Value
from glassgrad.engines.native.runtime import need, python

MASK = 128  # bytes: a bit for each of 1024 processors
_FUNCTIONS = ("sched_getcpu", "pthread_getaffinity_np", "pthread_setaffinity_np")


@cache
def addresses() -> dict[str, int]:
    """The addresses of the functions of the C library that are named here; none but on Linux."""
    if not sys.platform.startswith("linux"):
        return {}
    known = ctypes.CDLL(None)
    if not all(hasattr(known, name) for name in _FUNCTIONS):
        return {}
    pointers = {n: ctypes.cast(getattr(known, n), ctypes.c_void_p).value for n in _FUNCTIONS}
    return {name: address for name, address in pointers.items() if address is not None}


def processor(f: Function) -> Value:
    """The number of the processor that this thread runs on; negative where nobody knows."""
    if not addresses():
        return f.index(-1)
    return f.cast("sext", python(f, "sched_getcpu", I32), I64)


def emit_keep_off(module: Module) -> None:
    """``i1 gg_keep_off(thread, processor, saved)``: takes a processor from those a thread may use.

    `saved` are `MASK` bytes for what it may use by right. False where it has no other processor, or
    may not use this one anyway: nothing is changed then.
    """
    f = module.function("gg_keep_off", I1, [I64, I64, PTR])
    thread, cpu, saved = f.params
    if not addresses():
        f.ret(f.const(I1, 0))
        return
    no, less = f.label("no"), f.stack(I64, MASK // 8)
    need(f, f.compare("ne", thread, 0) & f.compare("ult", cpu, 8 * MASK), no)
    got = python(f, "pthread_getaffinity_np", I32, thread, f.index(MASK), saved)
    need(f, f.compare("eq", got, 0), no)
    own, bit = f.binary("lshr", cpu, 6), f.binary("shl", f.index(1), cpu & 63)

    def one(i: Value, left: Value) -> list[Value]:
        was = f.load(I64, f.at(saved, I64, i))
        now = f.select(f.compare("eq", i, own), was & (bit ^ -1), was)
        f.store(now, f.at(less, I64, i))
        return [left | now]

    (left,) = f.loop(0, MASK // 8, 1, one, [f.index(0)])
    need(f, f.compare("ne", left, 0), no)
    need(f, f.compare("ne", f.load(I64, f.at(saved, I64, own)) & bit, 0), no)
    done = python(f, "pthread_setaffinity_np", I32, thread, f.index(MASK), less)
    f.ret(f.compare("eq", done, 0))
    f.begin(no)
    f.ret(f.const(I1, 0))


def let_go(f: Function, thread: Value, saved: Value) -> None:
    """A thread may use again what `saved` says."""
    if addresses():
        python(f, "pthread_setaffinity_np", I32, thread, f.index(MASK), saved)
