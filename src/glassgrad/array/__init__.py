"""The lazy array: a handle on a node that NumPy's functions take for an array."""

from glassgrad.array import creation, functions, ufuncs
from glassgrad.array.handle import Array

__all__ = ["Array", "creation", "functions", "ufuncs"]
