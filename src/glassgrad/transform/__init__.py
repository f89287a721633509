"""Python function -> graph -> Python function: gradients, compilation, loops, expressions."""
