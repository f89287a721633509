"""Ctrl-C in a long call: where a program looks whether it should stop, and how it then does.

Long programs call ``gg_pulse`` between steps, between parts and once in many turns of a loop. In
the main thread, where signals are handled, and at most every `_EVERY` nanoseconds, it takes the
interpreter back, lets Python handle what has arrived, and says whether that has raised an error. A
program that is told to stop sets a bit of its status and returns; Python raises the error. Where
other threads keep the interpreter busy, so that getting it back takes time, it is asked for less
often.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator

from glassgrad.engines.native import threads
from glassgrad.engines.native.clock import now
from glassgrad.engines.native.crew import ASK, MAIN, NEXT, STATE, word
from glassgrad.engines.native.emit import I1, I32, I64, PTR, VOID, Function, Module, Value
from glassgrad.engines.native.runtime import need, python

STOPPED = 2  # the bit of the status
PULSE = 500_000.0  # nanoseconds of estimated work from one look to the next
_EVERY, _PATIENCE = 20_000_000, 20  # between two checks: at least, and so many times a check's wait
_TURNS_LEFT = 8  # the place in an arena of the turns until the next look


# -- in the code of programs --------------------------------------------------


def begin(f: Function, status: Value) -> None:
    """At the start of a program: the first turn of a loop looks."""
    if f.module.interruptible:
        f.store(f.index(0), f.at(status, I64, _TURNS_LEFT // 8))


def pulse(f: Function, status: Value) -> None:
    """Returns from a function where the call should stop; its result is the status, if any."""
    if not f.module.interruptible:
        return
    f.module.declare("gg_pulse", I1, [])
    stop_if(f, f.call("gg_pulse", I1), status)


def stop_if(f: Function, told: Value, status: Value) -> None:
    """Returns from a function, with the status set, where it was told to stop."""

    def stop() -> None:
        f.store(f.load(I32, status) | STOPPED, status)
        f.ret(f.load(I32, status) if f.result is I32 else None)

    f.guard(~told, stop)


def stop_with(f: Function, status: Value) -> None:
    """Returns from a function where something that it called has stopped."""
    if f.module.interruptible:
        stop_if(f, f.compare("ne", f.load(I32, status) & STOPPED, 0), status)


def turn_goes_on(f: Function, status: Value, nanoseconds: float) -> Value:
    """Whether a turn of a loop should not be the last: true, but for a call that is to stop.

    One turn takes so long; most turns only count.
    """
    if not f.module.interruptible:
        return f.const(I1, 1)
    f.module.declare("gg_pulse", I1, [])
    place = f.at(status, I64, _TURNS_LEFT // 8)
    if f.module.extents.primes:  # who knows how long a turn takes
        nanoseconds = PULSE
    left = f.load(I64, place) - 1
    f.store(left, place)

    def look() -> list[Value]:
        f.store(f.index(turns(nanoseconds)), place)
        return [~f.call("gg_pulse", I1)]

    (goes_on,) = f.branch(f.compare("slt", left, 0), look, lambda: [f.const(I1, 1)])
    return goes_on


def turns(nanoseconds: float) -> int:
    """After how many turns of a loop the program looks."""
    return max(1, int(PULSE / max(nanoseconds, 0.5)))


# -- the shared function ------------------------------------------------------


def emit_pulse(module: Module, released: bool) -> None:
    """``i1 gg_pulse()``: whether the call should stop; `released` where Python's own C API is."""
    f = module.function("gg_pulse", I1, [])
    no = f.label("no")
    me = python(f, "PyThread_get_thread_ident", I64)
    need(f, f.compare("eq", me, f.load(I64, word(f, MAIN))), no)
    start = now(f)
    need(f, f.compare("sge", start, f.load(I64, word(f, NEXT))), no)
    told = _released(f, no) if released else _asked(f, no)
    end = now(f)
    wait = (end - start) * _PATIENCE
    wait = f.select(f.compare("sgt", wait, _EVERY), wait, f.index(_EVERY))
    f.store(end + wait, word(f, NEXT))
    f.ret(f.compare("ne", told, 0))
    f.begin(no)
    f.ret(f.const(I1, 0))


def _released(f: Function, no: str) -> Value:
    """Handles signals with the interpreter that the call has let go."""
    state = f.load(PTR, word(f, STATE))
    need(f, f.compare("ne", state, f.const(PTR, 0)), no)
    python(f, "PyEval_RestoreThread", VOID, state)
    told = python(f, "PyErr_CheckSignals", I32)
    python(f, "PyEval_SaveThread", PTR)
    return told


def _asked(f: Function, no: str) -> Value:
    """Asks a function of Python's."""
    ask = f.load(PTR, word(f, ASK))
    need(f, f.compare("ne", ask, f.const(PTR, 0)), no)
    return f.call_pointer(ask, I32)


# -- Pythons that are called through ctypes -----------------------------------


class Asked:
    """What ``gg_pulse`` asks where Python's own functions are not to be had: runs Python code,
    and so the handlers of signals; keeps what they raise until the call has returned.
    """

    def __init__(self) -> None:
        self._raised: BaseException | None = None
        asking = self._asking()
        next(asking)
        self._code = ctypes.CFUNCTYPE(ctypes.c_int32)(asking.__next__)
        self._known = ctypes.cast(self._code, ctypes.c_void_p).value or 0

    def _asking(self) -> Iterator[int]:
        """A generator, since a function would be interrupted before its first line."""
        told = 0
        while True:
            try:
                while True:
                    yield told
                    told = 0
            except BaseException as error:  # of any kind: it is raised when the call is over
                if isinstance(error, GeneratorExit):
                    raise
                self._raised, told = error, 1

    def open(self) -> None:
        """Before a call, in any thread."""
        if threading.current_thread() is threading.main_thread():
            ctypes.c_int64.from_address(threads.MEMORY + ASK).value = self._known

    def close(self) -> None:
        """After it: raises what a handler has raised."""
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised


__all__ = [
    "PULSE", "STOPPED", "Asked", "begin", "emit_pulse", "pulse", "stop_if", "stop_with",
    "turn_goes_on", "turns",
]  # fmt: skip
