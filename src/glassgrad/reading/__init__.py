"""Read a graph: what a number is, why it has this value, and which line it came from."""
