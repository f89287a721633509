"""Strict shapes: two operands that would both be repeated are an error, where one asks for it.

NumPy broadcasts (3, 1) with (1, 3) to (3, 3), and (3,) with (3, 1), too: in a loss that is a
mistake which no error shows.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from glassgrad.graph.errors import ShapeError
from glassgrad.graph.node import Node
from glassgrad.graph.op import Shape
from glassgrad.graph.provenance import at_caller

_STRICT: ContextVar[bool] = ContextVar("strict shapes", default=False)
LONGEST = 40  # characters of an operand in a message


@contextmanager
def strict_shapes() -> Generator[None, None, None]:
    """Within this context an elementwise op repeats one operand at most: a `ShapeError` else.

    >>> import glassgrad as gg
    >>> a, b = gg.variable("a", (3, 1)), gg.variable("b", (1, 3))
    >>> (a + b).shape
    (3, 3)
    >>> with gg.strict_shapes():
    ...     (a + gg.variable("c", (3, 3))).shape
    (3, 3)
    """
    token = _STRICT.set(True)
    try:
        yield
    finally:
        _STRICT.reset(token)


def check_shapes(name: str, operands: Sequence[Node], shape: Shape) -> None:
    """Raise where every operand would be repeated to that shape, and shapes are strict."""
    if not _STRICT.get() or any(x.shape == shape for x in operands):
        return
    shown = " and ".join(f"{_short(x)} of shape {x.shape}" for x in operands)
    raise ShapeError(
        f"{name}: {shown} would both be repeated to {shape}: reshape one of them, or leave "
        f"gg.strict_shapes{at_caller()}"
    )


def _short(x: Node) -> str:
    from glassgrad.graph.text import text  # which is written in families of ops

    written = text(x)
    return written if len(written) <= LONGEST else written[: LONGEST - 1] + "…"
