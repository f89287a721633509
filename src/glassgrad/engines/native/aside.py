"""What another thread makes meanwhile, such as code that every program needs.

LLVM works without the interpreter, so two threads make code at once, or one traces meanwhile. What
was begun here is also right where its thread is lost, as in the child of a fork, or never starts,
as where a user has no more threads: it is made then by whoever asks for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Aside(Generic[T]):
    """The result of a function that another thread calls.

    >>> Aside(lambda: 2 + 3).result()
    5
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        thread = threading.Thread(target=self._run, name="glassgrad makes", daemon=True)
        with suppress(RuntimeError):  # this user may have no more threads
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        try:
            self._made.append(self._make())
        except BaseException as error:  # whoever asks for the result is told
            self._error = error

    def result(self) -> T:
        """What the function returned, or raised, when it has."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error
        return self._made[0] if self._made else self._make()


def _several() -> bool:
    from glassgrad.engines.native.threads import threads  # whose code is made here

    return threads() > 1


_BEGUN: dict[Callable[[], Any], Aside[Any]] = {}


def begin(make: Callable[[], T]) -> None:
    """Lets another thread call a function whose result is asked for later, by `finished`."""
    if make not in _BEGUN and _several():
        _BEGUN[make] = Aside(make)


def finished(make: Callable[[], T]) -> T:
    """The result of a function, which may have been begun."""
    begun = _BEGUN.get(make)
    return make() if begun is None else begun.result()


def each(make: Callable[[int], T], count: int) -> list[T]:
    """``make(0), make(1), …``: two threads take the next one in turn.

    >>> each(lambda i: i * i, 4)
    [0, 1, 4, 9]
    """
    found: dict[int, T] = {}
    numbers = iter(range(count))

    def some() -> None:
        for i in numbers:
            found[i] = make(i)

    helper = Aside(some) if count > 1 and _several() else None
    some()
    if helper is not None:
        helper.result()
    return [found[i] for i in range(count)]


__all__ = ["Aside", "begin", "each", "finished"]
