"""Integer divisions that NumPy warns of, in the status of a program: a bit for each.

The lowest bits of a status say how a call has failed; the others, of a call that has done its work,
where a division went wrong. They are numbered as the code is emitted; the last two stand for all
that have no bit of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.engines.integer_division import Fault
from glassgrad.engines.native.emit import Function, Value
from glassgrad.ops.division import BY_ZERO, OVERFLOW

FAILED = 7  # the bits of an index or a power, of Ctrl-C, of a matrix
_FIRST = 3
_SHARED = {BY_ZERO: 29, OVERFLOW: 30}


def bit_of(faults: list[Fault], fault: Fault) -> int:
    """The bit of a fault, which is numbered now if it was not before."""
    if fault not in faults:
        faults.append(fault)
    return 1 << _place(faults.index(fault), fault)


def _place(number: int, fault: Fault) -> int:
    own = _FIRST + number
    return own if own < min(_SHARED.values()) else _SHARED[fault.kind]


def told_by(faults: Sequence[Fault], status: int) -> list[Fault]:
    """The faults whose bits are set in a status.

    >>> from glassgrad.graph.node import Trace, new_input
    >>> x = new_input(Trace(), "x", (), "i8")
    >>> faults = [Fault(x, BY_ZERO), Fault(x, OVERFLOW)]
    >>> [f.kind for f in told_by(faults, 16)]
    ['overflow']
    """
    groups: dict[int, list[Fault]] = {}
    for number, fault in enumerate(faults):
        groups.setdefault(_place(number, fault), []).append(fault)
    return [
        Fault(*group[0][:2], len(group) - 1) for at, group in groups.items() if status >> at & 1
    ]


def sound(f: Function, status: Value) -> Value:
    """Whether nothing has failed so far, whatever divisions went wrong."""
    if f.module.divides:
        status = status & FAILED
    return f.compare("eq", status, 0)


__all__ = ["FAILED", "bit_of", "sound", "told_by"]
