"""Run a graph: the reference interpreter in NumPy, and the native engine in machine code."""
