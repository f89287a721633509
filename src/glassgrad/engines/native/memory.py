"""What a program needs of memory, known before it runs, and what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from glassgrad.engines.memory import memory, told_bytes
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.layout import Layout
from glassgrad.engines.native.step import Step
from glassgrad.graph.errors import PlanTooLargeError
from glassgrad.graph.node import Node

_CHECKED = 1 << 26  # bytes; a smaller plan is not worth a look at what there is
_LARGEST = 5  # buffers that a refusal names


@dataclass(frozen=True)
class Memory:
    """Bytes that one call needs besides its arguments; `peak` is their sum.

    `results` are fresh arrays; those in the memory of donated arguments need none. A caller that
    holds on to the results of earlier calls holds these besides.
    """

    arena: int
    results: int
    constants: int

    @property
    def peak(self) -> int:
        """All of it."""
        return self.arena + self.results + self.constants

    def __str__(self) -> str:
        parts = [(self.arena, "arena"), (self.results, "results"), (self.constants, "constants")]
        told = " + ".join(f"{told_bytes(n)} {name}" for n, name in parts)
        return f"{told_bytes(self.peak)} ({told})"


# -- what there is ------------------------------------------------------------


def limits(root: Path = Path("/")) -> Iterator[tuple[int, str]]:
    """The bytes that may still be taken, by everyone who sets a limit, with who it is."""
    found = memory(root)
    if found.free is not None:
        yield found.free, "free memory of the machine"
    if found.allowed is not None:
        yield found.allowed, f"the limit of the container ({found.told})"
    with suppress(OSError, ValueError, ImportError):  # not on this system
        yield from _process()


def _process() -> Iterator[tuple[int, str]]:
    import resource

    pages = [int(x) for x in Path("/proc/self/statm").read_text().split()]
    page = resource.getpagesize()
    for name, used in (("RLIMIT_AS", pages[0]), ("RLIMIT_DATA", pages[5])):
        soft, _ = resource.getrlimit(getattr(resource, name))
        if soft != resource.RLIM_INFINITY:
            yield soft - used * page, f"the process's limit {name}"


# -- a plan that does not fit -------------------------------------------------


def check(
    name: str, need: Memory, plan: Callable[[], tuple[Sequence[Step], Layout]],
    shown: Callable[[Buffer], Sequence[Node]],
) -> None:  # fmt: skip
    """Refuses a plan that needs more than there is; `shown` are the nodes of a buffer."""
    if need.peak < _CHECKED:
        return
    left, whose = min(limits(), default=(need.peak, ""))
    if need.peak <= left:
        return
    steps, layout = plan()
    buffers = list(_largest(layout, steps, shown))
    largest = " Its largest buffers are" if buffers else " It is what the function returns."
    lines = [
        f"{name} needs {need}, and {whose} leaves {told_bytes(max(0, left))}.{largest}",
        *buffers,
        f"Use {', '.join(_ways_out(layout))}.",
    ]
    raise PlanTooLargeError("\n".join(lines))


def keep(name: str, need: Memory, budget: int) -> None:
    """Refuses a plan that is over the budget: it is the one that needs least."""
    if need.peak > budget:
        raise PlanTooLargeError(
            f"{name} needs {need} ({need.peak} bytes) even where all that can be is computed "
            f"again, and the budget is {told_bytes(budget)}. Use a smaller batch, or a budget of "
            f"at least {need.peak} bytes."
        )


def _largest(
    layout: Layout, steps: Sequence[Step], shown: Callable[[Buffer], Sequence[Node]]
) -> Iterator[str]:
    maker = {b: step for step in steps for b in step.writes()}
    found = sorted(layout.offsets, key=lambda b: -b.nbytes)[:_LARGEST]
    for buffer in found:
        node = next((n for n in shown(buffer) or maker[buffer].nodes), None)
        sites = node.trace.sites(node) if node is not None else []
        what = f"{buffer.dtype}{list(buffer.shape)}"
        of = f" of {node.op.name}" if node is not None else ""
        yield f"  {told_bytes(buffer.nbytes)}: {what}{of}{f' at {sites[0]}' if sites else ''}"


def _ways_out(layout: Layout) -> Iterator[str]:
    yield "a smaller batch"
    if any(b.dtype == "float64" for b in layout.offsets):
        yield "float32 arrays (half of the bytes)"
    yield "budget=... of gg.jit, so that values are computed again and not kept"
    yield "or donate=... of gg.jit for arrays that are replaced"


__all__ = ["Memory", "check", "keep", "limits"]
