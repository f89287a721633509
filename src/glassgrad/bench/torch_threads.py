"""PyTorch as a contender on one thread and on two."""

from __future__ import annotations

from collections.abc import Callable

from glassgrad.bench.workload import Contender, Step, peer


def on_threads(
    setup: Callable[[], Step], *counts: int, name: str = "torch eager", compiler: bool = False
) -> dict[str, Contender]:
    """The same step as contenders with so many threads, one and two if nothing is said."""
    return {
        f"{name}, {n} thread{'s' if n > 1 else ''}": Contender(
            _limited(setup, n), "torch", compiler
        )
        for n in counts or (1, 2)
    }


def _limited(setup: Callable[[], Step], count: int) -> Callable[[], Step]:
    def limited() -> Step:
        peer("torch").set_num_threads(count)
        return setup()

    return limited
