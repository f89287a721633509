"""`gg.numpy`: NumPy's names, for the places where NumPy's protocols cannot see a traced value.

They look neither into lists nor at arguments such as the indices of `np.take`, and see no name
that was imported before. Every function that has a rule is here: with plain arguments it is
NumPy's own; where any of them is traced, or a list holds something traced, all operands are.

>>> import numpy as np, glassgrad as gg, glassgrad.numpy as gnp
>>> table = np.array([[0.0, 1.0], [2.0, 3.0]])
>>> gg.vmap(lambda i: gnp.take(table, i, axis=0))(np.array([1, 0]))
array([[2., 3.],
       [0., 1.]])
>>> a, b = gg.variables("a b")
>>> print(*gg.gradients(gnp.sum([a * b, 2.0]), [a]))
b
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassgrad.array.namespace import NUMPY

if TYPE_CHECKING:  # type checkers and editors see NumPy's own names, with their types
    from numpy import *  # noqa: F403  # pyright: ignore[reportWildcardImportFromLibrary]
    from numpy import linalg as linalg


def __getattr__(name: str) -> Any:
    found = dir(NUMPY) if name == "__all__" else getattr(NUMPY, name)
    globals()[name] = found  # looked up once
    return found


def __dir__() -> list[str]:
    return dir(NUMPY)
