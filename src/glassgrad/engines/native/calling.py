"""A linked kernel as Python calls it: arrays are made ready, results made, failures explained."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from glassgrad.engines import reference
from glassgrad.engines.integer_division import Fault, noted, tell
from glassgrad.engines.native import threads
from glassgrad.engines.native.faults import FAILED, told_by
from glassgrad.engines.native.outside import REFUSED
from glassgrad.graph.errors import DTypeError, MatrixError, ShapeError
from glassgrad.graph.node import Node


class Slot(NamedTuple):
    """What an argument must be, or a result is."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    label: str

    @staticmethod
    def of(nodes: Sequence[Node]) -> list[Slot]:
        """Those of some nodes."""
        return [Slot(n.shape, n.dtype, getattr(n.op, "label", "?")) for n in nodes]


class Calling:
    """A program's kernel on arrays: one for each of what it takes gives fresh ones of its results.

    `donated` maps numbers of results to numbers of arguments in whose memory they are returned.
    """

    name: str
    takes: Sequence[Slot]
    gives: Sequence[Slot]
    donated: Mapping[int, int]
    kernel: Callable[..., int]
    shared: bool

    def __call__(self, arrays: Sequence[Any]) -> list[np.ndarray]:
        """The outputs for these inputs; arguments are converted where no number changes."""
        if len(arrays) != len(self.takes):
            raise TypeError(
                f"{self.name}() takes {len(self.takes)} arrays, {len(arrays)} were given"
            )
        if self.shared:
            threads.ready()
        ready = [argument(x, slot) for x, slot in zip(arrays, self.takes)]
        met = _meeting(ready) if self.donated else ()
        for i in self.donated.values():
            if ready[i] is not arrays[i] or not _is_free(ready, i, i in met):
                ready[i] = ready[i].copy()
        results = [
            ready[self.donated[o]] if o in self.donated else np.empty(slot.shape, slot.dtype)
            for o, slot in enumerate(self.gives)
        ]
        status = self.kernel(*([address(a) for a in arrays] for arrays in (ready, results)))
        if status & FAILED:
            self.explain(ready, status)
        if status:
            tell(told_by(self.faults(), status))
        return results

    def faults(self) -> Sequence[Fault]:
        """The integer divisions that its status may tell of."""
        return ()

    def explain(self, arrays: Sequence[np.ndarray], status: int) -> None:
        """Raises the error that a failed call ends in."""
        raise UnexplainedError(self.name, status)


class Faulty(Protocol):
    """A program that may be told of divisions that went wrong."""

    def faults(self) -> Sequence[Fault]:
        """The integer divisions that its status may tell of."""
        ...


class Teller:
    """What a builtin calls with a status that is not 0; it does not keep its program."""

    def __init__(self, program: Faulty) -> None:
        self._program = weakref.ref(program)

    def __call__(self, status: int) -> None:
        """Tells of the divisions that went wrong."""
        program = self._program()
        assert program is not None, "a builtin keeps its program"
        tell(told_by(program.faults(), status))


class UnexplainedError(Exception):
    """Raised where a call has failed, by a program that does not know its graph."""

    def __init__(self, name: str, status: int) -> None:
        super().__init__(name, status)
        self.name, self.status = name, status

    def explained(
        self, outputs: Sequence[Node], inputs: Sequence[Node], arrays: Sequence[Any]
    ) -> Exception:
        """The error; one that the same computation raises on the reference engine is raised."""
        with noted():
            reference.evaluate(outputs, dict(zip(inputs, arrays)))
        if self.status & REFUSED:
            return MatrixError(f"{self.name}: a matrix is singular to LAPACK, or has no factors")
        return IndexError(f"{self.name}: an index is out of range")


def argument(x: Any, slot: Slot) -> np.ndarray:
    """An argument as the code reads it: contiguous, aligned, of the slot's dtype and shape."""
    if type(x) is np.ndarray and x.dtype is slot.dtype and x.shape == slot.shape:
        flags = x.flags
        if flags.c_contiguous and flags.aligned:
            return x
    if not isinstance(x, np.ndarray):
        x = np.asarray(x, slot.dtype) if isinstance(x, (bool, int, float)) else np.asarray(x)
    if x.dtype.newbyteorder("=") != slot.dtype:
        raise DTypeError(
            f"argument {slot.label!r} has dtype {x.dtype}, the program was compiled for "
            f"{slot.dtype}: convert it with .astype(np.{slot.dtype})"
        )
    if x.shape != slot.shape:
        raise ShapeError(
            f"argument {slot.label!r} has shape {x.shape}, the program was compiled for "
            f"{slot.shape}"
        )
    return np.require(x, slot.dtype, ["C", "A"])


def address(x: np.ndarray) -> int:
    """Where an array's elements lie (much faster than ``x.ctypes.data``)."""
    return x.__array_interface__["data"][0]


def _is_free(arrays: Sequence[np.ndarray], i: int, meets: bool) -> bool:
    """Whether an argument may be written to, and none of the others lies in its memory."""
    others = (x for j, x in enumerate(arrays) if j != i) if meets else ()
    return arrays[i].flags.writeable and not any(np.may_share_memory(arrays[i], x) for x in others)


def _meeting(arrays: Sequence[np.ndarray]) -> set[int]:
    """Those of some contiguous arrays that share memory with another one."""
    spans = ((address(x), x.nbytes, i) for i, x in enumerate(arrays))
    found: set[int] = set()
    reach, last = 0, -1  # the end of what comes before, and whose that is
    for start, length, i in sorted(spans):
        if start < reach:
            found |= {i, last}
        if start + length > reach:
            reach, last = start + length, i
    return found


__all__ = ["Calling", "Slot", "Teller", "UnexplainedError", "address", "argument"]
