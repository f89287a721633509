"""Programs for arrays of any size along some axes, such as the rows of a batch.

Which axes these are is seen when a function is called with other extents than before, or said by
the caller. The function is then traced for two made-up sizes, and what differs between the graphs
is left open: extents, and constants such as 1/n, which each new size's own trace brings along. That
trace must be the same graph but for these; so a function whose course depends on a size is compiled
for each size by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glassgrad.graph.alike import Pairs, UnlikeError, pairs
from glassgrad.graph.node import Const, Node, new_input
from glassgrad.rewrite.lift import lift
from glassgrad.transform.direct import signature_of
from glassgrad.transform.tree import Tree

if TYPE_CHECKING:
    from glassgrad.engines.native.extents import Extents
    from glassgrad.engines.native.general import GeneralProgram, SizedProgram

Shape = tuple[int, ...]


class Varying(NamedTuple):
    """Which axes of which arguments vary: for each the number of an extent, and how many of it."""

    axes: tuple[tuple[tuple[int, int] | None, ...], ...]
    sizes: tuple[int, ...]  # of the extents in this call

    def shapes(self, given: Sequence[Shape], primes: Sequence[int]) -> list[Shape]:
        """The arguments' shapes where the extents are these."""
        return [
            tuple(n if v is None else v[1] * primes[v[0]] for n, v in zip(shape, varying))
            for shape, varying in zip(given, self.axes)
        ]

    def fixed(self, given: Sequence[Shape]) -> list[Shape]:
        """The extents of each argument that do not vary."""
        return [
            tuple(n for n, v in zip(shape, varying) if v is None)
            for shape, varying in zip(given, self.axes)
        ]


def varying_axes(before: Sequence[Shape], now: Sequence[Shape]) -> Varying | None:
    """The axes whose extents differ between two calls; None where an array has other axes, too.

    An extent that is a multiple of another one in both calls is that many of it.

    >>> varying_axes([(64, 784), (128,)], [(32, 784), (64,)])
    Varying(axes=(((0, 1), None), ((0, 2),)), sizes=(32,))
    """
    if any(len(a) != len(b) for a, b in zip(before, now)):
        return None
    differing = {p for a, b in zip(before, now) for p in zip(a, b) if p[0] != p[1]}
    if not differing or any(0 in p for p in differing):
        return None
    extents: list[tuple[int, int]] = []
    for pair in sorted(differing):
        if _multiple(pair, extents) is None:
            extents.append(pair)
    axes = tuple(
        tuple(_multiple((m, n), extents) if m != n else None for m, n in zip(a, b))
        for a, b in zip(before, now)
    )
    return Varying(axes, tuple(n for _, n in extents))


def first_axes(chosen: Collection[int], shapes: Sequence[Shape]) -> Varying | None:
    """The first axes of the chosen arguments, which are batches of one size or of multiples of it.

    >>> first_axes({0, 1}, [(64, 784), (64,), (784, 10)]).axes[:2]
    (((0, 1), None), ((0, 1),))
    """
    found = [shapes[i][0] for i in chosen if shapes[i]]
    least = min(found, default=0)
    if not least or any(n % least for n in found):
        return None
    axes = (
        tuple((0, n // least) if i in chosen and axis == 0 else None for axis, n in enumerate(s))
        for i, s in enumerate(shapes)
    )
    return Varying(tuple(axes), (least,))


def _multiple(pair: tuple[int, int], extents: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """The extent that a pair is a multiple of, and how many of it."""
    for i, (m, n) in enumerate(extents):
        if pair[0] % m == 0 and pair[0] // m * n == pair[1]:
            return i, pair[0] // m
    return None


class Graph(NamedTuple):
    """A function traced for some shapes."""

    inputs: list[Node]
    outputs: list[Node]
    result: Tree


class Wanted(NamedTuple):
    """What a program is besides its graph.

    Results by number in the memory of arguments, its name, and, where a builtin may call it, what
    the builtin must know, what it may take, and who gets what does not fit.
    """

    donated: dict[int, int]
    name: str
    call: tuple[Any, ...] | None
    takes: list[str]
    receiver: Callable[..., Any]


_NAMES = ("n0", "n1", "n2", "n3", "n4", "n5")
Tracer = Callable[[Sequence[Shape] | None], Graph | None]
"""Traces for shapes in the place of the arguments' own; None where values are looked at."""


@dataclass
class Template:
    """A general program with the graph that it was made of, before its constants were opened."""

    program: GeneralProgram
    extents: Extents
    graph: Graph
    constants: list[Node]
    seen: list[tuple[int, ...]] = field(default_factory=list)

    def told(self) -> str:
        """The sizes that there were so far, where each extent varies."""
        axes = [f"{n} = {','.join(map(str, s))}" for n, s in zip(_NAMES, zip(*self.seen))]
        return "; ".join(axes)


@dataclass
class Sizes:
    """The programs of one function that take any size.

    `first` are the shapes of the first call of each kind; `templates` the programs by kind and
    varying axes, or why there is none.
    """

    first: dict[Any, list[Shape]] = field(default_factory=dict)
    templates: dict[Any, Template | str] = field(default_factory=dict)

    def program(
        self, kind: Any, varying: Varying, graph: Graph, trace: Tracer, wanted: Wanted
    ) -> SizedProgram | None:
        """The program for the sizes of a call; None where there is none for every size."""
        key = (kind, varying.axes, *varying.fixed([x.shape for x in graph.inputs]))
        if key not in self.templates:
            self.templates[key] = _template(varying, graph, trace, wanted)
        found = self.templates[key]
        if isinstance(found, str) or found.graph.result != graph.result:
            return None
        at = found.extents.at
        try:
            same = _pairs(found.graph, graph, lambda n: at(n, varying.sizes))
        except UnlikeError:
            return None
        if not set(same.constants) <= set(found.constants):
            return None
        values = [_value(same[c]) for c in found.constants]
        found.seen.append(varying.sizes)
        return found.program.at(varying.sizes, graph.outputs, graph.inputs, values)

    def refuse(self, kind: Any, reason: str) -> None:
        """Notes why calls of a kind have no program for every size."""
        self.templates[kind, reason] = reason

    def made(self) -> list[Template]:
        """The programs that there are."""
        return [t for t in self.templates.values() if isinstance(t, Template)]

    def reasons(self) -> list[str]:
        """Why there is no program for every size, where one was wanted."""
        return list(dict.fromkeys(t for t in self.templates.values() if isinstance(t, str)))


def _template(varying: Varying, graph: Graph, trace: Tracer, wanted: Wanted) -> Template | str:
    from glassgrad.engines.native.extents import Extents, FixedSizeError

    try:
        shapes = [x.shape for x in graph.inputs]
        fixed = (n for row in varying.fixed(shapes) for n in row)
        examples = Extents.examples(len(varying.sizes), fixed)
        graphs: list[Graph] = []
        for extents in examples:
            try:
                traced = trace(varying.shapes(shapes, extents.primes))
            except Exception as error:  # the function's own, of a size that nobody asked for
                first = str(error).partition("\n")[0]
                made_up = ", ".join(map(str, extents.primes))
                return f"for a made-up size, {made_up}, {type(error).__name__}: {first}"
            if traced is None or traced.result != graph.result:
                return "its course depends on a size"
            graphs.append(traced)
        return _made(examples, graphs, wanted)
    except FixedSizeError as error:
        return str(error)
    except UnlikeError as error:
        return f"its graph depends on a size: {error}"


def _made(examples: Sequence[Extents], graphs: Sequence[Graph], wanted: Wanted) -> Template:
    from glassgrad.engines.native.general import Example, GeneralProgram

    first, second = examples
    same = _pairs(graphs[0], graphs[1], lambda n: first.at(n, second.primes))
    opened: list[Example] = []
    for extents, graph, constants in (
        (first, graphs[0], same.constants),
        (second, graphs[1], [same[c] for c in same.constants]),
    ):
        trace = graph.outputs[0].trace.root()
        inputs = {c: new_input(trace, "constant", c.shape, c.dtype) for c in constants}
        outputs = lift(graph.outputs, inputs)
        opened.append(Example(outputs, [*graph.inputs, *inputs.values()], extents))
    donated, name, call, takes, receiver = wanted
    signature = None
    if call is not None:
        signature = signature_of(opened[0].outputs, graphs[0].inputs, call, takes)
    program = GeneralProgram(opened, donated, name, signature=signature, receiver=receiver)
    return Template(program, first, graphs[0], same.constants)


def _pairs(first: Graph, other: Graph, at: Callable[[int], int]) -> Pairs:
    return pairs(first.outputs, other.outputs, dict(zip(first.inputs, other.inputs)), at)


def _value(node: Node) -> np.ndarray:
    assert isinstance(node.op, Const)
    return node.op.value


__all__ = ["Graph", "Shape", "Sizes", "Varying", "Wanted", "first_axes", "varying_axes"]
