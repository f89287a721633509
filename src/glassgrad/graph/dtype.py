"""The dtypes a node may have, and how they promote (NumPy's NEP 50)."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from glassgrad.graph.errors import DTypeError
from glassgrad.graph.provenance import at_caller

DType = np.dtype[Any]

BOOL = np.dtype(np.bool_)
INT64 = np.dtype(np.int64)
UINT32 = np.dtype(np.uint32)
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)

_INTEGER_NAMES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
SUPPORTED: tuple[DType, ...] = (BOOL, *(np.dtype(n) for n in _INTEGER_NAMES), FLOAT32, FLOAT64)


def as_dtype(dtype: Any, what: str = "an array") -> DType:
    """The canonical native-endian dtype; a `DTypeError` names what is not supported.

    >>> as_dtype("f4")
    dtype('float32')
    """
    found = np.dtype(dtype).newbyteorder("=")
    if found in SUPPORTED:
        return SUPPORTED[SUPPORTED.index(found)]  # NumPy's own object, which calls recognise
    if found.kind == "c":
        advice = "complex numbers are not supported yet: pass the real and imaginary parts apart"
    elif found.kind == "f":
        advice = "convert it with .astype(np.float32) or .astype(np.float64)"
    else:
        advice = "only booleans, integers, float32 and float64 can be computed with"
    raise DTypeError(f"{what} has dtype {found}: {advice}{at_caller()}")


def as_plain(value: Any, what: str = "an array") -> np.ndarray[Any, Any]:
    """np.asarray; a `DTypeError` for arrays whose arithmetic is another: masked ones, np.matrix."""
    if type(value) is np.ndarray:
        return value
    masked = sys.modules.get("numpy.ma")
    if isinstance(value, np.matrix):
        raise DTypeError(f"{what} is a np.matrix: convert it with np.asarray{at_caller()}")
    if masked is not None and isinstance(value, masked.MaskedArray):
        raise DTypeError(
            f"{what} is a masked array, whose mask would be lost: pass .filled(...), and the mask "
            f"as an array by itself{at_caller()}"
        )
    return np.asarray(value)


def holds(dtype: DType, value: float) -> bool:
    """Whether a Python number is none that this integer dtype is too narrow for.

    >>> holds(np.dtype(np.uint8), 255), holds(np.dtype(np.uint8), -1), holds(FLOAT32, 300)
    (True, False, True)
    """
    if type(value) is not int or dtype.kind not in "iu":
        return True
    info = np.iinfo(dtype)
    return int(info.min) <= value <= int(info.max)


def is_float(dtype: DType) -> bool:
    """Whether values of this dtype carry a derivative."""
    return dtype.kind == "f"


def promote(*operands: Any) -> DType:
    """The dtype that NumPy gives to these dtypes and Python scalars together (NEP 50).

    >>> promote(FLOAT32, 2.0), promote(FLOAT32, FLOAT64)
    (dtype('float32'), dtype('float64'))
    """
    return as_dtype(np.result_type(*operands), "the result")


def to_float(dtype: DType) -> DType:
    """The float dtype in which a real function of this dtype is computed: float64 for integers."""
    return dtype if is_float(dtype) else FLOAT64
