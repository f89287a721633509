"""The names of `gg.numpy`: NumPy's that have a rule, found in the tables of rules."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from glassgrad.array.lifting import lifted

_AS_THEY_ARE = frozenset({
    "broadcast_shapes", "can_cast", "diag_indices", "dtype", "errstate", "finfo", "iinfo",
    "index_exp", "indices", "isscalar", "issubdtype", "ndarray", "ndindex", "promote_types", "s_",
    "tril_indices", "triu_indices",
})  # fmt: skip
_NONE = object()


class Namespace:
    """The names of a module of NumPy that have a rule; all else is an error that says what to do.

    Constants, dtypes, and a few functions of shapes and dtypes are NumPy's own.
    """

    def __init__(self, module: ModuleType, name: str) -> None:
        self._module = module
        self._name = name
        self.__doc__ = f"The functions of {module.__name__} that have a rule."

    def __getattr__(self, name: str) -> Any:
        found = self._find(name)
        if found is _NONE:
            raise AttributeError(self._missing(name), name=name, obj=self)
        setattr(self, name, found)  # looked up once
        return found

    def __dir__(self) -> list[str]:
        return sorted(n for n in self._module.__all__ if self._find(n) is not _NONE)

    def __repr__(self) -> str:
        return f"<{self._name}: {self.__doc__}>"

    def _find(self, name: str) -> Any:
        original = getattr(self._module, name, None) if name in self._module.__all__ else _NONE
        if original is np.linalg:
            return _LINALG
        if name in _AS_THEY_ARE or _is_constant(original):
            return original
        return lifted(name, original) or _NONE

    def _missing(self, name: str) -> str:
        said = f"{self._name} has no {name!r}"
        if name == "random":
            return (
                f"{said}: what np.random draws would be frozen into a compiled program: draw by "
                "gg.random, with a key"
            )
        if name in self._module.__all__:
            numpys = f"{self._module.__name__.replace('numpy', 'np')}.{name}"
            said = f"{said}: {numpys} has no rule for traced arrays, and computes with plain ones"
        return f"{said}{_near(name, dir(self))}"


def _is_constant(x: Any) -> bool:
    """A number, newaxis, or a dtype."""
    dtype = isinstance(x, type) and issubclass(x, np.generic)
    return x is None or dtype or isinstance(x, bool | np.bool_ | float)


def _near(name: str, known: list[str]) -> str:
    from difflib import get_close_matches  # only an error needs it

    near = get_close_matches(name, known, n=4)
    return f"; near it: {', '.join(near)}" if near else ""


_LINALG = Namespace(np.linalg, "glassgrad.numpy.linalg")
NUMPY = Namespace(np, "glassgrad.numpy")
