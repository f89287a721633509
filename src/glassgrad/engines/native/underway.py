"""Calls that are under way at once: an arena each, and other threads of Python running meanwhile.

The free arenas of a program lie in a few slots, emptied and filled by atomic exchanges, so that
machine code and Python take from the same ones. A long program lets the interpreter go while its
kernel runs, and holds on to the arguments: another thread may drop or change their containers.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from glassgrad.engines.native import atomic, clock, placement, pyabi, threads
from glassgrad.engines.native.arena import Arena
from glassgrad.engines.native.aside import finished
from glassgrad.engines.native.cache import ObjectCache, user_cache_folder
from glassgrad.engines.native.clock import emit_now
from glassgrad.engines.native.crew import CREW, MAIN, STATE, emit_crew, word
from glassgrad.engines.native.emit import I1, I32, I64, PTR, VOID, Function, Module
from glassgrad.engines.native.interrupt import Asked, emit_pulse
from glassgrad.engines.native.link import Linked
from glassgrad.engines.native.recall import shared_object
from glassgrad.engines.native.runtime import python
from glassgrad.engines.native.target import Target

SLOTS = 16
_KEPT_BYTES = 1 << 31  # of free arenas besides the first
_WAIT = 0.001


def assembled() -> tuple[bytes, list[str]]:
    """The object of the shared functions, and the names that it takes from outside."""
    usable = pyabi.usable()
    parts = [
        _emit_take, _emit_give, *[_emit_run] * usable, emit_now,
        lambda module: emit_pulse(module, usable), emit_crew,
    ]  # fmt: skip
    what = "calls under way" + " of builtins" * usable + " placed" * bool(placement.addresses())
    return shared_object(ObjectCache(user_cache_folder()), what, Target.host(), parts, level=0)


@cache
def addresses() -> dict[str, int]:
    """The addresses of the shared functions, linked at the first call."""
    obj, foreign = finished(assembled)
    known = _outside() | (pyabi.addresses() if pyabi.usable() else {})
    threads.know_main()
    exports = [*_EXPORTS, "gg_run"] if pyabi.usable() else _EXPORTS
    linked = Linked(obj, Target.host(), exports, {n: known[n] for n in foreign})
    linked.keep()
    return linked.address


_EXPORTS = ["gg_take", "gg_give", "gg_pulse", "gg_share", "gg_worker", "gg_keep_off", "gg_let_go"]


def _outside() -> dict[str, int]:
    """What the crew's code names; a lock's functions are 0 where this Python has none."""
    found = {CREW: threads.MEMORY, **clock.addresses(), **placement.addresses()}
    for name in ("PyThread_acquire_lock", "PyThread_release_lock", "PyThread_get_thread_ident"):
        code = getattr(getattr(ctypes, "pythonapi", None), name, None)
        found[name] = 0 if code is None else ctypes.cast(code, ctypes.c_void_p).value or 0
    return found


def _emit_take(module: Module) -> None:
    """``ptr (slots)``: a free arena, or null."""
    f = module.function("gg_take", PTR, [PTR])
    (slots,) = f.params

    def one(i: Any) -> None:
        found = atomic.exchange(f, f.at(slots, PTR, i), f.const(PTR, 0))
        f.guard(f.compare("eq", found, f.const(PTR, 0)), lambda: f.ret(found))

    f.loop(0, SLOTS, 1, one)
    f.ret(f.const(PTR, 0))


def _emit_give(module: Module) -> None:
    """``i1 (slots, arena)``: puts an arena into an empty slot; whether there was one."""
    f = module.function("gg_give", I1, [PTR, PTR])
    slots, arena = f.params

    def one(i: Any) -> None:
        put = atomic.swap_if(f, f.at(slots, PTR, i), f.const(PTR, 0), arena)
        f.branch(put, lambda: f.ret(f.const(I1, 1)))

    f.loop(0, SLOTS, 1, one)
    f.ret(f.const(I1, 0))


def _emit_run(module: Module) -> None:
    """``i32 (kernel, arena, inputs, outputs, held, count)``: the kernel without the interpreter."""
    f = module.function("gg_run", I32, [PTR, PTR, PTR, PTR, PTR, I64])
    kernel, arena, inputs, outputs, held, count = f.params
    _each(f, "Py_IncRef", held, count)
    thread = python(f, "PyEval_SaveThread", PTR)
    me = python(f, "PyThread_get_thread_ident", I64)
    main = f.compare("eq", me, f.load(I64, word(f, MAIN)))
    state = f.select(main, word(f, STATE), f.stack(PTR))
    before = f.load(PTR, state)  # a handler of signals may have called
    f.store(thread, state)
    status = f.call_pointer(kernel, I32, arena, inputs, outputs)
    f.store(before, state)
    python(f, "PyEval_RestoreThread", VOID, thread)
    _each(f, "Py_DecRef", held, count)
    f.ret(status)


def _each(f: Function, name: str, held: Any, count: Any) -> None:
    f.loop(0, count, 1, lambda i: python(f, name, VOID, f.load(PTR, f.at(held, PTR, i))) and None)


@cache
def _calls() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Taking and giving, for Python."""
    known = addresses()
    take = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(known["gg_take"])
    give = ctypes.CFUNCTYPE(ctypes.c_bool, *[ctypes.c_void_p] * 2)(known["gg_give"])
    return take, give


class Arenas:
    """The arenas of one program: as many as it has had calls under way at once.

    `first` is the arena of a program that is never called twice at once.
    """

    def __init__(self, size: int) -> None:
        arena = Arena(size)
        self.size = arena.size
        self.first = arena.address
        self._all = {arena.address: arena}
        self._most = 1 + min(SLOTS - 1, _KEPT_BYTES // self.size)
        self._slots = (ctypes.c_void_p * SLOTS)(arena.address)
        self.slots = ctypes.addressof(self._slots)

    def take(self) -> int:
        """An arena that no other call uses: a free one, a new one, or the next that is given."""
        take, _ = _calls()
        while not (found := take(self.slots)):
            try:
                arena = Arena(self.size)
            except MemoryError:
                time.sleep(_WAIT)
            else:
                self._all[arena.address] = arena
                return arena.address
        return found

    def give(self, address: int) -> None:
        """Back to the free ones; dropped where they are enough."""
        _, give = _calls()
        enough = len(self._all) > self._most and address != self.first
        if enough or not give(self.slots, address):
            del self._all[address]


class Kernel:
    """A kernel as Python calls it: with an arena of the program's, letting others run meanwhile."""

    def __init__(self, address: int, arenas: Arenas, long: bool) -> None:
        self._arenas, self._long = arenas, long
        self._alone = not long and pyabi.usable()  # the interpreter is held: nobody comes between
        pointer = ctypes.c_void_p
        if pyabi.usable() and long:
            run = ctypes.PYFUNCTYPE(ctypes.c_int32, *[pointer] * 5, ctypes.c_int64)
            gg_run = run(addresses()["gg_run"])
            self._run = lambda *tables: gg_run(address, *tables, None, 0)
        else:
            kind = ctypes.PYFUNCTYPE if pyabi.usable() else ctypes.CFUNCTYPE
            self._run = kind(ctypes.c_int32, *[pointer] * 3)(address)
        self._asked = Asked() if long and not pyabi.usable() else None

    def __call__(self, inputs: Sequence[int], outputs: Sequence[int]) -> int:
        """Runs on the elements at these addresses; 0 means success."""
        tables = [(ctypes.c_void_p * max(1, len(a)))(*a) for a in (inputs, outputs)]
        if self._alone:
            return self._run(self._arenas.first, *tables)
        if self._asked is not None:
            self._asked.open()
        arena = self._arenas.take()
        try:
            status = self._run(arena, *tables)
        finally:
            self._arenas.give(arena)
        if self._asked is not None:
            self._asked.close()
        return status


__all__ = ["Arenas", "Kernel", "addresses"]
