"""A kernel known again by its graph, so that a later process neither plans nor emits it.

What the kernel's object and its memory are follows from the graph, the target and this package's
own code; a record under the hash of these three names the object in the cache and says what else a
program needs of it. It is data, checked as it is read; where anything is amiss the kernel is
planned as if there were no record.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from glassgrad.engines.native.cache import ObjectCache, compiled, key
from glassgrad.engines.native.emit import Module
from glassgrad.engines.native.target import Target, llvm_version
from glassgrad.graph.digest import digest
from glassgrad.graph.dtype import as_dtype
from glassgrad.graph.errors import GlassgradError
from glassgrad.graph.node import Const, Node
from glassgrad.graph.traverse import topological_order
from glassgrad.version import __version__

_FOLDERS = ("graph", "ops", "diff", "rewrite", "engines", "engines/native")
_ADDRESSES = 1 << 40  # a module's number from here on may be an address of this process
_HERE = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))  # noqa: PTH120


class Made(NamedTuple):
    """A kernel's objects and what a program must know of it."""

    objects: list[bytes]
    arena_bytes: int
    text_size: int
    copied_back: int
    long: bool
    shared: bool  # some steps are cut into parts, for several threads
    foreign: list[str]  # what the linker must be given, besides the constants
    constants: list[np.ndarray]
    faults: int = 0  # how many divisions may go wrong and be told


@cache
def _sources() -> str | None:
    """A hash of which code plans and emits; None where its files are not to be seen."""
    rows: list[tuple[Any, ...]] = []
    for folder in _FOLDERS:
        try:
            with os.scandir(f"{_HERE}/{folder}") as listed:
                files = [(e.name, e.stat()) for e in listed if e.name.endswith(".py")]
        except OSError:
            return None
        rows += [(folder, name, s.st_size, s.st_mtime_ns) for name, s in files]
    versions = (__version__, sys.version, np.__version__, llvm_version())
    return hashlib.sha256(repr((versions, sorted(rows))).encode()).hexdigest()


def _settings() -> list[tuple[str, str, Any]]:
    """The numbers that steer planning and emitting, as they are now: a test may change one."""
    here, numbers = __name__.rpartition(".")[0], {int, float}
    found: list[tuple[str, str, Any]] = []
    for module in [n for n in sys.modules if n.startswith(here)]:
        for name, value in vars(sys.modules[module]).items():
            if type(value) in numbers and name.isupper():
                found.append((module, name, value if abs(value) < _ADDRESSES else "large"))
    return sorted(found)


def name_of(
    outputs: Sequence[Node], inputs: Sequence[Node], donated: Mapping[int, int], target: Target,
    budget: int | None = None, raw: int | None = None, primes: Sequence[int] = (),
) -> str | None:  # fmt: skip
    """The name of a kernel's record; None where it cannot be known again.

    With `raw` the outputs are still to be finished, the first so many to be made stable. In a
    kernel for every size `primes` stand for the extents that vary.
    """
    code, graph = _sources(), digest(outputs, inputs)
    if code is None or graph is None:
        return None
    how = sorted(donated.items()), target, budget, raw, tuple(primes)
    text = repr((code, graph, how, _settings()))
    return hashlib.sha256(text.encode()).hexdigest()


def recalled(kept: ObjectCache, name: str | None, outputs: Sequence[Node]) -> Made | None:
    """The kernel of that name, as an earlier program made it."""
    found = None if name is None else kept.get(name)
    if found is None:
        return None
    try:
        said = json.loads(found)
        objects = [kept.get(name) for name in said["objects"]]
        arena, text, copied, faults = (said[k] for k in ("arena", "text", "copied", "faults"))
        whole = [obj for obj in objects if obj is not None]
        counts = all(type(n) is int and n >= 0 for n in (arena, text, copied, faults))
        if not objects or len(whole) < len(objects) or not counts:
            return None
        foreign = [str(name) for name in said["foreign"]]
        values = _values(outputs) if said["constants"] else []
        constants = [_constant(c, values) for c in said["constants"]]
        flags = bool(said["long"]), bool(said["shared"])
        return Made(whole, arena, text, copied, *flags, foreign, constants, faults)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, GlassgradError):
        return None


def remember(
    kept: ObjectCache, name: str | None, made: Made, objects: Sequence[str],
    outputs: Sequence[Node],
) -> None:  # fmt: skip
    """Writes down what a program needs of a kernel whose objects are kept under these names."""
    if name is None:
        return
    places = {id(value): i for i, value in enumerate(_values(outputs))}
    said = {
        "objects": list(objects), "arena": made.arena_bytes, "long": made.long,
        "shared": made.shared, "faults": made.faults,
        "text": made.text_size, "copied": made.copied_back, "foreign": made.foreign,
        "constants": [places.get(id(c), _told(c)) for c in made.constants],
    }  # fmt: skip
    kept.put(name, json.dumps(said).encode())


def _shared_name(what: str, target: Target) -> str | None:
    code = _sources()
    return code and hashlib.sha256(repr((code, what, target)).encode()).hexdigest()


def found_object(kept: ObjectCache, what: str, target: Target) -> tuple[bytes, list[str]] | None:
    """What `shared_object` gives, where an earlier process has kept it."""
    name = _shared_name(what, target)
    found = kept.get(name) if name else None
    if found is None:
        return None
    try:
        said = json.loads(found)
        obj = kept.get(said["object"])
        return None if obj is None else (obj, [str(n) for n in said["foreign"]])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def shared_object(
    kept: ObjectCache, what: str, target: Target, parts: Sequence[Callable[[Module], Any]],
    level: int = 2,
) -> tuple[bytes, list[str]]:  # fmt: skip
    """The object of code that all programs share, and the symbols that it takes from outside.

    It follows from this package's code and the target, so a record saves emitting it.
    """
    known = found_object(kept, what, target)
    if known is not None:
        return known
    module = Module(target)
    for emit in parts:
        emit(module)
    text, foreign = module.text(), module.foreign()
    obj, _ = compiled(text, target, kept, __version__, level)
    if name := _shared_name(what, target):
        said = {"object": key(text, target, __version__, level), "foreign": foreign}
        kept.put(name, json.dumps(said).encode())
    return obj, foreign


def _values(outputs: Sequence[Node]) -> list[np.ndarray]:
    """The constants of a graph, in order; those of loops' bodies are told apart from these."""
    return [n.op.value for n in topological_order(outputs) if isinstance(n.op, Const)]


def _told(value: np.ndarray) -> list[Any]:
    return [value.dtype.str, list(value.shape), base64.b64encode(value.tobytes()).decode()]


def _constant(said: Any, values: Sequence[np.ndarray]) -> np.ndarray:
    if isinstance(said, int):
        return values[said]
    dtype, shape, data = said
    return np.frombuffer(base64.b64decode(data), as_dtype(np.dtype(dtype))).reshape(shape)


__all__ = ["Made", "found_object", "name_of", "recalled", "remember", "shared_object"]
