"""The lazy array: a handle on a node that NumPy's functions take for an array."""
