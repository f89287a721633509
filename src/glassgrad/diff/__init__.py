"""Graph to graph: the derivatives of a graph, as nodes of the same graph."""
