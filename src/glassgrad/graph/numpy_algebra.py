"""The algebra whose values are NumPy arrays: all that NumPy has a function for is NumPy's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.graph.algebra import PRIMITIVES, Algebra


class NumPyAlgebra(Algebra):
    """Scalar bodies on ndarrays; primitives, and ops that are ufuncs, are NumPy's functions."""

    def __init__(self) -> None:
        for name in PRIMITIVES:
            function: Callable[..., Any] = getattr(np, name)
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        known = getattr(np, name, None)
        return known if isinstance(known, np.ufunc) else super().__getattr__(name)


NUMPY = NumPyAlgebra()
