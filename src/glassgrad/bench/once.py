"""The process of a contender that is measured once: `python -m glassgrad.bench.once W12 jax.jit`.

It sets the contender up (imports, data), makes one step, and prints what that took: seconds, and by
how many bytes the peak of the process's memory grew.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from glassgrad.bench.digest import digest
from glassgrad.bench.workload import workload


def main(name: str, contender: str) -> None:
    """Measure and print one line of JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    step = workload(name).contenders[contender].setup()
    before, start = peak_bytes(), time.perf_counter()
    result = step()
    taken = {"s": time.perf_counter() - start, "bytes": peak_bytes() - before}
    print(json.dumps({**taken, "digest": digest(result)}), file=answers, flush=True)


def peak_bytes() -> int:
    """The most memory that this process held so far; 0 where the system does not say.

    Linux counts in `ru_maxrss` what the process that started this one held: the status is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    if find_spec("resource") is None:
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    main(*sys.argv[1:])
