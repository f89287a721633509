"""Object files kept on disk between processes, so that a program is compiled once per machine.

An entry's name is a hash of everything its code depends on: the text, LLVM's version, the target
and glassgrad's version. An entry is a checksum followed by the object; one that is damaged, foreign
or unreadable is simply absent. The folder is private to the user (mode 0700), entries are written
to a temporary file and renamed, and a folder or entry that someone else could write to is not used
at all: what is read from it is run. Its size is bounded; what was not used for longest goes first.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from glassgrad.engines.native.target import Target, assemble, llvm_version

_MAGIC = b"glassgrad object 1\n"
_DIGEST = 32
BOUND = 1 << 28  # bytes: thousands of programs
_SWEEPING = "0"  # names that start so are followed by a look at the bound: one put in sixteen
_UNFINISHED = ".new-"
_STALE = 3600.0  # seconds after which an unfinished entry belongs to a process that was killed
_READ = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # links, pipes, ends of lines
    _READ |= getattr(os, _flag, 0)


def user_cache_folder() -> Path | None:
    """Where this platform keeps a user's caches, with our name appended; None for one without home.

    A relative path is no such place: it would be another one in every folder.
    """
    try:
        folder = _caches() / "glassgrad" / "objects"
    except RuntimeError:  # neither HOME nor an entry in the list of users
        return None
    return folder if folder.is_absolute() else None


def _caches() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return chosen if chosen.is_absolute() else Path.home() / ".cache"


def key(text: str, target: Target, version: str, level: int = 2) -> str:
    """The name of an entry: changes with anything that could change the machine code."""
    parts = [version, llvm_version(), target.triple, target.cpu, target.features, text, str(level)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class Entry(NamedTuple):
    """One object that is kept: its name, its bytes on disk, when it was last used."""

    name: str
    size: int
    used: float


class ObjectCache:
    """A folder of object files; every method survives a folder that is not usable.

    When the entries take more than `bound` bytes, those that were not used for the longest time go.

    >>> cache = ObjectCache(None)          # None: keep nothing
    >>> cache.get("0" * 64) is None
    True
    """

    def __init__(self, folder: Path | None, bound: int = BOUND) -> None:
        self.folder = folder
        self.bound = bound

    # -- one entry ------------------------------------------------------------

    def get(self, name: str) -> bytes | None:
        """The object stored under `name`, or None when there is none that can be trusted."""
        if self.folder is None or not self._private():
            return None
        found = self._read(self.folder / name, name)
        if found is not None:
            with suppress(OSError):  # on a disk that cannot be written the oldest stay oldest
                os.utime(self.folder / name)
        return found

    def _read(self, path: Path, name: str) -> bytes | None:
        """The object in a file of this user's own, if its checksum holds."""
        try:
            content = _own_bytes(path)
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
            if not self._private() or not self._write(self.folder, name, payload):
                return False
        except OSError:
            return False
        if name[:1] in _SWEEPING:
            self.trim()
        return True

    def _write(self, folder: Path, name: str, payload: bytes) -> bool:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=_UNFINISHED)
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
        return self.folder is not None and self.trouble() == "" and self.folder.is_dir()

    def trouble(self) -> str:
        """Why the folder cannot be used; empty where it can, or can be made.

        >>> ObjectCache(Path(__file__)).trouble()
        'it is not a folder'
        """
        if self.folder is None:
            return "there is no folder"
        try:
            found = self.folder.lstat()
        except FileNotFoundError:
            return ""
        except OSError as error:
            return str(error.strerror)
        if not stat.S_ISDIR(found.st_mode):
            return "it is a link" if stat.S_ISLNK(found.st_mode) else "it is not a folder"
        if os.name != "posix":
            return ""
        if found.st_uid != os.getuid():
            return f"it belongs to user {found.st_uid}, not to {os.getuid()}"
        mode = stat.S_IMODE(found.st_mode)
        return (
            f"its mode is {mode:04o}, so that others may read or write it" if mode & 0o077 else ""
        )

    # -- all entries ----------------------------------------------------------

    def entries(self) -> list[Entry]:
        """What is kept, the one that was used last first; empty where the folder is not usable."""
        found = (Entry(e.name, s.st_size, s.st_mtime) for e, s in self._files())
        kept = [e for e in found if not e.name.startswith(_UNFINISHED)]
        return sorted(kept, key=lambda e: (-e.used, e.name))

    def _files(self) -> list[tuple[os.DirEntry[str], os.stat_result]]:
        """Every plain file of the folder, also one that is being written."""
        if self.folder is None or not self._private():
            return []
        found: list[tuple[os.DirEntry[str], os.stat_result]] = []
        with suppress(OSError), os.scandir(self.folder) as listed:
            for entry in listed:
                with suppress(OSError):  # another process may have deleted it
                    if entry.is_file(follow_symlinks=False):
                        found.append((entry, entry.stat(follow_symlinks=False)))
        return found

    def size(self) -> int:
        """The bytes of all entries."""
        return sum(e.size for e in self.entries())

    def damaged(self) -> list[str]:
        """The names of the entries that would not be used: cut, changed, or another user's."""
        folder = self.folder
        if folder is None:
            return []
        return [e.name for e in self.entries() if self._read(folder / e.name, e.name) is None]

    def clear(self) -> int:
        """Deletes every entry; gives their number."""
        files = [e.name for e, _ in self._files()]
        return self._delete(files)

    def trim(self) -> int:
        """Deletes the entries beyond the bound and what a killed process left half-written."""
        files = self._files()
        stale = time.time() - _STALE
        unwanted = [
            e.name for e, s in files if e.name.startswith(_UNFINISHED) and s.st_mtime < stale
        ]
        total = 0
        for entry in self.entries():
            total += entry.size
            if total > self.bound:
                unwanted.append(entry.name)
        return self._delete(unwanted)

    def _delete(self, names: Sequence[str]) -> int:
        """Deletes files, and counts those that went."""
        count = 0
        for name in names:
            assert self.folder is not None
            with suppress(OSError):
                (self.folder / name).unlink()
                count += 1
        return count


def _own(found: os.stat_result, of_kind: Callable[[int], bool]) -> bool:
    """Whether a file or folder is of that kind, this user's, and no one else may write to it."""
    if not of_kind(found.st_mode):
        return False
    return os.name != "posix" or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


def _own_bytes(path: Path) -> bytes:
    """The content of a plain file of this user's; nothing where it is another's, or no file."""
    handle = os.open(path, _READ)
    try:
        if not _own(os.fstat(handle), stat.S_ISREG):
            return b""
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


def compiled(
    text: str, target: Target, cache: ObjectCache, version: str, level: int = 2
) -> tuple[bytes, bool]:
    """The object file of a module's text, and whether it came from the cache."""
    name = key(text, target, version, level)
    found = cache.get(name)
    if found is not None:
        return found, True
    made = assemble(text, target, level=level)
    cache.put(name, made)
    return made, False
