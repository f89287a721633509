"""Figures for people, measured after every epoch; one of them may say which model is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from glassgrad.data.bad_input import BadInput, near


@dataclass(frozen=True)
class Metric:
    """`finish` of the mean over the validation rows of `measure`.

    `measure(model, *arrays)` is compiled, like the loss; `finish` sees one number. `highest` says
    whether more is better.
    """

    name: str
    measure: Callable[..., Any]
    finish: Callable[[float], float] = float
    highest: bool = True


@dataclass(frozen=True)
class Score:
    """`of(model)`, for what is no mean over rows, such as F1: an ordinary Python function.

    The model is given as after training: dropout off. `highest` says whether more is better.
    """

    name: str
    of: Callable[[Any], float]
    highest: bool = True


Figure = Metric | Score


def find_figure(name: str, figures: Sequence[Figure], validated: bool) -> Figure | None:
    """The figure that `keep_best` names, None for the loss; raises BadInput where it cannot be.

    >>> find_figure("loss", (), validated=False)
    """
    if name == "loss":
        return None
    known = {f.name: f for f in figures}
    if name not in known:
        raise BadInput(
            f"keep_best={name!r} names no metric of this run. {near(name, ['loss', *known])}"
        )
    if not validated:
        raise BadInput(f"keep_best={name!r} needs validation data to measure it on.")
    return known[name]


def rank(loss: float, figure: Figure | None, value: float) -> tuple[float, ...]:
    """What orders models, the best first: the figure, and of equal ones the loss.

    >>> f1 = Score("F1", lambda model: 0.5)
    >>> rank(0.3, f1, 0.5) < rank(0.2, f1, 0.4), rank(0.2, f1, 0.5) < rank(0.3, f1, 0.5)
    (True, True)
    """
    if figure is None:
        return (loss,)
    worth = -value if figure.highest else value
    return (math.inf if math.isnan(worth) else worth, loss)
