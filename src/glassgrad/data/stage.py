"""Long pieces of work say how far they have come, to a progress bar or whoever else listens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")


class Listener(Protocol):
    """Hears of one stage of work after the other."""

    def begin(self, what: str, total: int | None) -> None:
        """A stage begins; of some the number of steps is known."""
        ...

    def advance(self, done: int) -> None:
        """So many steps of the stage are done."""
        ...

    def end(self) -> None:
        """The stage is over."""
        ...


_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def told_to(listener: Listener | None) -> Iterator[None]:
    """Tell a listener of all stages inside; None for nobody."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


@contextmanager
def stage(what: str) -> Iterator[None]:
    """A piece of work in one step."""
    listener = _LISTENER.get()
    if listener is None:
        yield
        return
    listener.begin(what, None)
    try:
        yield
    finally:
        listener.end()


def counted(what: str, items: Iterable[T], total: int) -> Iterator[T]:
    """The items of a piece of work; a listener hears how many of the total are done.

    >>> list(counted("adding", [1, 2], 2))
    [1, 2]
    """
    listener = _LISTENER.get()
    return iter(items) if listener is None else _counted(listener, what, items, total)


def _counted(listener: Listener, what: str, items: Iterable[T], total: int) -> Iterator[T]:
    listener.begin(what, total)
    try:
        for done, item in enumerate(items, start=1):
            yield item
            listener.advance(done)
    finally:
        listener.end()
