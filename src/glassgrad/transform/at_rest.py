"""Python's collector of cycles at rest, while something is made of which all lives on.

A trace and a plan are many small objects, none of them garbage. Every few hundred of them the
collector would look through them, and now and then through all else that the process holds, which
may be much more.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def collector_at_rest(f: Callable[P, R]) -> Callable[P, R]:
    """The function, with no collection inside, unless it is asked for; one that is off stays off.

    >>> collector_at_rest(gc.isenabled)()
    False
    >>> gc.isenabled()
    True
    """

    @wraps(f)
    def resting(*args: P.args, **kwargs: P.kwargs) -> R:
        was_enabled = gc.isenabled()
        if was_enabled:
            _RESTING.append(True)
        gc.disable()
        try:
            return f(*args, **kwargs)
        finally:
            if was_enabled:
                _wake()

    return resting


_RESTING: list[bool] = []  # not empty while the collector is off because of us


def _wake() -> None:
    """Also in the child of a fork, where the thread that turned it off may be gone."""
    if _RESTING:
        _RESTING.clear()
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_wake)
