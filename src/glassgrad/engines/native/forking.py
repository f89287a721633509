"""Forks while other threads compile: a fork waits until none of them is inside LLVM.

A child has only the thread that forked. What another one held locked, or half changed, would stay
so for ever; so a fork first takes the locks of those who compile and link, and both sides let them
go. A link is whole under `LINKING`, a call of LLVM under llvmlite's own lock, or, where several
threads make code at once, inside the gate `ASSEMBLING`.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any

LINKING = threading.RLock()


class Gate:
    """Any number of threads may be inside; who closes it waits for the others to leave.

    >>> gate = Gate()
    >>> with gate:
    ...     gate.close()                      # one's own stay does not count
    >>> gate.open()
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside: list[int] = []

    def __enter__(self) -> None:
        with self._changed:
            self._inside.append(threading.get_ident())

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside.remove(threading.get_ident())
            self._changed.notify_all()

    def close(self) -> None:
        """Waits until no other thread is inside, and keeps all out."""
        me = threading.get_ident()
        self._changed.acquire()
        self._changed.wait_for(lambda: all(i == me for i in self._inside))

    def open(self) -> None:
        """Lets them in again."""
        self._changed.release()


ASSEMBLING = Gate()


@cache
def survive_forks() -> None:
    """Registers the hooks, once; llvmlite must be importable."""
    if not hasattr(os, "register_at_fork"):  # a system without forks
        return
    import llvmlite.binding as llvm

    lock: Any = llvm.ffi.lib._lock

    def hold() -> None:
        LINKING.acquire()
        ASSEMBLING.close()
        lock.__enter__()

    def let_go() -> None:
        lock.__exit__(None, None, None)
        ASSEMBLING.open()
        LINKING.release()

    os.register_at_fork(before=hold, after_in_parent=let_go, after_in_child=let_go)
