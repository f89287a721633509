"""Tables that are made from the program while the pages are built, so that they cannot go stale.

```{registry} ops | kinks | laws | errors | options VERB [WHAT]
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import glassgrad.ops
from glassgrad.cli.parser import parser_of
from glassgrad.graph.errors import GlassgradError
from glassgrad.graph.op import REGISTRY
from glassgrad.rewrite.pipeline import LAWS

Row = tuple[str, ...]
OPS = dict(sorted(REGISTRY.items()))  # before any page defines ops of its own
HIDDEN = {"input", "const", "item", "alias"}  # what a graph is made of, not what is computed


def _written(name: str, op: Any) -> str:
    form = getattr(op, "form", "")
    if not form:
        return f"{name}({', '.join(op.fields)})"
    _, *names = inspect.signature(op.math).parameters  # the first is the algebra
    return form.format(*(names if len(names) == op.arity else "xyz"))


def _ops() -> Iterator[Row]:
    yield "op", "written", "where defined", "what it does to a gradient", "operations"
    for name, op in OPS.items():
        if name not in HIDDEN:
            each = getattr(op, "flops_each", op.cost)
            yield f"`{name}`", f"`{_written(name, op)}`", op.domain, op.verb, str(each)


def _kinks() -> Iterator[Row]:
    yield "op", "written", "at the kink"
    for name, op in OPS.items():
        if kinks := getattr(op, "kinks", ""):
            yield f"`{name}`", f"`{_written(name, op)}`", kinks


def _laws() -> Iterator[Row]:
    yield "law", "class", "found at"
    for law in LAWS:
        yield f"`{law.statement}`", law.kind, f"`{law.root}`"


def _below(cls: type) -> Iterator[type]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _below(sub)


def _errors() -> Iterator[Row]:
    for module in pkgutil.walk_packages(glassgrad.__path__, "glassgrad."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)  # any of them may define an error
    yield "error", "also caught by", "what is wrong"
    for cls in sorted(dict.fromkeys(_below(GlassgradError)), key=lambda c: c.__name__):
        builtin = [b.__name__ for b in cls.__mro__ if b.__module__ == "builtins"]
        known = [name for name in builtin if name not in ("Exception", "BaseException", "object")]
        said = (cls.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        yield f"`{cls.__name__}`", ", ".join(f"`{name}`" for name in known), " ".join(said.split())


def _options(*words: str) -> Iterator[Row]:
    """The options of a command, as its parser knows them."""
    yield "option", "what it does"
    for action in parser_of(*words)._actions:
        names = action.option_strings or [action.metavar]
        shown = ", ".join(f"`{name}`" for name in names)
        if action.option_strings and action.nargs != 0:
            shown += f" `{action.metavar or '|'.join(map(str, action.choices))}`"
        yield shown, re.sub(r"--[a-z-]+", r"`\g<0>`", action.help or "")


TABLES: dict[str, Callable[..., Iterator[Row]]] = {
    "options": _options,
    "ops": _ops,
    "kinks": _kinks,
    "laws": _laws,
    "errors": _errors,
}


def _cell(text: str) -> nodes.entry:
    paragraph = nodes.paragraph()
    for i, part in enumerate(text.split("`")):
        if part:
            paragraph += nodes.literal(part, part) if i % 2 else nodes.Text(part)
    return nodes.entry("", paragraph)


def _table(rows: Sequence[Row]) -> nodes.table:
    group = nodes.tgroup(cols=len(rows[0]))
    group += [nodes.colspec(colwidth=1) for _ in rows[0]]
    lines = [nodes.row("", *map(_cell, row)) for row in rows]
    group += [nodes.thead("", lines[0]), nodes.tbody("", *lines[1:])]
    table = nodes.table("", group)
    table["classes"] += ["colwidths-auto"]
    return table


class Registry(SphinxDirective):
    """One of the tables."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """The table, made now."""
        name, *words = self.arguments[0].split()
        return [_table(list(TABLES[name](*words)))]


def setup(app: Sphinx) -> dict[str, Any]:
    """Enter the directive."""
    app.add_directive("registry", Registry)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
