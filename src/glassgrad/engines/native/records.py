"""The table that says of each argument or result what the shared code must know of it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from glassgrad.engines.native import pyabi

KEPT = 2  # results remembered for each output
FIELDS = 10  # words of a record
DESCR, SCALAR_TYPE, DIMS, NDIM, ORDER, TAKES, AS_SCALAR, NEEDS, DONOR, BYTES = range(FIELDS)
TAKES_FLOAT, TAKES_SCALAR, TAKES_ARRAY = 1, 2, 4
BY_NUMPY, BY_US, HELD = 1, 2, 3  # who makes a scalar; an array that its container hands back


class Records:
    """The table of records of some arguments or results; the code keeps only its address."""

    def __init__(self, specs: Sequence[Any]) -> None:
        self._words = (ctypes.c_ssize_t * (FIELDS * max(1, len(specs))))()
        self._dims = [(ctypes.c_ssize_t * max(1, len(s.shape)))(*s.shape) for s in specs]
        known = pyabi.addresses()
        for i, (spec, dims) in enumerate(zip(specs, self._dims)):
            needs = pyabi.C_CONTIGUOUS | pyabi.ALIGNED | (pyabi.WRITEABLE * spec.written)
            record = [
                known[pyabi.descr(spec.dtype)], known[pyabi.scalar_type(spec.dtype)],
                ctypes.addressof(dims), len(spec.shape), ord(spec.dtype.byteorder),
                _takes(spec), _scalar(spec), needs, spec.donor,
                prod(spec.shape) * spec.dtype.itemsize,
            ]  # fmt: skip
            self._words[FIELDS * i : FIELDS * (i + 1)] = record
        self.address = ctypes.addressof(self._words)


def _scalar(spec: Any) -> int:
    """Who makes the scalar of a result, if it is one: True and False are made once and for all."""
    if spec.held:
        return HELD
    plain = spec.dtype.kind != "b" and spec.dtype.type.__basicsize__ == pyabi.SCALAR_SIZE
    return (BY_US if plain else BY_NUMPY) if spec.scalar else 0


def _takes(spec: Any) -> int:
    if spec.takes in ("float", "never"):
        return TAKES_FLOAT if spec.takes == "float" else 0
    if spec.shape or spec.written:
        return TAKES_ARRAY
    number = spec.takes == "both" and spec.dtype == np.float64
    return TAKES_ARRAY | TAKES_SCALAR | (TAKES_FLOAT if number else 0)
