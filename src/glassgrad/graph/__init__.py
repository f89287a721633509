"""What a computation is: nodes, ops, families of ops, functions, dtypes, provenance, errors."""
