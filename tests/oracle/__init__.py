"""The oracle: every registered op against 50-digit numbers, long doubles and plain loops."""
