"""The loop, the progress line, model folders, and the whole job on a table."""
