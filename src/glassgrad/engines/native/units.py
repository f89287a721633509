"""One module as several units, which LLVM assembles one by one, each as carefully as it pays.

Functions that only call others, a few times in a call of a long program, are *glue*: they make one
unit, without optimisation, which takes a quarter of the time. The rest of a large module is halved,
so that two threads can assemble it. Where it is cut follows from the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from glassgrad.engines.native.aside import each
from glassgrad.engines.native.cache import ObjectCache, compiled
from glassgrad.engines.native.emit import Module
from glassgrad.engines.native.target import Target
from glassgrad.version import __version__

_WHOLE = 1200  # lines of a module that is not halved
_NAME = re.compile(r"@([\w.-]+)")


class Unit(NamedTuple):
    """A text for LLVM, and the level of its code generation."""

    text: str
    level: int = 2


def units(module: Module) -> list[Unit]:
    """The module's functions in units; a small one without glue is one unit."""
    texts = module.merged()
    glue = [n for n in texts if module.functions[n].glue]
    rest = [n for n in texts if not module.functions[n].glue]
    cut = [(rest, 2)]
    if sum(texts[n].count("\n") for n in rest) > _WHOLE:
        cut = [(half, 2) for half in _halves(rest, texts)]
    cut += [(glue, 0)] * bool(glue)
    if len(cut) == 1:
        return [Unit(module.text())]
    found: list[Unit] = []
    for names, level in cut:
        own = [texts[n].replace("define internal ", "define ", 1) for n in names]
        called = {*_NAME.findall("".join(own))}
        others = [module.functions[n].declaration() for n in texts if n in called - {*names}]
        found.append(Unit(module.text([*others, *own], called), level))
    return found


def assembled(
    units: Sequence[Unit], target: Target, cache: ObjectCache
) -> tuple[list[bytes], bool]:
    """The object of each unit, made by two threads, and whether all came from the cache."""

    def one(i: int) -> tuple[bytes, bool]:
        return compiled(units[i].text, target, cache, __version__, units[i].level)

    made = each(one, len(units))
    return [obj for obj, _ in made], all(hit for _, hit in made)


def _halves(names: Iterable[str], texts: dict[str, str]) -> list[list[str]]:
    """Two lists of functions, of nearly as many lines."""
    halves: list[list[str]] = [[], []]
    lines = [0, 0]
    for name in sorted(names, key=lambda n: -len(texts[n])):
        i = lines.index(min(lines))
        halves[i].append(name)
        lines[i] += texts[name].count("\n")
    return halves


__all__ = ["Unit", "assembled", "units"]
