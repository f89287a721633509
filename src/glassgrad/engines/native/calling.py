"""A linked kernel as Python calls it: arrays made ready, results made, errors explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from glassgrad.engines import reference
from glassgrad.engines.native import threads
from glassgrad.engines.native.outside import REFUSED
from glassgrad.graph.errors import DTypeError, MatrixError, ShapeError
from glassgrad.graph.node import Node


class Calling:
    """A program's kernel on arrays: one for each input gives fresh ones for the outputs.

    `donated` maps numbers of outputs to numbers of inputs in whose memory they are returned.
    """

    def __init__(
        self, name: str, outputs: Sequence[Node], inputs: Sequence[Node],
        donated: Mapping[int, int], kernel: Callable[..., int], shared: bool,
    ) -> None:  # fmt: skip
        self.name, self.outputs, self.inputs = name, outputs, inputs
        self.donated, self.kernel, self.shared = donated, kernel, shared

    def __call__(self, arrays: Sequence[Any]) -> list[np.ndarray]:
        """The outputs for these inputs; arguments are converted where no number changes."""
        if len(arrays) != len(self.inputs):
            raise TypeError(
                f"{self.name}() takes {len(self.inputs)} arrays, {len(arrays)} were given"
            )
        if self.shared:
            threads.ready()
        ready = [argument(x, node) for x, node in zip(arrays, self.inputs)]
        for i in self.donated.values():
            if ready[i] is not arrays[i] or not _is_free(ready, i):
                ready[i] = ready[i].copy()
        results = [
            ready[self.donated[o]] if o in self.donated else np.empty(node.shape, node.dtype)
            for o, node in enumerate(self.outputs)
        ]
        status = self.kernel(*([address(a) for a in arrays] for arrays in (ready, results)))
        if status:
            self._explain(ready, status)
        return results

    def _explain(self, arrays: Sequence[np.ndarray], status: int) -> None:
        """Raises the error that the same computation raises on the reference engine."""
        reference.evaluate(self.outputs, dict(zip(self.inputs, arrays)))
        if status & REFUSED:
            raise MatrixError(f"{self.name}: a matrix is singular to LAPACK, or has no factors")
        raise IndexError(f"{self.name}: an index is out of range")


def argument(x: Any, node: Node) -> np.ndarray:
    """An argument as the code reads it: contiguous, aligned, of the node's dtype and shape."""
    if type(x) is np.ndarray and x.dtype is node.dtype and x.shape == node.shape:
        flags = x.flags
        if flags.c_contiguous and flags.aligned:
            return x
    label = getattr(node.op, "label", "?")
    if not isinstance(x, np.ndarray):
        x = np.asarray(x, node.dtype) if isinstance(x, (bool, int, float)) else np.asarray(x)
    if x.dtype.newbyteorder("=") != node.dtype:
        raise DTypeError(
            f"argument {label!r} has dtype {x.dtype}, the program was compiled for {node.dtype}: "
            f"convert it with .astype(np.{node.dtype})"
        )
    if x.shape != node.shape:
        raise ShapeError(
            f"argument {label!r} has shape {x.shape}, the program was compiled for {node.shape}"
        )
    return np.require(x, node.dtype, ["C", "A"])


def address(x: np.ndarray) -> int:
    """Where an array's elements lie (much faster than ``x.ctypes.data``)."""
    return x.__array_interface__["data"][0]


def _is_free(arrays: Sequence[np.ndarray], i: int) -> bool:
    """Whether an argument may be written to, and none of the others lies in its memory."""
    others = (x for j, x in enumerate(arrays) if j != i)
    return arrays[i].flags.writeable and not any(np.may_share_memory(arrays[i], x) for x in others)


__all__ = ["Calling", "address", "argument"]
