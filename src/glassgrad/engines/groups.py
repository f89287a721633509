"""The control groups of Linux that this process is in: what its container lets it take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def control_groups(kind: str, root: Path = Path("/")) -> Iterator[tuple[Path, bool]]:
    """The folders of its group for "memory" or "cpu", and of those around that, innermost first.

    With each, whether it is of the second version, which has one group for all kinds. A folder may
    not be there: in a container, only the outermost is.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    top = root / "sys/fs/cgroup"
    for line in lines:
        _, kinds, path = line.split(":", 2)
        second = kinds == ""
        if not second and kind not in kinds.split(","):
            continue
        folder = (top if second else top / kind) / path.strip("/")
        for group in (folder, *folder.parents):
            yield group, second
            if group == top:
                break
