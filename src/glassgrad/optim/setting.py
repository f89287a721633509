"""Settings of optimisers and schedules that make no sense are refused when they are made."""

from __future__ import annotations

import math
from dataclasses import fields
from numbers import Real
from typing import Any

SHARES = ("betas", "alpha", "rho")
"""What is remembered of a running mean: a part below 1."""
COUNTS = ("every", "steps")
"""Whole numbers of steps."""


class Settings:
    """What optimisers and schedules are: frozen dataclasses whose numbers make sense.

    A number that is traced, or a schedule in its place, is not looked at.

    >>> from glassgrad.optim import Adam
    >>> Adam(betas=(0.9, 1.0))
    Traceback (most recent call last):
        ...
    ValueError: Adam: betas holds 1.0; a share that is remembered is at least 0 and below 1
    """

    def __post_init__(self) -> None:
        """Raise ValueError where a number cannot be what its name says."""
        for field in fields(self):  # pyright: ignore[reportArgumentType]
            value = getattr(self, field.name)
            for number in value if isinstance(value, tuple) else (value,):
                wrong = _wrong(field.name, number) if isinstance(number, Real) else ""
                if wrong:
                    what = "holds" if isinstance(value, tuple) else "is"
                    kind = type(self).__name__
                    raise ValueError(f"{kind}: {field.name} {what} {number!r}; {wrong}")


def _wrong(name: str, number: Any) -> str:
    """What a number of this name should be, nothing if it is."""
    if name in COUNTS and not (1 <= number < math.inf and number == int(number)):
        return "it is a whole number, at least 1"
    if name in SHARES and not 0 <= number < 1:
        return "a share that is remembered is at least 0 and below 1"
    if not (number >= 0 and math.isfinite(number)):
        more = " (to go up, take the loss with its sign turned)" if name == "lr" else ""
        return f"it is a finite number, at least 0{more}"
    return ""
