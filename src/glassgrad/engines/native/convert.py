"""Conversions between dtypes, on values of the machine's algebra."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
from glassgrad.engines.native.emit import I8, Value
from glassgrad.graph.dtype import BOOL


def converted(k: LLVMAlgebra, x: Lanes, dtype: np.dtype[Any]) -> Lanes:
    """`x` in another dtype, as NumPy's astype; what does not fit an integer is saturated."""
    if x.dtype == dtype:
        return x
    if dtype == BOOL:
        return k.not_equal(x, 0)
    to = k.type(dtype, x)
    f = k.function
    if x.dtype.kind == "f" and dtype.kind in "iu":
        name = "llvm.fptosi.sat" if dtype.kind == "i" else "llvm.fptoui.sat"
        return k.wrap(f.intrinsic(name, to, x.value, overloads=[to, x.value.type]), dtype)
    return k.convert(_instruction(x.dtype, dtype), x, dtype)


def _instruction(old: np.dtype[Any], new: np.dtype[Any]) -> str:
    if new.kind == "f":
        if old.kind == "f":
            return "fpext" if new.itemsize > old.itemsize else "fptrunc"
        return "sitofp" if old.kind == "i" else "uitofp"
    if old == BOOL:
        return "zext"
    if new.itemsize == old.itemsize:
        return "bitcast"
    if new.itemsize < old.itemsize:
        return "trunc"
    return "sext" if old.kind == "i" else "zext"


def from_memory(k: LLVMAlgebra, value: Value, dtype: np.dtype[Any]) -> Lanes:
    """A loaded value: a bool is a byte in memory and a mask in registers."""
    if dtype == BOOL:
        return k.wrap(k.function.compare("ne", value, 0), dtype)
    return k.wrap(value, dtype)


def to_memory(k: LLVMAlgebra, x: Lanes) -> Value:
    """The value as it is stored."""
    if x.dtype == BOOL:
        return k.function.cast("zext", x.value, I8.vector(x.value.type.lanes))
    return x.value
