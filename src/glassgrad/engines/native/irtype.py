"""Types of the intermediate representation: scalars, pointers and fixed vectors.

One object a type, so that equality is `is`. Integers carry no sign (as in LLVM): the operation
chosen (``sdiv`` or ``udiv``, ``slt`` or ``ult``) says how the bits are read.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache
from math import copysign, inf
from typing import Any

import numpy as np


class Type:
    """A first-class type: ``kind`` is "f", "i", "p" or "v"; ``lanes`` is 0 for a scalar."""

    __slots__ = ("bits", "element", "kind", "lanes", "mangled", "text")

    element: Type  # the scalar type of one lane; itself for a scalar

    def __init__(self, kind: str, bits: int, lanes: int) -> None:
        self.kind = kind
        self.bits = bits
        self.lanes = lanes
        self.element = type_of(kind, bits, 0) if lanes else self
        scalar = {"f": "float" if bits == 32 else "double", "i": f"i{bits}", "p": "ptr"}.get(kind)
        self.text = scalar or "void"
        self.mangled = "p0" if kind == "p" else f"{kind}{bits}"
        if lanes:
            self.text = f"<{lanes} x {self.text}>"
            self.mangled = f"v{lanes}{self.mangled}"

    def __repr__(self) -> str:
        return self.text

    @staticmethod
    def struct(parts: Sequence[Type]) -> Type:
        """Several results of one function."""
        made = Type("s", 0, 0)
        made.text = "{ " + ", ".join(t.text for t in parts) + " }"
        return made

    @property
    def is_float(self) -> bool:
        """True for float, double and vectors of them."""
        return self.kind == "f"

    @property
    def itemsize(self) -> int:
        """Bytes of one lane in memory (an i1 takes one)."""
        return max(1, self.bits // 8)

    def vector(self, lanes: int) -> Type:
        """The vector of `lanes` such elements; 0 gives the scalar."""
        return type_of(self.kind, self.bits, lanes)

    def integer(self) -> Type:
        """The integer type of the same width and number of lanes (for bit tricks)."""
        return type_of("i", self.bits, self.lanes)

    def mask(self) -> Type:
        """The i1 type with the same number of lanes (what comparisons give)."""
        return type_of("i", 1, self.lanes)


def type_of(kind: str, bits: int, lanes: int = 0) -> Type:
    """The one `Type` object of this kind, width and number of lanes."""
    return _made(kind, bits, lanes)


@cache
def _made(kind: str, bits: int, lanes: int) -> Type:
    return Type(kind, bits, lanes)


F32, F64 = type_of("f", 32), type_of("f", 64)
I1, I8, I16, I32, I64 = (type_of("i", bits) for bits in (1, 8, 16, 32, 64))
PTR, VOID = type_of("p", 64), type_of("v", 0)


def of_dtype(dtype: np.dtype[Any] | type) -> Type:
    """The type in which one element of a NumPy dtype is stored (a bool is one byte, `I8`)."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f" and dtype.itemsize in (4, 8):
        return F32 if dtype.itemsize == 4 else F64
    if dtype.kind in "biu":
        return type_of("i", 8 * dtype.itemsize)
    raise TypeError(f"the native engine has no machine type for dtype {dtype}")


def _in_float32(number: float) -> float:
    """A number rounded to float32, as NumPy does, which takes longer."""
    try:
        return struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return copysign(inf, number)


def scalar_text(type_: Type, number: float) -> str:
    """A number as LLVM reads it; a float is the hexadecimal of the double it rounds to."""
    if type_.kind == "f":
        rounded = _in_float32(number) if type_.bits == 32 else float(number)
        return f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"
    if type_.bits == 1:
        return "true" if number else "false"
    wrapped = int(number) & ((1 << type_.bits) - 1)
    return str(wrapped - (1 << type_.bits) if wrapped >> (type_.bits - 1) else wrapped)


def constant_text(type_: Type, number: Any) -> str:
    """A constant of any type: a number is splatted over the lanes, a sequence fills them."""
    if type_.kind == "p":
        return "null"
    element = type_.element
    if not type_.lanes:
        return scalar_text(element, number)
    if isinstance(number, (list, tuple)):
        if len(number) != type_.lanes:
            raise ValueError(f"{len(number)} numbers given for {type_.lanes} lanes")
        return "<" + ", ".join(f"{element} {scalar_text(element, n)}" for n in number) + ">"
    return f"splat ({element} {scalar_text(element, number)})"
