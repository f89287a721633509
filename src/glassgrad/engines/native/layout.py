"""Where the buffers of some steps lie in their arena."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from glassgrad.engines.native import cost
from glassgrad.engines.native.arena import ALIGNMENT, Interval, plan
from glassgrad.engines.native.course import Branch, Until
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.products import scratch_bytes
from glassgrad.engines.native.step import Multiply, Repeat, Step
from glassgrad.engines.native.target import Target

_STATUS_BYTES = 64  # the start of an arena: the status word


class Layout:
    """Offsets of arena buffers, of the scratch memory of products, and the size of it all.

    `table` is where a step that is shared finds its buffers. Where extents are known at run time
    only, `at` says what a number of the example is.

    The body of a loop has an arena of its own inside that of the program, and so has each branch;
    `inner` holds their layouts.
    """

    def __init__(
        self, steps: Sequence[Step], target: Target,
        at: Callable[[int], int] | None = None,
    ) -> None:  # fmt: skip
        self.inner: dict[Step, list[Layout]] = {}
        blocks = set[Buffer]()
        for step in steps:
            if isinstance(step, Repeat | Until | Branch):
                found = self.inner[step] = [Layout(p, target, at) for p in step.programs]
                blocks.add(step.block)
                step.block.shape = (tables_bytes(step) + max(x.size for x in found),)
        first: dict[Buffer, int] = {}
        last: dict[Buffer, int] = {}
        for i, step in enumerate(steps):
            for buffer in (*step.writes(), *step.reads()):
                if buffer.kind == "arena":
                    first.setdefault(buffer, i)
                    last[buffer] = i
        now = at or (lambda number: number)
        sizes = (b.nbytes if b in blocks else now(b.size) * b.dtype.itemsize for b in first)
        spans = [Interval(n, first[b], last[b]) for b, n in zip(first, sizes)]
        offsets, size = plan(spans)
        self.offsets = {b: o + _STATUS_BYTES for b, o in zip(first, offsets)}
        self.scratch = size + _STATUS_BYTES
        products = (scratch_bytes(s, target, now) for s in steps if isinstance(s, Multiply))
        self.table = self.scratch + max(products, default=0)
        words = (len({*s.writes(), *s.reads()}) + 1 for s in steps if at or cost.parts(s) > 1)
        self.size = self.table + 8 * max(words, default=0) + ALIGNMENT

    def every(self) -> Iterator[Layout]:
        """This layout and those inside it."""
        yield self
        for found in self.inner.values():
            for layout in found:
                yield from layout.every()


def tables_bytes(step: Repeat | Until | Branch) -> int:
    """The bytes of the tables of pointers that the programs inside a step are called with."""
    words = len(step.operands) + len(step.results)
    return -(-8 * words // ALIGNMENT) * ALIGNMENT
