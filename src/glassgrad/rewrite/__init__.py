"""Graph to a graph of the same meaning: laws, the driver that applies them, and the pipelines."""
