"""Readers, columns, preparation, splits and batches: from a file to arrays."""
