"""`glassgrad ops`: every op of the registry, in a table."""

from __future__ import annotations

from typing import Any

from glassgrad.cli.parser import Parser

HEADINGS = ("op", "family", "written", "where defined", "at a kink", "what it does to a gradient")
Row = tuple[str, ...]


def parser() -> Parser:
    """The options of `glassgrad ops`."""
    p = Parser(
        prog="glassgrad ops",
        description="List every op: what it computes, where it is defined, and its conventions.",
    )
    p.add_argument("name", nargs="*", metavar="OP", help="only these")
    return p


def run(words: list[str]) -> int:
    """Print the registry, or the ops that were named."""
    import glassgrad.ops  # noqa: F401  (fills the registry)
    from glassgrad.graph.op import REGISTRY, lookup

    given = parser().parse_all(words)
    for name in given.name:
        lookup(name)
    chosen = given.name or sorted(REGISTRY)
    rows = [describe(name, REGISTRY[name]) for name in chosen]
    print("\n".join(layout([HEADINGS, *rows])))
    print(f"{len(rows)} ops")
    return 0


def describe(name: str, op: Any) -> Row:
    """The row of one op; a class stands for all ops that differ in their parameters only."""
    parameters = ", ".join(op.fields) if isinstance(op, type) else ""
    family = type(op).__name__.lower() if not isinstance(op, type) else "structural"
    form = getattr(op, "form", "")
    written = form.format("x", "y", "z", "u") if form else f"{name}[{parameters}](x, ...)"
    return (
        name,
        family,
        written,
        getattr(op, "domain", ""),
        getattr(op, "kinks", ""),
        str(op.verb),
    )


def layout(rows: list[Row]) -> list[str]:
    """Rows as lines with aligned columns, and a rule under the headings.

    >>> layout([("a", "b"), ("one", "2")])
    ['a    b', '---  -', 'one  2']
    """
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    rule = tuple("-" * width for width in widths)
    lines = [rows[0], rule, *rows[1:]]
    return ["  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in lines]
