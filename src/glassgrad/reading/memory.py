"""gg.memory_report: every intermediate value that a compiled call stores, and why it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from glassgrad.engines.memory import told_bytes
from glassgrad.graph.errors import CalculusError
from glassgrad.transform.jit import Jit
from glassgrad.transform.trace import label_of

if TYPE_CHECKING:
    from glassgrad.engines.native.ledger import Kept

LISTED = 40  # values that the text names


class MemoryReport:
    """What a call stores; print it.

    `kept` are the values, those that are there when most is before others, the largest first;
    `peak` is the bytes that the call needs besides its arguments.
    """

    def __init__(self, title: str, peak: int, kept: Sequence[Kept]) -> None:
        self.title, self.peak, self.kept = title, peak, tuple(kept)

    def __str__(self) -> str:
        at_peak = sum(k.at_peak for k in self.kept)
        lines = [self.title, f"{len(self.kept)} values are stored, {at_peak} of them at the peak:"]
        lines += [f"  {k}" for k in self.kept[:LISTED]]
        rest = self.kept[LISTED:]
        if rest:
            size = told_bytes(sum(k.nbytes for k in rest))
            lines.append(f"  and {len(rest)} more, {size} in all, at different times")
        return "\n".join(lines)

    __repr__ = __str__


def memory_report(f: Callable[..., Any], *args: Any, **kwargs: Any) -> MemoryReport:
    """What a compiled call of `f` stores, how many bytes, until which step and for what; the peak.

    `f` is compiled for arguments like these, and not run. What `gg.jit` was told of donated
    arguments and a budget holds here too.

    >>> import glassgrad as gg, numpy as np
    >>> report = gg.memory_report(lambda x: np.sum(np.tanh(x @ x)), np.ones((50, 50)))
    >>> [k.nbytes for k in report.kept if k.at_peak]
    [20000]
    """
    from glassgrad.engines.native.program import NativeProgram
    from glassgrad.engines.native.target import absence

    if why := absence():
        raise CalculusError(f"gg.memory_report reads the plan of the native engine: {why}")
    donate, budget = (f.donate, f.budget) if isinstance(f, Jit) else ((), None)
    function = f.f if isinstance(f, Jit) else f
    compiled = Jit(function, "native", False, donate, (), budget).prepare(*args, **kwargs)
    ((made,),) = compiled.programs.values()
    assert isinstance(made.program, NativeProgram)
    title = f"{label_of(function)}: {made.program.memory}"
    return MemoryReport(title, made.program.memory.peak, made.program.kept())
