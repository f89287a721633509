"""LAPACK's functions, as this process has them: in NumPy's own library, else in SciPy's, else none.

NumPy's wheels bring a library that np.linalg has loaded already, so taking its functions costs
nothing and gives the numbers that NumPy gives. As NumPy does, float32 is computed in double
precision. Names and the width of integers differ between builds: the first spelling that has all
functions is taken, and one small factorisation tells the width and proves that the functions are
what they are taken for.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

ROUTINES = ("dgetrf", "dgetrs", "dtrtrs", "dpotrf", "dsyevd", "dgesdd", "dgeqrf", "dorgqr")
INTEGER = "lapack_integer"  # the symbol of a word that holds the bytes of an integer
_SPELLINGS = (
    "scipy_{}_64_", "{}_64_", "scipy_{}_", "{}_", "{}$NEWLAPACK$ILP64", "{}$NEWLAPACK", "{}64_",
)  # fmt: skip


@cache
def addresses() -> dict[str, int]:
    """The address of each function as ``lapack_dgetrf``, and of `INTEGER`; empty where none are."""
    for find in (_of_numpy, _of_scipy):
        functions = find()
        width = _width(functions["dgetrf"]) if functions else 0
        if width:
            _WIDTH.value = width
            known = {f"lapack_{name}": address for name, address in functions.items()}
            return known | {INTEGER: ctypes.addressof(_WIDTH)}
    return {}


_WIDTH = ctypes.c_int64()


def _of_numpy() -> dict[str, int]:
    """The functions of the library that np.linalg calls."""
    try:
        from numpy.linalg import _umath_linalg  # pyright: ignore

        library = ctypes.CDLL(_umath_linalg.__file__)
    except (ImportError, OSError, TypeError, AttributeError):
        return {}
    return next(filter(None, (_spelled(library, spelling) for spelling in _SPELLINGS)), {})


def _spelled(library: Any, spelling: str) -> dict[str, int]:
    try:
        codes = {name: getattr(library, spelling.format(name)) for name in ROUTINES}
    except AttributeError:
        return {}
    return {name: ctypes.cast(code, ctypes.c_void_p).value or 0 for name, code in codes.items()}


def _of_scipy() -> dict[str, int]:
    """The functions that SciPy offers to compiled code."""
    try:
        from scipy.linalg import cython_lapack  # pyright: ignore

        capsules = cython_lapack.__pyx_capi__
        return {name: _pointer(capsules[name]) for name in ROUTINES}
    except (ImportError, AttributeError, KeyError):
        return {}


def _pointer(capsule: Any) -> int:
    name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))


def _width(dgetrf: int) -> int:
    """The bytes of an integer, from the row exchanges of [[0, 2], [1, 0]]; 0 for other results."""
    matrix, pivots = np.array([0.0, 1.0, 2.0, 0.0]), np.full(4, -1, np.int32)
    info = run(dgetrf, "", (2, 2, matrix, 2, pivots))
    if info or matrix.tolist() != [1.0, 0.0, 0.0, 2.0]:
        return 0
    return {(2, 2): 4, (2, 0): 8}.get(tuple(pivots[:2].tolist()), 0)


def run(address: int, letters: str, arguments: Sequence[int | np.ndarray]) -> int:
    """Calls a function with letters first, then numbers and arrays; what it says of its success."""
    info = ctypes.c_int64(0)
    kept = [ctypes.c_int64(x) if isinstance(x, int) else x.ctypes for x in arguments]
    pointers = [ctypes.addressof(x) if isinstance(x, ctypes.c_int64) else x.data for x in kept]
    flags = [ctypes.c_char_p(letter.encode()) for letter in letters]
    call = ctypes.CFUNCTYPE(
        None, *[ctypes.c_char_p] * len(flags), *[ctypes.c_void_p] * (len(pointers) + 1),
        *[ctypes.c_size_t] * len(flags),
    )(address)  # fmt: skip
    call(*flags, *pointers, ctypes.addressof(info), *[1] * len(flags))
    return ctypes.c_int32(info.value).value


def workspace(name: str, letters: str, arguments: Callable[[Any], Sequence[Any]]) -> list[int]:
    """How many numbers (and integers) of work space a function asks for.

    `arguments` places the arrays for its answers, and -1 as the sizes of these.
    """
    numbers, integers = np.zeros(1), np.zeros(1, np.int64)
    run(addresses()[f"lapack_{name}"], letters, arguments((numbers, integers)))
    return [int(numbers[0]), int(integers[0])]


__all__ = ["INTEGER", "ROUTINES", "addresses", "run", "workspace"]
