"""Docstrings are written as plain text; this makes them reStructuredText for the reference."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx


def _escaped(line: str) -> str:
    """A line whose stars and bars mean themselves, outside of `code`."""
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(
        p if p.startswith("`") else re.sub(r"([*|]|_(?=\W|$))", r"\\\1", p) for p in parts
    )


def plain(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape what reStructuredText would read as markup; doctests and indented lists stay."""
    inside = False
    for i, line in enumerate(lines):
        inside = line.lstrip().startswith(">>>") or (inside and bool(line.strip()))
        if not inside:
            lines[i] = _escaped(line)


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to autodoc."""
    app.connect("autodoc-process-docstring", plain)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
