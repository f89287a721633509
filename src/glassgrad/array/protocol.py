"""The tables behind NumPy's protocols: filled by those who know the rules, read by the handle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

UFUNCS: dict[Any, Callable[..., Any]] = {}
"""ufunc -> a function of nodes and Python scalars that builds the node of a call."""

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""NumPy function -> its implementation on handles."""

WITHOUT_RULE: dict[Any, str] = {}
"""NumPy function -> why it has no implementation, and what to use."""

METHODS: dict[str, Callable[..., Any]] = {}
"""Method name -> a function whose first argument is the handle."""

HANDLERS: dict[str, Callable[..., Any]] = {}
"""What the handle asks of modules above it: "ufunc", "function", "nested"."""


def present(*names: str) -> list[Any]:
    """Those of NumPy's functions of these names that the NumPy at hand has."""
    return [getattr(np, name) for name in names if hasattr(np, name)]


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function as the implementation of NumPy functions."""

    def enter(implementation: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            FUNCTIONS[function] = implementation
        return implementation

    return enter
