"""The builtin of a program: the memory that its entry's code refers to, and its making."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from glassgrad.engines.native import pyabi, records, runtime, threads
from glassgrad.engines.native.cache import ObjectCache, compiled
from glassgrad.engines.native.call import (
    APART,
    ARENA,
    KEPT,
    KEYS,
    NOW,
    POOL,
    TABLES,
    Entry,
    Signature,
)
from glassgrad.engines.native.calling import address
from glassgrad.engines.native.crew import CREW
from glassgrad.engines.native.emit import Module
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.underway import Arenas
from glassgrad.version import __version__


class Tables:
    """What an entry reads of the arrays of one size: their records, arenas, and further inputs."""

    def __init__(
        self, signature: Signature, arenas: Arenas, more: Sequence[np.ndarray] = ()
    ) -> None:
        self._records = records.Records(signature.inputs), records.Records(signature.outputs)
        self._held = arenas, more
        self.words = [*(r.address for r in self._records), arenas.slots]
        self._table = (ctypes.c_void_p * (len(TABLES) + len(more)))(
            *self.words, *(address(x) for x in more)
        )
        self.address = ctypes.addressof(self._table)


class FastCall:
    """The memory that an entry's code refers to, and, once linked, the builtin.

    `arenas` are those of a program for one size; one for every size, with `more` inputs than those
    of the signature, turns to the tables of a size. A `teller` is called with a status that tells
    of divisions that went wrong. `object` is its code, which takes the kernel, and `imports`, from
    elsewhere.
    """

    def __init__(
        self, signature: Signature, target: Target, cache: ObjectCache, long: bool, shared: bool,
        arenas: Arenas | None = None, more: int | None = None,
        teller: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self.signature = signature
        module = Module(target)
        keys = Entry(module, signature, long, shared, more, teller).keys
        level = 0 if long else 2  # a long call does not feel how fast it is entered
        self.object = compiled(module.text(), target, cache, __version__, level)[0]
        self._foreign = module.foreign()
        self._one = None if arenas is None else Tables(signature, arenas)
        self._pool = (ctypes.c_void_p * (records.KEPT * max(1, len(signature.outputs))))()
        self._kept = ctypes.c_void_p()
        self._apart = (ctypes.c_void_p * max(1, len(signature.inputs)))()
        self._keys = list(keys)
        self._key_table = (ctypes.c_void_p * max(1, len(keys)))(*map(id, self._keys))
        self._arena = ctypes.c_void_p(arenas and arenas.first)
        self._now = ctypes.c_void_p()
        self._used: dict[int, Tables] = {}  # a call may be under way with any of them

    def imports(self, others: Mapping[str, int]) -> dict[str, int]:
        """The addresses of what the entry names, some of which are among the `others`."""
        known = {
            **runtime.addresses(), **pyabi.addresses(),
            **(dict(zip(TABLES, self._one.words)) if self._one else {}),
            POOL: ctypes.addressof(self._pool), KEYS: ctypes.addressof(self._key_table),
            ARENA: ctypes.addressof(self._arena), CREW: threads.MEMORY,
            APART: ctypes.addressof(self._apart), KEPT: ctypes.addressof(self._kept),
            NOW: ctypes.addressof(self._now), **others,
        }  # fmt: skip
        return {name: known[name] for name in self._foreign if name in known}

    def turn_to(self, tables: Tables) -> None:
        """The next calls are of arrays of this size."""
        if self._now.value != tables.address:
            self._used[tables.address] = tables
            ctypes.memset(self._apart, 0, ctypes.sizeof(self._apart))  # now of other lengths
            self._now.value = tables.address

    def bind(
        self, address: int, receiver: Callable[..., Any], name: str, owner: Any
    ) -> Callable[..., Any]:
        """The builtin that runs the entry at `address`, which `owner` keeps in memory."""
        return pyabi.builtin(address, receiver, name, owner)

    def release(self) -> None:
        """Lets go of the remembered results."""
        release = ctypes.pythonapi.Py_DecRef
        release.argtypes = [ctypes.c_void_p]
        for i, held in enumerate(self._pool):
            if held:
                self._pool[i] = None
                release(held)
        if held := self._kept.value:
            self._kept.value = None
            release(held)


__all__ = ["FastCall", "Tables"]
