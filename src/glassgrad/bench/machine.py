"""What a figure was measured on: processor, load, versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PEERS = ("torch", "jax", "pytensor", "autograd")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def describe() -> dict[str, str]:
    """One line for each fact, under its name."""
    return {
        "processor": f"{processor()}, {cores()} of {os.cpu_count()} cores",
        "frequency": f"governor {governor()}",
        "load": load(),
        "system": platform.platform(terse=True),
        "versions": ", ".join(f"{n} {v}" for n, v in versions(PEERS).items()),
    }


def processor() -> str:
    """The name of the processor.

    >>> bool(processor())
    True
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def governor() -> str:
    """How the system chooses the frequency, where it says so."""
    try:
        return _GOVERNOR.read_text(encoding="utf-8").strip()
    except OSError:
        return "not shown"


def load() -> str:
    """How many processes wanted to run in the last 1, 5 and 15 minutes."""
    if not hasattr(os, "getloadavg"):
        return "not shown"
    return " ".join(f"{x:.2f}" for x in os.getloadavg()) + " (1, 5, 15 minutes)"


def versions(peers: Iterable[str] = ()) -> dict[str, str]:
    """The versions of Python, of what glassgrad stands on, and of the peers that are installed."""
    found = {"Python": platform.python_version()}
    for name in ("glassgrad", "numpy", "llvmlite", *peers):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
