"""How much memory there is and how much is free, in the machine and in the container around us."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glassgrad.engines.groups import control_groups

NO_LIMIT = 1 << 60  # what is larger stands for no limit
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class Memory:
    """Bytes: of the machine, free in it, allowed to the container and used there; None: unknown.

    `told` is the file that says what the container is allowed.
    """

    total: int | None = None
    free: int | None = None
    limit: int | None = None
    used: int | None = None
    told: Path | None = None

    @property
    def available(self) -> int | None:
        """What a program may still take: the least of what the machine and the container leave.

        >>> Memory(total=100, free=80, limit=50, used=20).available
        30
        """
        known = [x for x in (self.free, self.allowed) if x is not None]
        return min(known, default=None)

    @property
    def allowed(self) -> int | None:
        """What the container leaves."""
        return None if self.limit is None or self.used is None else max(0, self.limit - self.used)


def memory(root: Path = Path("/")) -> Memory:
    """What Linux says under `root`; nothing is known elsewhere."""
    facts = _figures(root / "proc/meminfo", 1024)
    limits = sorted(_limits(root), key=lambda found: found[0] - found[1])
    container = limits[0] if limits else (None, None, None)
    return Memory(facts.get("MemTotal"), facts.get("MemAvailable"), *container)


def _figures(path: Path, unit: int) -> dict[str, int]:
    """The lines `name: number` of a file, the number times `unit`."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    words = (line.replace(":", " ").split() for line in lines)
    return {w[0]: unit * int(w[1]) for w in words if len(w) > 1 and w[1].isdigit()}


def _limits(root: Path) -> Iterator[tuple[int, int, Path]]:
    """(limit, used, file of the limit) of each control group of this process, and of those around.

    File pages that nobody needs at the moment do not count as used: they go when room is wanted.
    """
    for group, second in control_groups("memory", root):
        limit, used, idle = _FILES[second]
        allowed, taken = _number(group / limit), _number(group / used)
        if allowed is not None and taken is not None and allowed < NO_LIMIT:
            idle_pages = _figures(group / "memory.stat", 1).get(idle, 0)
            yield allowed, taken - idle_pages, group / limit


_FILES = {  # by whether the group is of the second version: limit, use, idle pages
    True: ("memory.max", "memory.current", "inactive_file"),
    False: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max" is no number, and no limit
        return None


def told_bytes(count: float) -> str:
    """A number of bytes to read.

    >>> told_bytes(1536), told_bytes(3)
    ('1.5 KiB', '3 bytes')
    """
    power = 0
    while count >= 1024 and power < len(_UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.{1 if power else 0}f} {_UNITS[power]}"
