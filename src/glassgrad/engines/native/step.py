"""The steps of a program: fused loops, reductions, matrix products, scatters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from glassgrad.engines.native.expression import (
    Buffer,
    Expr,
    Gather,
    Load,
    Seed,
    Store,
    loads,
    may_fail,
    walk,
)
from glassgrad.engines.native.extents import NONE, Extents
from glassgrad.graph.node import Node
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.division import may_fault
from glassgrad.ops.loop import Cond, While


@dataclass(eq=False)
class Step:
    """Something that writes buffers; `nodes` are what it computes, for the report."""

    nodes: list[Node]
    stores: list[Store]
    memo: dict[Any, Expr] = field(default_factory=dict, init=False)  # of its stores' expressions
    overwrites: list[Buffer] = field(default_factory=list, init=False)  # arguments it reads, too
    ahead: list[Load] = field(default_factory=list, init=False)  # what others need soon
    again: bool = field(default=False, init=False)  # computes what was computed before
    _found: Any = field(default=None, init=False, repr=False)
    whole: ClassVar[bool] = False  # writes what it does, whether or not each store is read

    @property
    def programs(self) -> list[list[Step]]:
        """The steps of each program that runs inside it, with an arena of its own."""
        return []

    def roots(self) -> list[Expr]:
        """Every expression that is evaluated."""
        return [s.expr for s in self.stores]

    def accesses(self) -> list[Load | Gather]:
        """All reads of memory, found once for the stores that there are."""
        roots = self.roots()
        if self._found is None or self._found[0] != roots:
            self._found = (roots, loads(roots))
        return self._found[1]

    def reads(self) -> list[Buffer]:
        """The buffers that are read."""
        return [x.buffer for x in self.accesses()]

    def writes(self) -> list[Buffer]:
        """The buffers that are written."""
        return [s.buffer for s in self.stores]

    def early(self) -> list[Load | Gather]:
        """What is read at a point before anything is written there: the first store may be in it.

        A step with one store reads first anyway.
        """
        if len(self.stores) < 2:
            return []
        return [x for x in loads(self.roots()) if x.buffer in self.overwrites]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape over which the stores run."""
        return self.stores[0].view.shape

    @property
    def checked(self) -> bool:
        """Whether it can fail: it reads at computed places, or an op may refuse a number."""
        return any(may_fail(x) for x in walk(self.roots()))

    def said(self) -> str:
        """A line for the report."""
        return f"loop over {list(self.shape)}"


@dataclass(eq=False)
class Loop(Step):
    """Expressions evaluated and stored for every point of a shape."""


@dataclass(eq=False)
class Reduction(Step):
    """`operand` over `space` is reduced along `axes`; the stores run over what is kept."""

    space: tuple[int, ...]
    axes: tuple[int, ...]
    kind: str
    operand: Expr
    seed: Seed

    def roots(self) -> list[Expr]:
        """The operand too."""
        return [self.operand, *super().roots()]

    @property
    def shape(self) -> tuple[int, ...]:
        """What is kept."""
        return tuple(n for i, n in enumerate(self.space) if i not in self.axes)

    def said(self) -> str:
        """A line for the report."""
        return f"{self.kind} over axes {list(self.axes)} of {list(self.space)}"


@dataclass(frozen=True)
class Matrix:
    """An operand of a product: strides of batch axes, then of the row and the column."""

    buffer: Buffer
    offset: int
    batch: tuple[int, ...]
    row: int
    column: int


@dataclass(eq=False)
class Multiply(Step):
    """A matrix product for each point of `batch`; the stores run over (m, n)."""

    left: Matrix
    right: Matrix
    batch: tuple[int, ...]
    m: int
    n: int
    k: int
    seed: Seed
    extents: Extents = NONE  # which of the numbers vary

    def reads(self) -> list[Buffer]:
        """The matrices and what the epilogue reads."""
        return [self.left.buffer, self.right.buffer, *super().reads()]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return (self.m, self.n)

    def said(self) -> str:
        """A line for the report."""
        times = f"{int(np.prod(self.batch))} x " if self.batch else ""
        return f"product {times}{self.m} x {self.k} x {self.n}"


@dataclass(eq=False)
class Scatter(Step):
    """`values` added or written at computed places; `store` views the axes that are not indexed."""

    whole = True
    target: Gather
    values: Expr
    space: tuple[int, ...]
    adds: bool

    def roots(self) -> list[Expr]:
        """The values and the indices."""
        return [self.values, *self.target.args]

    def reads(self) -> list[Buffer]:
        """What the values and the indices read, and what is added to."""
        return [*super().reads(), self.target.buffer]

    def writes(self) -> list[Buffer]:
        """What is added to."""
        return [self.target.buffer]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values."""
        return self.space

    @property
    def checked(self) -> bool:
        """Always: indices may be out of range."""
        return True

    def said(self) -> str:
        """A line for the report."""
        return f"scatter{'-add' * self.adds} of {list(self.space)}"


@dataclass(eq=False)
class Number(Step):
    """Numbers for row indices, equal for equal rows, counted as rows are first named.

    `places` has a number for each of `extent` rows and `rows` a row for each number. Both hold
    anything at first: a number is one that was given only if its row is this one. `count` says in
    the end how many were given.
    """

    whole = True
    indices: Expr
    numbers: Store
    extent: int
    places: Buffer
    rows: Buffer
    count: Buffer

    def roots(self) -> list[Expr]:
        """The indices."""
        return [self.indices]

    def reads(self) -> list[Buffer]:
        """What the indices read, and the tables."""
        return [*super().reads(), self.places, self.rows]

    def writes(self) -> list[Buffer]:
        """The numbers and the tables."""
        return [self.numbers.buffer, self.places, self.rows, self.count]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the indices."""
        return self.numbers.view.shape

    @property
    def checked(self) -> bool:
        """Always: indices may be out of range."""
        return True

    def said(self) -> str:
        """A line for the report."""
        return f"numbers for {self.shape[0]} of {self.extent} rows"


@dataclass(eq=False)
class Draw(Step):
    """Random words of a key."""

    whole = True
    key: Load
    target: Buffer
    stream: int
    draws: tuple[int, ...]

    def roots(self) -> list[Expr]:
        """The key."""
        return [self.key]

    def writes(self) -> list[Buffer]:
        """The words."""
        return [self.target]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the words."""
        return self.draws

    def said(self) -> str:
        """A line for the report."""
        return f"random words {list(self.draws)}"


@dataclass(eq=False)
class Arrange(Step):
    """The rows along an axis, sorted: their values and where these came from."""

    whole = True
    source: Load
    values: Buffer
    places: Buffer
    axis: int
    work: Buffer

    def roots(self) -> list[Expr]:
        """What is sorted."""
        return [self.source]

    def reads(self) -> list[Buffer]:
        """What is sorted, and the work space."""
        return [*super().reads(), self.work]

    def writes(self) -> list[Buffer]:
        """Both results and the work space."""
        return [self.values, self.places, self.work]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what is sorted."""
        return self.source.view.shape

    def said(self) -> str:
        """A line for the report."""
        return f"sort along axis {self.axis} of {list(self.shape)}"


@dataclass(eq=False)
class Repeat(Step):
    """A body run `length` times: carries go round, rows are read and stacked row by row.

    `body` are its steps, whose inputs and outputs are numbered buffers; `operands` are
    contiguous. `rows` and `carries` count operands, carries first.
    """

    whole = True
    body: list[Step]
    operands: list[Buffer]
    results: list[Buffer]
    spare: list[Buffer]  # a second place for each carry, but for those that stay in one
    length: int
    carries: int
    rows: int
    parameters: list[Node]
    block: Buffer  # the arena of the body, sized when the memory is laid out
    still: set[int] = field(default_factory=set)  # carries that the body changes in their place

    @property
    def programs(self) -> list[list[Step]]:
        """The body."""
        return [self.body]

    def reads(self) -> list[Buffer]:
        """The operands, and what is used up."""
        return [*self.operands, *self.spare, self.block]

    def writes(self) -> list[Buffer]:
        """The results, the carries' second places and the body's arena."""
        return [*self.results, *self.spare, self.block]

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of turns."""
        return (self.length,)

    @property
    def checked(self) -> bool:
        """Whether a step of the body is."""
        return any(step.checked for step in self.body)

    def said(self) -> str:
        """A line for the report."""
        return f"{self.length} turns of a loop of {len(self.body)} steps"


@dataclass(eq=False)
class Spin(Step):
    """A loop with a small body, kept in registers; operands and results as of `Repeat`."""

    whole = True
    parameters: list[Node]
    outputs: list[Node]
    operands: list[Buffer]
    results: list[Buffer]
    length: int
    carries: int
    rows: int

    def reads(self) -> list[Buffer]:
        """The operands."""
        return self.operands

    def writes(self) -> list[Buffer]:
        """The results."""
        return self.results

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of turns."""
        return (self.length,)

    @property
    def checked(self) -> bool:
        """Whether an op may refuse a number, or a loop inside can be stopped."""
        return any(_may_fail(node) for node in topological_order(self.outputs))

    def said(self) -> str:
        """A line for the report."""
        if not self.carries and not self.rows and self.length == 1:
            return "in registers"
        return f"{self.length} turns of a loop in registers"


def _may_fail(node: Node) -> bool:
    """Whether a node in registers can end in an error or a fault, or a function inside it."""
    op = node.op
    if may_fault(node):
        return True
    if isinstance(op, Cond):
        return any(_may_fail(n) for f in (op.yes, op.no) for n in f.order)
    return isinstance(op, While) or (op.name == "power" and node.dtype.kind == "i")
