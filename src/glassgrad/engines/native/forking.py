"""Forks while other threads compile: a fork waits until none of them is inside LLVM.

A child has only the thread that forked. What another one held locked, or half changed, would stay
so for ever; so a fork first takes the locks of those who compile and link, and both sides let them
go. A link is whole under `LINKING`, a call of LLVM under llvmlite's own lock.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any

LINKING = threading.RLock()


@cache
def survive_forks() -> None:
    """Registers the hooks, once; llvmlite must be importable."""
    if not hasattr(os, "register_at_fork"):  # a system without forks
        return
    import llvmlite.binding as llvm

    lock: Any = llvm.ffi.lib._lock

    def hold() -> None:
        LINKING.acquire()
        lock.__enter__()

    def let_go() -> None:
        lock.__exit__(None, None, None)
        LINKING.release()

    os.register_at_fork(before=hold, after_in_parent=let_go, after_in_child=let_go)
