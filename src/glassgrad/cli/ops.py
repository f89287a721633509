"""`glassgrad ops`: every op of the registry, in a table."""

from __future__ import annotations

import textwrap
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from glassgrad.cli.parser import Parser

if TYPE_CHECKING:
    from glassgrad.graph.family import Elementwise

HEADINGS = ("op", "computes", "derivative, or what it does to a gradient", "conventions")
Row = tuple[str, ...]
WIDEST = 44


def parser() -> Parser:
    """The options of `glassgrad ops`."""
    p = Parser(
        prog="glassgrad ops",
        description="List every op: what it computes, its derivative, its conventions at kinks.",
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
    from glassgrad.graph.family import Elementwise

    if not isinstance(op, Elementwise):
        return name, f"{name}[{', '.join(op.fields)}]", str(op.verb), ""
    domain = "" if op.domain == "all reals" else f"defined for {op.domain}"
    conventions = "; ".join(part for part in (domain, op.kinks) if part)
    return name, *mathematics(op), conventions


def mathematics(op: Elementwise) -> tuple[str, str]:
    """What an elementwise op computes, and its partial derivatives, as text."""
    from glassgrad.graph.algebra import NODES
    from glassgrad.graph.dtype import BOOL, FLOAT64
    from glassgrad.graph.node import Node, Trace, new_input
    from glassgrad.graph.text import text

    trace = Trace()
    logical = [op.name.startswith("logical_"), op.name == "where"]
    dtypes = [BOOL if any(logical) else FLOAT64, *[BOOL if logical[0] else FLOAT64] * 3]
    names = "xyzu"[: op.arity]
    x = [new_input(trace, n, (), d) for n, d in zip(names, dtypes)]
    computed = text(op.math(NODES, *x))
    if op.partials is None:
        return computed, op.verb
    found = op.partials(NODES, op.apply(*x), *x)
    if op.result == "bool" or op.name == "stop_gradient":
        return computed, op.verb
    written = [text(d) if isinstance(d, Node) else str(d or 0) for d in found]
    return computed, "; ".join(f"d{n}: {d}" for n, d in zip(names, written))


def layout(rows: list[Row]) -> list[str]:
    """Rows as lines with aligned columns, and a rule under the headings; long cells are wrapped.

    >>> layout([("a", "b"), ("one", "2")])
    ['a    b', '---  -', 'one  2']
    """
    cells = [[textwrap.wrap(c, WIDEST) or [""] for c in row] for row in rows]
    widths = [max(len(line) for row in cells for line in row[j]) for j in range(len(rows[0]))]
    cells.insert(1, [["-" * width] for width in widths])
    lines: list[str] = []
    for row in cells:
        for parts in zip_longest(*row, fillvalue=""):
            lines.append("  ".join(p.ljust(w) for p, w in zip(parts, widths)).rstrip())
    return lines
