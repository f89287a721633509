"""The pipelines, as flat lists of named passes: read from top to bottom, they are the compiler."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from glassgrad.graph.check import check_graph
from glassgrad.graph.family import Alias
from glassgrad.graph.node import Input, Node, new_input
from glassgrad.graph.traverse import substitute, topological_order
from glassgrad.rewrite import exact, real, stable
from glassgrad.rewrite.collect import collect
from glassgrad.rewrite.inline import without_rules
from glassgrad.rewrite.law import Firing, Law, LawBook, apply_laws

Change = Callable[[Sequence[Node], list[Firing], Collection[Node]], list[Node]]
Pass = tuple[str, Change]
"""A name, and what makes new outputs of the old ones, the log and the nodes that stay."""

LAWS: tuple[Law, ...] = (
    *stable.BOOK.laws,
    *exact.BOOK.laws,
    *exact.ALIASES.laws,
    *real.BOOK.laws,
)
"""Every law, for listings and tests."""


def _with(*books: LawBook) -> Change:
    return lambda outputs, log, keep: apply_laws(outputs, books, log, keep)


STABILISE: list[Pass] = [("stable forms", _with(stable.BOOK, exact.BOOK))]
"""Before differentiation: naive formulas become stable ones."""

FINISH: list[Pass] = [("exact laws", _with(exact.ALIASES, exact.BOOK))]
"""Before running: nothing that changes a bit."""

TIDY: list[Pass] = [
    ("exact and real laws", _with(exact.ALIASES, exact.BOOK, real.BOOK)),
    ("like terms", lambda outputs, log, keep: collect(outputs)),
    ("exact and real laws again", _with(exact.ALIASES, exact.BOOK, real.BOOK)),
]
"""For reading: formulas as one would write them."""

EXPAND: list[Pass] = [
    *TIDY[:1],
    ("multiplied out", lambda outputs, log, keep: collect(outputs, expand=True)),
]
"""For comparing: equal polynomials become equal nodes."""

LARGEST_TIDIED = 5000  # nodes; larger graphs are not for reading


def run(
    passes: Sequence[Pass],
    outputs: Sequence[Node],
    log: list[Firing] | None = None,
    keep: Collection[Node] = (),
) -> list[Node]:
    """The outputs after all passes; between passes the laws of graphs are checked.

    Nodes in `keep` and what lies under them are not rewritten.
    """
    firings: list[Firing] = [] if log is None else log
    found = list(outputs)
    for name, change in passes:
        before = [(y.shape, y.dtype) for y in found]
        found = change(found, firings, keep)
        check_graph(found, before, name)
    return found


def stabilise(
    outputs: Sequence[Node], keep: Sequence[Node] = (), log: list[Firing] | None = None
) -> list[Node]:
    """Stable forms of the outputs; nodes in `keep` stay, so that one can differentiate by them.

    An alias stays because nothing under it is rewritten: no law looks through an alias. Through
    any other node it may, so a variable stands for that meanwhile.
    """
    inner = [x for x in keep if not isinstance(x.op, Input | Alias)]
    held: Mapping[Node, Node] = {x: new_input(x.trace, "held", x.shape, x.dtype) for x in inner}
    start = substitute(outputs, held) if held else outputs
    found = run(STABILISE, start, log, {x for x in keep if isinstance(x.op, Alias)})
    return substitute(found, {v: x for x, v in held.items()}) if held else found


def finish(outputs: Sequence[Node], log: list[Firing] | None = None) -> list[Node]:
    """The outputs ready to run, with the same bits; no more derivatives are taken of them."""
    return run(FINISH, without_rules(outputs), log)


def tidy(outputs: Sequence[Node], log: list[Firing] | None = None) -> list[Node]:
    """The outputs for reading; a graph too large to be read is only cleared of idle nodes."""
    large = len(topological_order(outputs)) > LARGEST_TIDIED
    return run(FINISH if large else TIDY, outputs, log)
