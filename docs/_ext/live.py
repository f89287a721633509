"""Code that runs while the page is built: what is printed below it is what it gave.

    ```{run}            Python; shows the code, then what it printed and the value of its last line.
    ```{run} hidden     the same, shown nowhere: for checks.
    ```{command}        command lines, one a line; shows each with its output.
    ```{picture} file   an SVG file that the page wrote.
    {now}`expression`   the value of an expression, in the text.

All blocks of a page share their variables, and its commands share a fresh folder. A block that
raises, or a command that fails, is a warning, and so an error where the pages are built with -W. A
block whose error is the point of it says so: ```{run} raises.
"""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
import os
import re
import shlex
import subprocess
import sys
import tempfile
import traceback
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

LOG = logging.getLogger(__name__)
LIMIT = 300  # seconds for one command


class Page:
    """The variables and the folder of one page."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.variables: dict[str, Any] = {"__name__": "__page__"}
        self.blocks = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def folder(self) -> Path:
        """Where the page's commands run and its code writes."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="glassgrad-page-")
        return Path(self._folder.name)

    def run(self, source: str, raises: bool = False) -> tuple[str, str]:
        """What the code shows, and the error that it should not have raised."""
        self.blocks += 1
        number = "" if self.blocks == 1 else f"_{self.blocks}"
        file = f"{Path(self.name).name}{number}.py"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        tree = ast.parse(source, file)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        shown = io.StringIO()
        try:
            with contextlib.redirect_stdout(shown), contextlib.chdir(self.folder):
                exec(compile(tree, file, "exec"), self.variables)
                if isinstance(last, ast.Expr):
                    value = eval(compile(ast.Expression(last.value), file, "eval"), self.variables)
                    if value is not None:
                        print(repr(value))
        except Exception as error:
            if raises:
                return shown.getvalue() + f"{type(error).__name__}: {error}\n", ""
            return shown.getvalue(), traceback.format_exc(limit=-3)
        return shown.getvalue(), "it did not raise" if raises else ""

    def value(self, expression: str) -> str:
        """An expression's value as text; a float in few digits."""
        found = eval(expression, self.variables)
        return f"{found:.7g}" if isinstance(found, float) else str(found)

    def command(self, line: str) -> tuple[str, int]:
        """What a command line prints, and its exit code."""
        words = shlex.split(line)
        if words[0] == "glassgrad":
            words = [sys.executable, "-m", "glassgrad.cli", *words[1:]]
        done = subprocess.run(
            words,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
            env={**os.environ, "COLUMNS": "84", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
        )
        return done.stdout, done.returncode


PAGES: dict[str, Page] = {}


def page_of(name: str) -> Page:
    """The page of that name, made when it is first asked for."""
    return PAGES.setdefault(name, Page(name))


def _block(text: str, language: str, *classes: str) -> nodes.literal_block:
    node = nodes.literal_block(text, text, language=language)
    node["classes"] += classes
    return node


class Run(SphinxDirective):
    """Python that runs while the page is built."""

    has_content = True
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The code and what it showed."""
        how = self.arguments[0] if self.arguments else ""
        source = "\n".join(self.content)
        shown, error = page_of(self.env.docname).run(source, raises=how == "raises")
        if error:
            LOG.warning("a block failed: %s\n%s", error, source, location=self.get_location())
        if how == "hidden":
            return []
        found: list[nodes.Node] = [_block(source, "python")]
        if shown.strip():
            found.append(_block(shown.rstrip(), "text", "live-output"))
        return found


class Command(SphinxDirective):
    """Command lines that run while the page is built; `fails N` expects exit code N."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Each line and what it printed."""
        expected = int(self.arguments[0].split()[1]) if self.arguments else 0
        text = []
        for line in self.content:
            shown, code = page_of(self.env.docname).command(line)
            if code != expected:
                LOG.warning("%s: exit code %d\n%s", line, code, shown, location=self.get_location())
            text.append(f"$ {line}\n{_last_of_each_line(shown)}".rstrip())
        return [_block("\n".join(text), "console")]


def _last_of_each_line(text: str) -> str:
    """What a terminal would show of lines that were written over."""
    lines = [line.rpartition("\r")[2] for line in text.splitlines()]
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", "\n".join(lines))


class Picture(SphinxDirective):
    """An SVG file of the page's folder, as it is."""

    required_arguments = 1
    option_spec: ClassVar = {"alt": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """The picture, inside the page."""
        svg = (page_of(self.env.docname).folder / self.arguments[0]).read_text(encoding="utf-8")
        alt = escape(self.options.get("alt", ""), quote=True)
        return [nodes.raw("", f'<figure aria-label="{alt}">{svg}</figure>', format="html")]


class Now(SphinxRole):
    """The value of an expression, in the text."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The value as a literal."""
        try:
            shown = page_of(self.env.docname).value(self.text)
        except Exception as error:
            LOG.warning("%s: %s", self.text, error, location=self.get_location())
            shown = "?"
        return [nodes.literal(shown, shown)], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Enter the directives."""
    app.add_directive("run", Run)
    app.add_directive("command", Command)
    app.add_directive("picture", Picture)
    app.add_role("now", Now())
    app.connect("source-read", lambda app, name, source: PAGES.pop(name, None) and None)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
