"""How many threads compute, and the workers that help the caller of a long program.

The workers are threads of Python that enter machine code at once and stay there: they never hold
the interpreter, and end with the process. They start with the first program that has a step to
share, and anew in the child of a fork.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import threading
from collections.abc import Iterator
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from glassgrad.engines.groups import control_groups
from glassgrad.engines.native import crew

_lock = threading.Lock()
_words = (ctypes.c_int64 * (crew.BYTES // 8 + 8))()
MEMORY = (ctypes.addressof(_words) + 63) // 64 * 64
_wanted: int | None = None
_running = 0


def threads(count: int | None = None) -> int:
    """How many threads compute a long step, the caller's included; a number sets it.

    At first it is the number of physical cores that this process may use (its affinity and the
    quota of its container counted). Steps under about a tenth of a millisecond are computed by the
    caller alone. Results have the same bits for any number.

    >>> import glassgrad as gg
    >>> before = gg.threads()
    >>> gg.threads(1)
    1
    >>> gg.threads(before) == before
    True
    """
    global _wanted
    if count is not None:
        if isinstance(count, bool) or not isinstance(count, int):
            raise TypeError(f"gg.threads takes a number of threads, not {count!r}")
        if not 1 <= count <= crew.MOST + 1:
            raise ValueError(f"gg.threads takes from 1 to {crew.MOST + 1} threads, not {count}")
        _wanted = count
        if _is_ready():
            start()
    return _wanted if _wanted is not None else min(cores(), crew.MOST + 1)


def ready() -> None:
    """Starts the crew where it has not been."""
    if not _is_ready():
        start()


def _is_ready() -> bool:
    """Whether a program has asked for the crew."""
    return bool(ctypes.c_int64.from_address(MEMORY + crew.READY).value)


def start() -> None:
    """Starts the workers that are wanted and not there; admits as many as are wanted."""
    global _running
    from glassgrad.engines.native.underway import addresses

    with _lock:
        helpers = threads() - 1 if _can_sleep() else 0
        worker = ctypes.CFUNCTYPE(None, ctypes.c_int64)(addresses()["gg_worker"])
        _KEPT.append(worker)
        if helpers and not _running:
            _set(crew.WAIT_LOCK, _closed_lock())
        while _running < helpers:
            _set(crew.LOCKS + 8 * _running, _closed_lock())
            _set(crew.LAST + 8 * _running, -1)
            try:
                started = _thread.start_new_thread(worker, (_running,))
            except RuntimeError:  # this user may have no more threads: those that there are do
                helpers = _running
                break
            _set(crew.THREADS + 8 * _running, started)
            _running += 1
        now = {crew.BALANCE: 0, crew.ALONE_UNTIL: 0, crew.REST: crew.SHORTEST}
        for offset, value in {**now, crew.ADMITTED: helpers, crew.READY: 1}.items():
            _set(offset, value)


_KEPT: list[Any] = []  # what running threads call


def _set(offset: int, value: int) -> None:
    ctypes.c_int64.from_address(MEMORY + offset).value = value


def know_main() -> None:
    """Enters which thread handles signals."""
    _set(crew.MAIN, threading.main_thread().ident or 0)


def _can_sleep() -> bool:
    """Whether this Python has the locks that threads sleep on."""
    names = ("PyThread_allocate_lock", "PyThread_acquire_lock", "PyThread_release_lock")
    return all(hasattr(getattr(ctypes, "pythonapi", None), name) for name in names)


def _closed_lock() -> int:
    """A lock of Python's threads, taken: who takes it once more sleeps until it is released."""
    allocate, acquire = (
        getattr(ctypes.pythonapi, f"PyThread_{name}_lock") for name in ("allocate", "acquire")
    )
    allocate.restype, acquire.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int]
    lock = allocate()
    if not lock or not acquire(lock, 1):
        raise MemoryError("no lock could be made for a worker")
    return lock


def _renew() -> None:
    """In the child of a fork, which has no workers yet."""
    global _running, _lock
    _lock = threading.Lock()
    _running = 0
    ctypes.memset(MEMORY, 0, crew.BYTES)
    know_main()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


# -- what the process may use -------------------------------------------------


@cache
def cores(root: Path = Path("/")) -> int:
    """The physical cores that this process may use."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    logical = set(range(os.cpu_count() or 1)) if usable is None else usable
    physical = len({_siblings(cpu, root) for cpu in logical})
    quota = min(_quotas(root), default=inf)
    return max(1, int(min(physical, quota + 0.5)))


def _siblings(cpu: int, root: Path) -> str:
    """The logical processors of one core, as the system writes them."""
    file = root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
    return _content(file) or str(cpu)


def _quotas(root: Path) -> Iterator[float]:
    """The processors' worth of time that the containers around this process may use."""
    for group, second in control_groups("cpu", root):
        names = ("cpu.max",) if second else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        words = " ".join(_content(group / name) for name in names).split()
        if len(words) == 2 and all(word.isdigit() for word in words):
            quota, period = map(int, words)
            yield quota / period if period else inf


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
