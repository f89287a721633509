"""The algebra whose values are NumPy arrays: its primitives are NumPy's own functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.graph.algebra import PRIMITIVES, Algebra


class NumPyAlgebra(Algebra):
    """Scalar bodies on ndarrays; every primitive is NumPy's function of that name."""

    def __init__(self) -> None:
        for name in PRIMITIVES:
            function: Callable[..., Any] = getattr(np, name)
            setattr(self, name, function)


NUMPY = NumPyAlgebra()
