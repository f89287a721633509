"""glassgrad differentiates plain NumPy code; every gradient is a graph that can be read."""
