"""`glassgrad ops`: every op of the registry: its value, its derivative, and what holds of it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from glassgrad.cli.parser import Parser

if TYPE_CHECKING:
    from glassgrad.graph.family import Elementwise
    from glassgrad.graph.node import Node

WIDTH = 100
Card = dict[str, str]


def parser() -> Parser:
    """The options of `glassgrad ops`."""
    p = Parser(
        prog="glassgrad ops",
        description="List every op: its value, its derivative, where it is defined, what holds at "
        "its kinks, what it does to a gradient, and the operations it takes.",
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
    for name in chosen:
        print("\n".join(layout(name, describe(REGISTRY[name]))))
    print(f"{len(chosen)} ops")
    return 0


def describe(op: Any) -> Card:
    """What is said of one op; a class stands for all ops that differ in their parameters only."""
    from glassgrad.graph.family import Elementwise

    if isinstance(op, Elementwise):
        value, derivative = mathematics(op)
        cost = f"{op.flops_each} an element"
    else:
        value, derivative, cost = _first_line(op), _rules(op), op.cost
    return {
        "value": value,
        "derivative": derivative,
        "domain": op.domain,
        "kinks": op.kinks or "none",
        "verb": str(op.verb) or "holds a value: gradients end here",
        "flops": cost,
    }


def _first_line(documented: Any) -> str:
    return (documented.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").strip()


def _rules(op: type) -> str:
    """The rule of reverse mode of a structural op, in words."""
    from glassgrad.diff.bodies import BODIES
    from glassgrad.graph.op import Op

    if op in BODIES:
        return _first_line(BODIES[op][1])
    rule = vars(op).get("vjp")
    return _first_line(rule) if rule is not None and rule is not Op.vjp else "none: it ends here"


def mathematics(op: Elementwise) -> tuple[str, str]:
    """What an elementwise op computes, and its derivatives by x, y and z, as text."""
    from glassgrad.graph.algebra import NODES
    from glassgrad.graph.dtype import BOOL, FLOAT64
    from glassgrad.graph.node import Trace, new_input
    from glassgrad.graph.text import text

    trace = Trace()
    logical = [op.name.startswith("logical_"), op.name == "where"]
    dtypes = [BOOL if any(logical) else FLOAT64, *[BOOL if logical[0] else FLOAT64] * 3]
    names = "xyz"[: op.arity]
    x = [new_input(trace, n, (), d) for n, d in zip(names, dtypes)]
    computed = text(op.math(NODES, *x))
    if op.result == "bool" or op.name == "stop_gradient":
        return computed, "none passes"
    if op.route is not None:
        g = new_input(trace, "g", (), FLOAT64)
        return computed, "g becomes " + _listed(names, op.route(NODES, g, *x))
    assert op.partials is not None
    return computed, _listed(names, op.partials(NODES, op.apply(*x), *x))


def _listed(names: str, found: tuple[Node | float | None, ...]) -> str:
    from glassgrad.graph.node import Node
    from glassgrad.graph.text import text

    written = [text(d) if isinstance(d, Node) else str(d or 0) for d in found]
    return "; ".join(f"d{n}: {d}" for n, d in zip(names, written))


def layout(name: str, card: Card) -> list[str]:
    """A name, and under it a line for each thing that is said; long ones are wrapped.

    >>> layout("relu", {"value": "max(x, 0)", "flops": "1 an element"})
    ['relu', '  value       max(x, 0)', '  flops       1 an element', '']
    """
    lines = [name]
    for key, said in card.items():
        lines += textwrap.wrap(
            said, WIDTH, initial_indent=f"  {key:<12}", subsequent_indent=" " * 14
        )
    return [*lines, ""]
