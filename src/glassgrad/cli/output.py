"""A file that a command writes: checked before the work, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def check_output(path: Path) -> None:
    """Raise BadInput unless a file may stand at `path`: its folder is there, and it is none."""
    from glassgrad.data.bad_input import BadInput, MissingFile
    from glassgrad.train.folder import check_writable

    if not path.absolute().parent.is_dir():
        raise MissingFile(f"{path}: the folder {path.parent} does not exist. Create it first.")
    if path.is_dir():
        raise BadInput(f"{path}: this is a folder; give the name of a file.")
    check_writable(path, path.absolute().parent)


def write_whole(path: Path, text: str) -> None:
    """Write a file completely or not at all."""
    check_output(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
