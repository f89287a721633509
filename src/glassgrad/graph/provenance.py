"""Where a node came from: the line of the user's code, or the node and rule that it was made by.

Kept beside the graph, never inside a node, so that two lines that say the same thing share one node
and are both remembered. A site is (code, instruction offset): it is decoded to a line only when
somebody asks.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import warnings
from types import CodeType, FrameType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from glassgrad.graph.node import Node

# os.path, since importing pathlib would cost 4 ms
_HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120
_NUMPY = os.path.dirname(os.path.realpath(np.__file__)) + "/"  # noqa: PTH120
_WRAPPERS = (contextlib.__file__, functools.__file__)  # what our own functions are wrapped in
_LAYERS = ("graph", "ops", "diff", "rewrite", "engines", "array", "transform")
_CORE = (*(f"{_HERE}/{layer}/" for layer in _LAYERS), _NUMPY, "<frozen ", *_WRAPPERS)
_WHOLE = (f"{_HERE}/", _NUMPY, "<frozen ", *_WRAPPERS)


class Site(NamedTuple):
    """A place in a program: a code object and an instruction offset in it."""

    code: CodeType
    offset: int

    @property
    def line(self) -> int:
        """The line number, from 1."""
        for start, end, line in self.code.co_lines():
            if start <= self.offset < end and line is not None:
                return line
        return self.code.co_firstlineno

    @property
    def text(self) -> str:
        """The source line, stripped, or an empty text where the source is not to be had."""
        import linecache  # 6 ms, and only an error or a story needs it

        return linecache.getline(self.code.co_filename, self.line).strip()

    def __str__(self) -> str:
        file = os.path.basename(self.code.co_filename)  # noqa: PTH119
        where = f"{file}:{self.line} in {self.code.co_name}"
        return f"{where}: {self.text}" if self.text else where


class Origin(NamedTuple):
    """How a node came to be.

    `how` is "written" (by the line at `site`), "backward", "forward" or "rewrite" (made from
    `source`, by the law or rule named in `rule`).
    """

    how: str
    site: Site | None = None
    source: Node | None = None
    rule: str = ""


_internal: dict[str, bool] = {}  # by file, since the hash of code is not kept by Python


def is_internal(code: CodeType) -> bool:
    """Whether code is NumPy's, or of the layers that trace: all else is the program's."""
    file = code.co_filename
    known = _internal.get(file)
    if known is None:
        known = _internal[file] = file.startswith(_CORE)
    return known


def is_ours(code: CodeType) -> bool:
    """Whether code is NumPy's or this package's: all else is the user's."""
    return code.co_filename.startswith(_WHOLE)


def warn(text: str) -> None:
    """A RuntimeWarning at the user's line."""
    frame, level = sys._getframe(), 1  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and is_ours(frame.f_code):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, RuntimeWarning, stacklevel=level)


def caller() -> Site | None:
    """The nearest frame that is a line of the program: the user's, or of a ready-made layer."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    known = _internal.get
    while frame is not None:
        code = frame.f_code
        if not known(code.co_filename) and not is_internal(code):
            break
        frame = frame.f_back
    return None if frame is None else Site(frame.f_code, frame.f_lasti)


def at_caller() -> str:
    """The line of the program, as the tail of an error; for a layer's line the user's too."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    lines: list[str] = []
    while frame is not None:
        if not is_internal(frame.f_code):
            word = "called from" if lines else "at"
            lines.append(f"\n  {word} {Site(frame.f_code, frame.f_lasti)}")
            if not is_ours(frame.f_code):
                return lines[0] if len(lines) == 1 else lines[0] + lines[-1]
        frame = frame.f_back
    return lines[0] if lines else ""
