"""What machine code may know of Python's and NumPy's objects, each fact checked before it is used.

The fast call path reads the public fields of arrays, tuples, lists, dicts and floats directly.
Their offsets are those of NumPy's and CPython's public structs; `usable` compares them with live
objects once, and where one differs (another Python, a free-threaded build) calls go through ctypes.
"""

from __future__ import annotations

import ctypes
import platform
import weakref
from functools import cache
from typing import Any

import numpy as np

TYPE = 8  # PyObject.ob_type
SIZE = 16  # PyVarObject.ob_size, and a dict's number of entries
FLOAT_VALUE = 16
SCALAR_SIZE = 24  # of a NumPy scalar that holds its bits where a float has its value, and no more
TUPLE_ITEMS = 24
LIST_ITEMS = 24
DATA, NDIM, DIMS, BASE, DESCR, FLAGS, WEAKREFS = 16, 24, 32, 48, 56, 64, 72  # of an array

DESCR_TYPE, DESCR_ORDER = 16, 26  # of a dtype: its scalar type, its byte order

C_CONTIGUOUS, OWNDATA, ALIGNED, WRITEABLE = 0x1, 0x4, 0x100, 0x400
METH_FASTCALL_KEYWORDS = 0x82

_API = {"PyArray_NewFromDescr": 94, "PyArray_Scalar": 60}
_PYTHON = (
    "PyObject_Vectorcall", "PyTuple_New", "PyTuple_SetItem", "PyList_New", "PyList_SetItem",
    "PyDict_New", "PyDict_SetItem", "PyDict_GetItemWithError", "Py_IncRef", "Py_DecRef",
    "_PyObject_New", "PyObject_GetAttr", "PyObject_GenericSetAttr", "PyErr_Clear",
    "PyLong_FromLongLong", "PyEval_SaveThread", "PyEval_RestoreThread", "PyErr_CheckSignals",
)  # fmt: skip


def _word(address: int) -> int:
    return ctypes.c_ssize_t.from_address(address).value


def _array_api() -> Any:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    from numpy._core import multiarray  # the capsule that numpy's own C headers import

    capsule = multiarray._ARRAY_API  # pyright: ignore
    return (ctypes.c_void_p * 256).from_address(get(capsule, None))


@cache
def usable() -> bool:
    """True where objects look as this module says."""
    if platform.python_implementation() != "CPython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    try:
        return _objects_agree() and _array_agrees() and _array_api()[2] == id(np.ndarray)
    except (AttributeError, ImportError, ValueError):
        return False


def _objects_agree() -> bool:
    items, number = (object(), object(), object()), 1.5
    scalars = [np.dtype(c).type(1) for c in "?bBhHiIlLqQfd"]
    listed, mapped = list(items), {"a": 1, "b": 2}
    return (
        all(_word(id(x) + TYPE) == id(type(x)) for x in (items, listed, mapped, number))
        and [_word(id(x) + SIZE) for x in (items, listed, mapped)] == [3, 3, 2]
        and _word(id(items) + TUPLE_ITEMS + 8) == id(items[1])
        and _word(_word(id(listed) + LIST_ITEMS) + 8) == id(items[1])
        and ctypes.c_double.from_address(id(number) + FLOAT_VALUE).value == number
        and all(ctypes.string_at(id(s) + FLOAT_VALUE, s.nbytes) == s.tobytes() for s in scalars)
    )


def _array_agrees() -> bool:
    a = np.zeros((3, 5), np.float32)
    b = a[1:]
    flags = ctypes.c_int.from_address(id(a) + FLAGS).value
    dims = _word(id(a) + DIMS)
    return (
        np.ndarray.__basicsize__ >= WEAKREFS + 8
        and _word(id(a) + TYPE) == id(np.ndarray)
        and _word(id(a) + DATA) == a.ctypes.data
        and ctypes.c_int.from_address(id(a) + NDIM).value == 2
        and (_word(dims), _word(dims + 8)) == (3, 5)
        and _word(id(a) + BASE) == 0
        and _word(id(b) + BASE) == id(a)
        and _word(id(a) + DESCR) == id(a.dtype) == id(np.dtype(np.float32))
        and flags & (C_CONTIGUOUS | OWNDATA | ALIGNED | WRITEABLE) == 0x505
        and _word(id(a) + WEAKREFS) == 0
        and all(_dtype_agrees(np.dtype(c)) for c in "?bBhHiIlLqQfd")
    )


def _dtype_agrees(dtype: np.dtype[Any]) -> bool:
    order = ctypes.c_char.from_address(id(dtype) + DESCR_ORDER).value
    return _word(id(dtype) + DESCR_TYPE) == id(dtype.type) and order == dtype.byteorder.encode()


@cache
def addresses() -> dict[str, int]:
    """Addresses of the functions, types and dtypes that generated code names as symbols."""
    table = _array_api()
    python = ctypes.pythonapi
    found = {name: _word(ctypes.addressof(getattr(python, name))) for name in _PYTHON}
    found |= {name: table[index] for name, index in _API.items()}
    types = {"PyArray_Type": np.ndarray, "PyTuple_Type": tuple, "PyList_Type": list}
    types |= {"PyDict_Type": dict, "PyFloat_Type": float}
    found |= {name: id(type_) for name, type_ in types.items()}
    dtypes = [np.dtype(c) for c in "?bBhHiIlLqQfd"]
    found |= {descr(d): id(np.dtype(d.str[1:])) for d in dtypes}
    found |= {scalar_type(d): id(np.dtype(d.str[1:]).type) for d in dtypes}
    return {name: int(address) for name, address in found.items() if address is not None}


def descr(dtype: np.dtype[Any]) -> str:
    """The symbol of a dtype's one object."""
    return f"descr_{dtype.kind}{dtype.itemsize}"


def scalar_type(dtype: np.dtype[Any]) -> str:
    """The symbol of a dtype's scalar type."""
    return f"scalar_{dtype.kind}{dtype.itemsize}"


class _MethodDef(ctypes.Structure):
    """What Python knows of a builtin; it reads it until the builtin has gone."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("code", ctypes.c_void_p), ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )  # fmt: skip


_USED: dict[weakref.ref[Any], _MethodDef] = {}  # a builtin may outlive the program that made it
_FREE: list[_MethodDef] = []  # never given back: a builtin that goes reads its own once more


def _gone(builtin: weakref.ref[Any]) -> None:
    _FREE.append(_USED.pop(builtin))


def builtin(address: int, receiver: Any, name: str, keeps: Any) -> Any:
    """A builtin that runs the code at `address` as ``f(receiver, args, count, names)``.

    It holds `keeps` (in the place of its module) for as long as it lives: the owner of the code.
    """
    try:
        definition = _FREE.pop()
    except IndexError:
        definition = _MethodDef(flags=METH_FASTCALL_KEYWORDS, doc=b"A compiled program.")
    definition.name, definition.code = name.encode(), address
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = (
        ctypes.py_object,
        [ctypes.c_void_p, ctypes.py_object, ctypes.py_object],
    )
    made = new(ctypes.addressof(definition), receiver, keeps)
    _USED[weakref.ref(made, _gone)] = definition
    return made
