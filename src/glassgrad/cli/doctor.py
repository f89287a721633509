"""`glassgrad doctor`: what glassgrad found on this machine, and whether it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from glassgrad.cli.parser import Parser

FEATURES = ("avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512bf16", "neon")
"""Those of the processor that matter to what is compiled."""


class Fact(NamedTuple):
    """A line of the report; `trouble` says what to do where something is wrong."""

    name: str
    said: str
    trouble: str = ""


def parser() -> Parser:
    """The options of `glassgrad doctor`."""
    p = Parser(
        prog="glassgrad doctor",
        description="Say what glassgrad found on this machine: versions, processor, memory, the "
        "cache of compiled programs. Exit code 1 when something is wrong.",
    )
    p.add_argument(
        "--check", action="store_true", help="compile a small program, run it on both engines"
    )
    p.add_argument("--clear-cache", action="store_true", help="delete all compiled programs")
    return p


def run(words: list[str]) -> int:
    """Print the facts and then the troubles; 1 if there are any."""
    given = parser().parse_all(words)
    if given.clear_cache:
        print(clear_cache())
    facts = [*machine_facts(), *engine_facts(), *cache_facts(), *memory_facts()]
    if given.check:
        facts.append(check())
    width = max(len(f.name) for f in facts)
    print("\n".join(f"{f.name:{width}}  {f.said}" for f in facts))
    troubles = [f for f in facts if f.trouble]
    for fact in troubles:
        print(f"\n{fact.name}: {fact.trouble}")
    print("\nnothing is wrong" if not troubles else f"\n{len(troubles)} found wrong")
    return 1 if troubles else 0


def clear_cache() -> str:
    """Empties the cache; says how many programs it held."""
    from glassgrad.engines.native.cache import ObjectCache, user_cache_folder

    count = ObjectCache(user_cache_folder()).clear()
    return f"deleted {count} compiled program{'' if count == 1 else 's'}"


def machine_facts() -> Iterator[Fact]:
    """Versions and processor."""
    from glassgrad.bench.machine import describe, versions

    about = describe()
    yield Fact("versions", ", ".join(f"{n} {v}" for n, v in versions().items()))
    yield Fact("system", about["system"])
    yield Fact("processor", about["processor"])
    yield Fact("load", about["load"])


def engine_facts() -> Iterator[Fact]:
    """What the native engine compiles for, and how it is called."""
    from glassgrad.engines.native.target import Target, absence, llvm_version

    if why := absence():
        advice = ": pip install llvmlite" if "llvmlite" in why else ""
        told = f"{why}, so all runs on the reference engine, slowly{advice}"
        yield Fact("native engine", "not there", told)
        return
    from glassgrad.engines.native.pyabi import usable
    from glassgrad.engines.native.threads import threads

    target = Target.host()
    on = {name[1:] for name in target.features.split(",") if name.startswith("+")}
    yield Fact("features", " ".join(f for f in FEATURES if f in on) or "none of ours")
    yield Fact(
        "target",
        f"{target.cpu}, vectors of {8 * target.vector_bytes} bits, {target.registers} registers, "
        f"LLVM {llvm_version().split()[0]}",
    )
    yield Fact("threads", f"{threads()} share a long step")
    yield Fact("calls", "from machine code" if usable() else "through ctypes, slower")


def cache_facts() -> Iterator[Fact]:
    """The folder of compiled programs: who may write to it, what it holds, what is damaged."""
    from glassgrad.engines.memory import told_bytes
    from glassgrad.engines.native.cache import ObjectCache, user_cache_folder

    folder = user_cache_folder()
    if folder is None:
        told = "this user has no home folder, so every process compiles anew: set HOME"
        yield Fact("cache", "no folder", told)
        return
    cache = ObjectCache(folder)
    trouble = cache.trouble()
    advice = "" if not trouble else (
        f"{trouble}, so it is not used, and every process compiles anew. What is read from it is "
        f"run, so it must be yours alone: delete {folder}, or chmod 700 it if you trust what is "
        "in it."
    )  # fmt: skip
    yield Fact("cache", f"{folder} ({_state(folder, trouble)})", advice)
    if trouble:
        return
    entries, damaged = cache.entries(), cache.damaged()
    size = sum(e.size for e in entries)
    yield Fact(
        "programs", f"{len(entries)}, {told_bytes(size)} of at most {told_bytes(cache.bound)}"
    )
    if damaged:
        names = ", ".join(name[:12] for name in damaged[:5])
        yield Fact(
            "damaged", f"{len(damaged)} ({names})",
            "entries that are cut, changed, or another user's are not used and are compiled anew; "
            "to be rid of them: glassgrad doctor --clear-cache",
        )  # fmt: skip


def _state(folder: Path, trouble: str) -> str:
    """What the folder of the cache is like, in a few words."""
    if trouble:
        return trouble
    try:
        return f"mode {folder.stat().st_mode & 0o7777:04o}"
    except FileNotFoundError:
        return "not made yet"


def memory_facts() -> Iterator[Fact]:
    """What the machine and its container have."""
    from glassgrad.engines.memory import memory, told_bytes

    found = memory()
    if found.total is not None and found.free is not None:
        yield Fact("memory", f"{told_bytes(found.free)} free of {told_bytes(found.total)}")
    if found.limit is not None and found.used is not None:
        yield Fact(
            "container", f"{told_bytes(found.used)} used of {told_bytes(found.limit)} allowed"
        )


def check() -> Fact:
    """A small function and its gradient, on both engines."""
    from glassgrad.engines.native.target import absence

    if absence():
        return Fact("check", "there is only one engine")
    import numpy as np

    from glassgrad.transform.gradient import value_and_grad
    from glassgrad.transform.jit import jit

    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((5, 3)), rng.standard_normal((7, 5))
    step: Callable[..., object] = value_and_grad(lambda w, x: np.mean(np.tanh(x @ w) ** 2))
    results = [jit(step, engine=engine)(w, x) for engine in ("reference", "native")]
    (value, slope), (other, other_slope) = results
    gap = max(abs(value - other), float(np.max(np.abs(slope - other_slope))))
    fine = gap <= 1e-12
    return Fact(
        "check", f"the engines agree within {gap:.1e}",
        "" if fine else "the compiled program computes other numbers: please report this",
    )  # fmt: skip
