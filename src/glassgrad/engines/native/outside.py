"""Steps that call functions from outside: LAPACK's, or, where there are none, the reference engine.

Both are symbols that the linker is given, so that code in the cache holds no address. A question to
the reference engine goes through one callback, which takes the interpreter and is told in text what
is computed: any op can be computed so.
"""

from __future__ import annotations

import _thread
import ctypes
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import prod
from typing import Any

import numpy as np

from glassgrad.engines import reference
from glassgrad.engines.native import lapack
from glassgrad.engines.native.emit import I32, PTR, Function, Value
from glassgrad.engines.native.expression import Buffer, Expr, Load
from glassgrad.engines.native.runtime import python
from glassgrad.engines.native.step import Step
from glassgrad.graph.dtype import as_dtype
from glassgrad.graph.errors import GlassgradError
from glassgrad.graph.node import Node, Trace, make, new_input
from glassgrad.graph.op import lookup

REFUSED = 4  # the bit of the status: a matrix that a function does not take
_ASK = "gg_ask"


@dataclass(eq=False)
class Routine(Step):
    """Functions of LAPACK, called for each matrix of a stack.

    `kind` says how; `sources` are copied to where the functions want them; `known` are factors that
    other steps have made; `work` is work space of one matrix.
    """

    whole = True
    kind: str
    batch: tuple[int, ...]
    sources: list[Load]
    results: list[Buffer]
    known: list[Buffer]
    work: list[Buffer]
    setting: Any
    calls: str  # the functions, for the report

    def roots(self) -> list[Expr]:
        """What is copied."""
        return [*self.sources]

    def reads(self) -> list[Buffer]:
        """The sources, the factors and the work space."""
        return [*super().reads(), *self.known, *self.work]

    def writes(self) -> list[Buffer]:
        """The results and the work space."""
        return [*self.results, *self.work]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the stack."""
        return self.batch

    @property
    def checked(self) -> bool:
        """Always: a matrix may be refused."""
        return True

    def said(self) -> str:
        """A line for the report."""
        times = f"{prod(self.batch)} x " if self.batch else ""
        return f"{times}{self.kind}, calls {self.calls}"


@dataclass(eq=False)
class Question(Step):
    """One node, computed by the reference engine."""

    whole = True
    operands: list[Buffer]
    results: list[Buffer]

    def reads(self) -> list[Buffer]:
        """The operands."""
        return self.operands

    def writes(self) -> list[Buffer]:
        """The results."""
        return self.results

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first operand."""
        return self.operands[0].shape

    @property
    def checked(self) -> bool:
        """Always: the engine may refuse an operand."""
        return True

    def said(self) -> str:
        """A line for the report."""
        return f"calls NumPy with {' and '.join(str(list(b.shape)) for b in self.operands)}"


# -- what the linker is given ---------------------------------------------------------------------


def missing(foreign: Sequence[str]) -> bool:
    """Whether code names a function of LAPACK that this process has not."""
    wanted = [n for n in foreign if n.startswith("lapack_")]
    return bool(wanted) and not lapack.addresses().keys() >= set(wanted)


def addresses(foreign: Sequence[str]) -> dict[str, int]:
    """The addresses of those of the names that this module knows."""
    known = lapack.addresses() if any(n.startswith("lapack_") for n in foreign) else {}
    return known | ({_ASK: _asked()} if _ASK in foreign else {})


# -- asking the reference engine ------------------------------------------------------------------


def emit_question(
    f: Function, step: Question, pointers: dict[Buffer, Value], status: Value
) -> None:
    """``i32 gg_ask(text, table of operands and results)``: 1 where all went well."""
    op, buffers = step.nodes[0].op, [*step.operands, *step.results]
    operands = [[list(b.shape), b.dtype.str] for b in step.operands]
    text = json.dumps({"op": op.name, "parameters": op.parameters(), "operands": operands})
    table = f.stack(PTR, len(buffers))
    for i, b in enumerate(buffers):
        f.store(pointers[b], f.at(table, PTR, i))
    said = f.symbol(f.module.data(text.encode() + b"\0"))
    refuse_if(f, f.compare("eq", python(f, _ASK, I32, said, table), 0), status)


def refuse_if(f: Function, condition: Value, status: Value) -> None:
    """Sets the bit of the status where something is refused."""
    f.branch(condition, lambda: f.store(f.load(I32, status) | REFUSED, status))


@cache
def _asked() -> int:
    call = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_char_p, ctypes.c_void_p)(_answer)
    _KEPT.append(call)
    return ctypes.cast(call, ctypes.c_void_p).value or 0


_KEPT: list[Any] = []


def _answer(text: bytes, table: int) -> int:
    """Computes a node on arrays at the addresses of a table; 0 where it is refused.

    The error itself is raised when the call is over, by the reference engine; so is Ctrl-C.
    """
    try:
        node = _node(text)
        shapes = [(x.shape, x.dtype) for x in node.inputs]
        several = node.outputs is not None
        shapes += list(node.outputs) if node.outputs is not None else [(node.shape, node.dtype)]
        places = (ctypes.c_void_p * len(shapes)).from_address(table)
        arrays = [_array(at or 0, *shape) for at, shape in zip(places, shapes)]
        count = len(node.inputs)
        found = reference.compute(node, arrays[:count])
        for array, value in zip(arrays[count:], found if several else [found]):
            array[...] = value
        return 1
    except GlassgradError:
        return 0
    except KeyboardInterrupt:
        _thread.interrupt_main()
        return 0


def _array(address: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    memory = (ctypes.c_char * (prod(shape) * dtype.itemsize)).from_address(address)
    return np.ndarray(shape, dtype, memoryview(memory))


@lru_cache(256)
def _node(text: bytes) -> Node:
    said, trace = json.loads(text), Trace()
    inputs = [new_input(trace, "x", tuple(s), as_dtype(np.dtype(d))) for s, d in said["operands"]]
    found = lookup(said["op"])
    return make(found(*said["parameters"]) if isinstance(found, type) else found, *inputs)


__all__ = [
    "REFUSED", "Question", "Routine", "addresses", "emit_question", "missing", "refuse_if",
]  # fmt: skip
