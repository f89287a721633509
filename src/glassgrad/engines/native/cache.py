"""Object files kept on disk between processes, so that a program is compiled once per machine.

An entry's name is a hash of everything its code depends on: the text, LLVM's version, the target
and glassgrad's version. An entry is a checksum followed by the object; one that is damaged, foreign
or unreadable is simply absent. The folder is private to the user (mode 0700), entries are written
to a temporary file and renamed, and a folder that someone else could write to is not used at all:
what is read from it is run.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from glassgrad.engines.native.target import Target, assemble, llvm_version

_MAGIC = b"glassgrad object 1\n"
_DIGEST = 32


def user_cache_folder() -> Path:
    """Where this platform keeps a user's caches, with our name appended."""
    if sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "glassgrad" / "objects"


def key(text: str, target: Target, version: str) -> str:
    """The name of an entry: changes with anything that could change the machine code."""
    parts = [version, llvm_version(), target.triple, target.cpu, target.features, text]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class ObjectCache:
    """A folder of object files; every method survives a folder that is not usable.

    >>> cache = ObjectCache(None)          # None: keep nothing
    >>> cache.get("0" * 64) is None
    True
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, name: str) -> bytes | None:
        """The object stored under `name`, or None when there is none that can be trusted."""
        if self.folder is None or not self._private():
            return None
        try:
            content = (self.folder / name).read_bytes()
        except OSError:
            return None
        head = len(_MAGIC) + _DIGEST
        if len(content) <= head or not content.startswith(_MAGIC):
            return None
        payload = content[head:]
        if hashlib.sha256(name.encode() + payload).digest() != content[len(_MAGIC) : head]:
            return None
        return payload

    def put(self, name: str, payload: bytes) -> bool:
        """Stores an object; False when that was not possible (a full disk, no permission)."""
        if self.folder is None:
            return False
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._private():
                return False
            return self._write(self.folder, name, payload)
        except OSError:
            return False

    def _write(self, folder: Path, name: str, payload: bytes) -> bool:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".new-")
        digest = hashlib.sha256(name.encode() + payload).digest()
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + digest + payload)
            Path(temporary).replace(folder / name)
        except OSError:
            with suppress(OSError):
                Path(temporary).unlink()
            return False
        return True

    def _private(self) -> bool:
        """True when only this user can write here."""
        if self.folder is None:
            return False
        try:
            found = self.folder.lstat()
        except OSError:
            return False
        if not stat.S_ISDIR(found.st_mode):
            return False
        if os.name != "posix":
            return True
        return found.st_uid == os.getuid() and not found.st_mode & 0o077

    def clear(self) -> int:
        """Deletes every entry; gives their number."""
        if self.folder is None or not self.folder.is_dir():
            return 0
        entries = [p for p in self.folder.iterdir() if p.is_file()]
        for entry in entries:
            entry.unlink(missing_ok=True)
        return len(entries)


def compiled(text: str, target: Target, cache: ObjectCache, version: str) -> tuple[bytes, bool]:
    """The object file of a module's text, and whether it came from the cache."""
    name = key(text, target, version)
    found = cache.get(name)
    if found is not None:
        return found, True
    made = assemble(text, target)
    cache.put(name, made)
    return made, False
