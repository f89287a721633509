"""What a reduction combines its elements with, and how many chains run side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.graph.dtype import BOOL

CHAINS = 4  # sums that run side by side: part of the definition of a reduction's tree


@dataclass(frozen=True)
class Kind:
    """The op of the algebra that combines, and the number that it leaves alone."""

    combine: str
    identity: Callable[[np.dtype[Any]], Any]


def _lowest(dtype: np.dtype[Any]) -> Any:
    return float("-inf") if dtype.kind == "f" else 0 if dtype == BOOL else int(np.iinfo(dtype).min)


def _highest(dtype: np.dtype[Any]) -> Any:
    return float("inf") if dtype.kind == "f" else 1 if dtype == BOOL else int(np.iinfo(dtype).max)


KINDS = {
    "sum": Kind("add", lambda d: 0),
    "max": Kind("maximum", _lowest),
    "min": Kind("minimum", _highest),
    "any": Kind("logical_or", lambda d: 0),
    "all": Kind("logical_and", lambda d: 1),
}
