"""A model is a folder with config.json and model.safetensors, replaced as a whole or not at all.

A new folder is written beside its place and renamed into it. In an existing one the new weights
are laid down first under another name; then renaming config.json, which holds their SHA-256,
commits them; then they take their own name. A crash at any point leaves the old model or the new
one: where it struck between the two renames, reading finds the weights under the other name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from glassgrad.data.bad_input import BadInput, MissingFile

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
NEXT_WEIGHTS = "model.safetensors.next"
NEXT_CONFIG = "config.json.next"
MAX_CONFIG = 64_000_000


def digest(data: bytes) -> str:
    """The SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def check_target(folder: Path) -> None:
    """Raise BadInput unless a model may be written to `folder`: new, empty, or a model already."""
    _check_kind(folder)
    check_writable(folder, folder if folder.exists() else folder.absolute().parent)


def _check_kind(folder: Path) -> None:
    if not folder.exists():
        parent = folder.absolute().parent
        if not parent.is_dir():
            raise MissingFile(f"{folder}: the folder {parent} does not exist. Create it first.")
        return
    if not folder.is_dir():
        raise BadInput(f"{folder}: this is a file; a model needs a folder. Choose another name.")
    others = {path.name for path in folder.iterdir()} - {NEXT_CONFIG, NEXT_WEIGHTS}
    if others and CONFIG not in others:
        raise BadInput(
            f"{folder}: this folder holds other things and no model; nothing was written. "
            "Choose another name or empty the folder."
        )


def check_writable(path: Path, folder: Path) -> None:
    """Raise BadInput where no file can be made in `folder`, which `path` is to be put into."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(
            f"{path}: nothing can be written to {folder} ({error.strerror}). Choose another place."
        ) from None


def write_folder(folder: Path, config: bytes, weights: bytes) -> None:
    """Write both files durably; `config` must contain `digest(weights)`."""
    _check_kind(folder)
    if folder.exists():
        _replace(folder, config, weights)
    else:
        _create(folder, config, weights)


def _create(folder: Path, config: bytes, weights: bytes) -> None:
    parent = folder.absolute().parent
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=parent))
    try:
        temporary.chmod(0o755)
        _write(temporary / WEIGHTS, weights)
        _write(temporary / CONFIG, config)
        _sync_folder(temporary)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync_folder(parent)


def _replace(folder: Path, config: bytes, weights: bytes) -> None:
    _settle(folder)
    temporary = [folder / NEXT_WEIGHTS, folder / NEXT_CONFIG]
    try:
        _write(temporary[0], weights)
        _write(temporary[1], config)
        _sync_folder(folder)
    except BaseException:
        for path in temporary:
            path.unlink(missing_ok=True)
        raise
    (folder / NEXT_CONFIG).replace(folder / CONFIG)  # the commit
    _sync_folder(folder)
    (folder / NEXT_WEIGHTS).replace(folder / WEIGHTS)
    _sync_folder(folder)


def _settle(folder: Path) -> None:
    """Finish a save that was cut off after its commit, before its weights are overwritten."""
    path = folder / NEXT_WEIGHTS
    if not path.is_file() or path.is_symlink() or not (folder / CONFIG).is_file():
        return
    if digest(path.read_bytes()).encode() in (folder / CONFIG).read_bytes():
        path.replace(folder / WEIGHTS)
        _sync_folder(folder)


def _write(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)  # never through a link that lies there
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(path, flags, 0o644), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = str(path)  # a full disk does not say where
        raise


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows cannot open a folder
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_config(folder: Path) -> str:
    """The text of a model's config.json."""
    if not folder.is_dir():
        kind = "this is a file" if folder.exists() else "there is no such folder"
        raise MissingFile(
            f"{folder}: {kind}. Give the folder that 'glassgrad train' or gg.save wrote."
        )
    try:
        return _read(folder / CONFIG, MAX_CONFIG).decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{folder / CONFIG}: damaged: not UTF-8 text.") from None


def read_weights(folder: Path, sha256: str) -> bytes:
    """The weights that belong to a config, known by their digest."""
    data = _read(folder / WEIGHTS)
    if digest(data) == sha256:
        return data
    if (folder / NEXT_WEIGHTS).exists():
        data = _read(folder / NEXT_WEIGHTS)
        if digest(data) == sha256:
            return data
    raise BadInput(
        f"{folder / WEIGHTS}: damaged, or not the weights that {CONFIG} was saved with "
        "(the SHA-256 differs). Copy the folder or train the model again."
    )


def _read(path: Path, limit: int | None = None) -> bytes:
    """The bytes of a regular file; refuses links, devices and what is too large."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise MissingFile(
            f"{path}: the file is missing, so {path.parent} is no complete model. "
            "Copy the folder or train the model again."
        ) from None
    except OSError as error:
        what = "a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise BadInput(f"{path}: cannot be read ({what}); a plain file is needed.") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise BadInput(f"{path}: this is not a plain file.")
    with os.fdopen(handle, "rb") as file:
        if limit is not None and status.st_size > limit:
            raise BadInput(f"{path}: {status.st_size} bytes are too many for a {path.name}.")
        return file.read()
