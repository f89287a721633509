"""The module: a frozen dataclass whose arrays are parameters."""

from __future__ import annotations

import dataclasses
from typing import Any, dataclass_transform

from glassgrad.graph.errors import GlassgradError
from glassgrad.transform.tree import flatten


class FrozenModule(GlassgradError, AttributeError):
    """Something tried to write a field of a module."""


@dataclass_transform(frozen_default=True, eq_default=False)
class Module:
    """Base class of layers and networks; a subclass becomes a frozen dataclass by itself.

    Arrays and numbers in the fields are parameters, modules may be nested, strings and functions
    are static. Calling a module changes nothing; a changed module is a new one.

    >>> class Scale(Module):
    ...     factor: np.ndarray
    ...     def __call__(self, x):
    ...         return self.factor * x
    >>> import numpy as np
    >>> s = Scale(np.array(2.0))
    >>> float(s(3.0)), float(dataclasses.replace(s, factor=np.array(5.0))(3.0))
    (6.0, 15.0)
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the subclass a frozen dataclass that explains itself when it is written to."""
        super().__init_subclass__(**options)
        dataclasses.dataclass(frozen=True, eq=False)(cls)
        # The generated pair would hide ours, whose message says what to write instead.
        del cls.__setattr__, cls.__delattr__

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: modules are values."""
        kind = type(self).__name__
        raise FrozenModule(
            f"cannot write {kind}.{name}: modules are values and never change. "
            f"Build a new one: dataclasses.replace(module, {name}=...); "
            "state that changes is passed in and returned."
        )

    def __delattr__(self, name: str) -> None:
        """Refuse: modules are values."""
        raise FrozenModule(f"cannot delete {type(self).__name__}.{name}: modules never change.")


def count_parameters(module: object) -> int:
    """How many numbers a module holds."""
    leaves, _ = flatten(module)
    return sum(getattr(leaf, "size", 1) for leaf in leaves)
