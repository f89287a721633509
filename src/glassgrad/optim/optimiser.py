"""What every optimiser can do, and the one way in which all rules are applied to parameters.

A rule is plain NumPy on one array: it sees the parameter, its gradient and what it remembered, and
gives both anew. `Rule` counts the steps, reads the learning rate, and walks over the parameters.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from glassgrad.graph.errors import CalculusError, DTypeError, ShapeError
from glassgrad.optim.setting import Settings
from glassgrad.transform.tree import Tree, describe, flatten, paths, unflatten

Schedule = Callable[[Any], Any]
Rate = float | Schedule
Slots = dict[str, Any]


class State(NamedTuple):
    """What an optimiser remembers between two steps.

    `count` is the number of steps made, float64, or None where nothing depends on it; `slots` are
    arrays by name, each in the structure of the parameters.
    """

    count: Any
    slots: Slots


class Optimiser(Protocol):
    """A rule that moves parameters against their gradients; it holds settings, never state."""

    def init(self, params: Any) -> Any:
        """The state before the first step."""
        ...

    def step(self, params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
        """New parameters and new state; changes nothing that it is given."""
        ...


def rate_of(opt: Optimiser, state: Any) -> Any:
    """The learning rate of the step that comes next; nan of an optimiser that does not tell.

    >>> from glassgrad.optim import SGD
    >>> rate_of(SGD(lr=0.5), SGD(lr=0.5).init(np.ones(2)))
    0.5
    """
    told = getattr(opt, "rate", None)
    return math.nan if told is None else told(state)


class Rule(Settings, ABC):
    """An optimiser that treats every array by itself; a subclass is a frozen dataclass.

    A subclass names what it remembers in `slots`, computes the numbers that all arrays share once a
    step in `numbers`, and moves one array in `move`.
    """

    COUNTS: ClassVar[bool] = False
    """Whether `numbers` asks how many steps were made."""

    lr: Rate
    weight_decay: float

    def slots(self) -> Mapping[str, float]:
        """What is remembered of every array, and the value at the start."""
        return {}

    def numbers(self, rate: Any, count: Any) -> tuple[Any, ...]:
        """The numbers of step `count` (the first is 1), in float64; `move` takes them."""
        return (rate,)

    @abstractmethod
    def move(self, p: Any, g: Any, old: Slots, *numbers: Any) -> tuple[Any, Slots]:
        """The array after a step, and what is remembered of it now."""

    def decay(self, p: Any, g: Any, rate: Any) -> tuple[Any, Any]:
        """Parameter and gradient with the weight decay in the gradient, as a loss term has it."""
        return (p, g + self.weight_decay * p) if self.weight_decay else (p, g)

    def init(self, params: Any) -> State:
        """The state before the first step."""
        leaves, tree = flatten(params)
        slots = {
            name: unflatten(tree, [_filled(p, value) for p in _real(params, leaves)])
            for name, value in self.slots().items()
        }
        return State(np.zeros(()) if self.COUNTS or callable(self.lr) else None, slots)

    def rate(self, state: State) -> Any:
        """The learning rate of the step that comes next: a number, or a node while tracing."""
        return self.lr(state.count) if callable(self.lr) else self.lr

    def step(self, params: Any, grads: Any, state: State) -> tuple[Any, State]:
        """One step: new parameters and new state, nothing that is given changes."""
        leaves, tree = flatten(params)
        gradients = _matching(tree, leaves, grads)
        columns = self._remembered_of(state, tree, leaves)
        count = None if state.count is None else state.count + 1
        rate = self.rate(state)
        numbers = self.numbers(rate, count)
        moved: list[Any] = []
        kept: dict[str, list[Any]] = {name: [] for name in columns}
        for i, (p, g) in enumerate(zip(_real(params, leaves), gradients)):
            old = {name: column[i] for name, column in columns.items()}
            p, g = self.decay(p, g, _as(rate, p))
            p, new = self.move(p, g, old, *(_as(n, p) for n in numbers))
            moved.append(p)
            for name, value in new.items():
                kept[name].append(value)
        slots = {name: unflatten(tree, values) for name, values in kept.items()}
        return unflatten(tree, moved), State(count, slots)

    def _remembered_of(self, state: Any, tree: Tree, leaves: list[Any]) -> dict[str, list[Any]]:
        """The arrays of each slot, refused where the state is that of something else."""
        wanted = self.slots()
        if not isinstance(state, State) or set(state.slots) != set(wanted):
            kept = list(state.slots) if isinstance(state, State) else type(state).__name__
            raise CalculusError(
                f"this state is not of {type(self).__name__}, which remembers {list(wanted)}: it "
                f"is {kept}. The first state is opt.init(params)."
            )
        found = {name: flatten(slot) for name, slot in state.slots.items()}
        first = "the first state is opt.init(params) of these parameters"
        for name, (arrays, structure) in found.items():
            if structure != tree:
                raise ShapeError(
                    f"the state has the structure {describe(structure)}, the parameters "
                    f"{describe(tree)}: {first}"
                )
            for p, kept, path in zip(leaves, arrays, paths(tree)):
                if np.shape(p) != np.shape(kept):
                    raise ShapeError(
                        f"the state's {name}{path} has shape {tuple(np.shape(kept))}, the "
                        f"parameter params{path} {tuple(np.shape(p))}: {first}"
                    )
        return {name: arrays for name, (arrays, _) in found.items()}


def _filled(p: Any, value: float) -> Any:
    """One number in a parameter's shape; zeros take no memory before they are first used."""
    if value == 0 and type(p) is np.ndarray:
        return np.zeros(p.shape, p.dtype)
    return np.full_like(p, value)


def _real(params: Any, leaves: list[Any]) -> list[Any]:
    """The leaves with Python numbers as float64; arrays of whole numbers are refused."""
    found = [np.float64(x) if type(x) in (int, float) else x for x in leaves]
    for i, x in enumerate(found):
        dtype = getattr(x, "dtype", type(x))
        if np.dtype(dtype).kind != "f":
            raise DTypeError(
                f"the parameter params{paths(flatten(params)[1])[i]} is {np.dtype(dtype)}, which "
                "no step can move. Parameters are floats: .astype(float); a setting of a module is "
                "written as field = nn.static(default=...)"
            )
    return found


def _as(number: Any, like: Any) -> Any:
    """A number of float64 in the dtype of a parameter; Python's own numbers take it by themselves.

    A computed number is rounded once here, so that float32 parameters stay float32.
    """
    return number.astype(like.dtype) if hasattr(number, "astype") else number


def _matching(tree: Tree, leaves: list[Any], grads: Any) -> list[Any]:
    """The gradients in the order of the parameters, refused where they do not belong to them."""
    found, structure = flatten(grads)
    if structure != tree:
        raise ShapeError(
            f"the gradients have the structure {describe(structure)}, the parameters "
            f"{describe(tree)}: differentiate by the parameters that are stepped"
        )
    for p, g, path in zip(leaves, found, paths(tree)):
        if np.shape(p) != np.shape(g):
            raise ShapeError(
                f"the parameter params{path} has shape {tuple(np.shape(p))}, its gradient "
                f"{tuple(np.shape(g))}: a gradient has the shape of what it belongs to"
            )
    return found
