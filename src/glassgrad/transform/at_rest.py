"""Python's collector of cycles at rest, while something is made of which all lives on.

A trace and a plan are many small objects, none of them garbage. Every few hundred of them the
collector would look through them, and now and then through all else that the process holds, which
may be much more.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """No collection inside, unless it is asked for; one that is off stays off.

    >>> with collector_at_rest():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
