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


def emit_placement(module: Module) -> None:
    """``i1 gg_keep_off(thread, processor, saved)``: takes a processor from those a thread may use.

    `saved` are `MASK` bytes for what it may use by right. False where it has no other processor, or
    may not use this one anyway: nothing is changed then. ``i1 gg_let_go`` of the same undoes it;
    false where somebody has changed what the thread may use meanwhile, which then stays.
    """
    for name, emit in (("gg_keep_off", _keep_off), ("gg_let_go", _let_go)):
        f = module.function(name, I1, [I64, I64, PTR])
        thread, cpu, mask = f.params
        if addresses():
            no = f.label("no")
            f.ret(emit(f, thread, cpu, mask, no))
            f.begin(no)
        f.ret(f.const(I1, 0))


def _keep_off(f: Function, thread: Value, cpu: Value, saved: Value, no: str) -> Value:
    need(f, f.compare("ne", thread, 0) & f.compare("ult", cpu, 8 * MASK), no)
    need(f, _mask_of(f, thread, saved), no)
    less = f.stack(I64, MASK // 8)

    def one(i: Value, left: Value, off: Value) -> list[Value]:
        was, now = f.load(I64, f.at(saved, I64, i)), _without(f, saved, cpu, i)
        f.store(now, f.at(less, I64, i))
        return [left | now, off | (was ^ now)]

    left, off = f.loop(0, MASK // 8, 1, one, [f.index(0)] * 2)
    need(f, f.compare("ne", left, 0) & f.compare("ne", off, 0), no)
    return _set_mask(f, thread, less)


def _let_go(f: Function, thread: Value, cpu: Value, saved: Value, no: str) -> Value:
    found = f.stack(I64, MASK // 8)
    need(f, _mask_of(f, thread, found), no)

    def one(i: Value, changed: Value) -> list[Value]:
        return [changed | (f.load(I64, f.at(found, I64, i)) ^ _without(f, saved, cpu, i))]

    (changed,) = f.loop(0, MASK // 8, 1, one, [f.index(0)])
    need(f, f.compare("eq", changed, 0), no)
    return _set_mask(f, thread, saved)


def _without(f: Function, mask: Value, cpu: Value, i: Value) -> Value:
    """Word `i` of a mask, with a processor's bit cleared."""
    word, bit = f.load(I64, f.at(mask, I64, i)), f.binary("shl", f.index(1), cpu & 63)
    own = f.compare("eq", i, f.binary("lshr", cpu, 6))
    return f.select(own, word & (bit ^ -1), word)


def _mask_of(f: Function, thread: Value, mask: Value) -> Value:
    done = python(f, "pthread_getaffinity_np", I32, thread, f.index(MASK), mask)
    return f.compare("eq", done, 0)


def _set_mask(f: Function, thread: Value, mask: Value) -> Value:
    done = python(f, "pthread_setaffinity_np", I32, thread, f.index(MASK), mask)
    return f.compare("eq", done, 0)
