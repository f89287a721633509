"""x86-64 objects put into memory by ourselves, in a mapping that goes when the code is dropped.

LLVM's linker keeps something of every object for as long as the process lives, and it takes longer
to start than a small program takes to load. What LLVM's large code model asks of a linker is
little: every reference is a 64-bit word, to a symbol or to a table of symbols' addresses. An object
that asks for more is left to LLVM.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from struct import Struct
from struct import error as TooShort
from typing import Any, NamedTuple

_HEADER = Struct("<16sHHIQQQIHHHHHH")
_SECTION, _SYMBOL, _CHANGE = Struct("<IIQQQQIIQQ"), Struct("<IBBHQQ"), Struct("<QIIQ")
_START = b"\x7fELF\x02\x01"  # 64 bits, the low byte first
_RELOCATABLE, _X86_64 = 1, 62
_TABLE_OF_SYMBOLS, _CHANGES, _ZEROS, _CHANGES_WITHOUT_ADDENDS = 2, 4, 8, 9  # kinds of sections
_WRITE, _ALLOCATED, _GROUPED, _OF_A_THREAD = 1, 2, 0x200, 0x400  # their flags
_UNDEFINED, _RESERVED, _ABSOLUTE = 0, 0xFF00, 0xFFF1  # sections of symbols
_LOCAL, _CHOSEN_AT_START = 0, 10  # a symbol's binding, its type
_PLAIN, _DISTANCE, _FROM_TABLE, _IN_TABLE, _TABLE = 1, 24, 25, 27, 29  # R_X86_64_64, PC64, …
_OWN_TABLE = "_GLOBAL_OFFSET_TABLE_"
_WORD, _LINE, _MASK = 8, 64, (1 << 64) - 1


class UnknownFormError(Exception):
    """Raised where an object asks for what is not done here."""


class Section(NamedTuple):
    """A section's header."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry: int


class _Object:
    """An object taken apart; refused where it holds something that is not done here."""

    def __init__(self, content: bytes) -> None:
        start, kind, machine, _, _, _, at, *_, count, _ = _HEADER.unpack_from(content)
        if start[:6] != _START or (kind, machine) != (_RELOCATABLE, _X86_64):
            raise UnknownFormError("an object is not one of x86-64")
        headers = content[at : at + count * _SECTION.size]
        self.sections = [Section(*s) for s in _SECTION.iter_unpack(headers)]
        self.content = memoryview(content)
        (listed,) = (s for s in self.sections if s.kind == _TABLE_OF_SYMBOLS)
        self.symbols = list(_SYMBOL.iter_unpack(self.part(listed)))
        self._names = bytes(self.part(self.sections[listed.link]))
        self.places = [0] * len(self.sections)
        self._check()

    def _check(self) -> None:
        for s in self.sections:
            strange = s.flags & (_GROUPED | _OF_A_THREAD) or s.kind == _CHANGES_WITHOUT_ADDENDS
            if strange or s.align > mmap.PAGESIZE:
                raise UnknownFormError("a section of an unknown kind")
        for _, info, _, section, _, _ in self.symbols:
            if _ABSOLUTE != section >= _RESERVED or info & 15 == _CHOSEN_AT_START:
                raise UnknownFormError("a symbol of an unknown kind")

    def part(self, section: Section) -> memoryview:
        """The bytes of a section."""
        return self.content[section.offset : section.offset + section.size]

    def allocated(self, writable: bool) -> list[int]:
        """The sections that are to be in memory."""
        wanted = _ALLOCATED | _WRITE * writable
        both = _ALLOCATED | _WRITE
        return [i for i, s in enumerate(self.sections) if s.flags & both == wanted and s.size]

    def defined(self) -> list[tuple[str, int]]:
        """The symbols that it shows to others, and where they lie."""
        return [
            (self._name(name), self.places[section] + value)
            for name, info, _, section, value, _ in self.symbols
            if info >> 4 != _LOCAL and _UNDEFINED != section < _RESERVED
        ]

    def addresses(self, base: int, known: Mapping[str, int]) -> list[int]:
        """The address of every symbol."""
        return [
            base + self.places[section] + value
            if _UNDEFINED != section < _RESERVED
            else known[self._name(name)] if section == _UNDEFINED and name else value
            for name, _, _, section, value, _ in self.symbols
        ]  # fmt: skip

    def _name(self, start: int) -> str:
        return self._names[start : self._names.index(0, start)].decode()

    def fill(
        self, image: memoryview, base: int, addresses: Sequence[int], table: int, first: int
    ) -> None:
        """Copies the sections, and writes the words that hang on where things lie.

        The table of addresses is at `table`; this object's symbols begin `first` bytes into it.
        """
        kept = {*self.allocated(True), *self.allocated(False)}
        for i in kept:
            section, at = self.sections[i], self.places[i]
            if section.kind != _ZEROS:
                image[at : at + section.size] = self.part(section)
        for section in self.sections:
            if section.kind != _CHANGES or section.info not in kept:
                continue
            start = self.places[section.info]
            for offset, kind, symbol, addend in _CHANGE.iter_unpack(self.part(section)):
                at = start + offset
                if kind == _IN_TABLE:
                    word = first + _WORD * symbol
                elif kind == _FROM_TABLE:
                    word = addresses[symbol] - table
                elif kind == _TABLE:
                    word = table - base - at
                elif kind == _PLAIN:
                    word = addresses[symbol]
                elif kind == _DISTANCE:
                    word = addresses[symbol] - base - at
                else:
                    raise UnknownFormError(f"a reference of kind {kind}")
                image[at : at + _WORD] = (word + addend & _MASK).to_bytes(_WORD, "little")


class Loaded:
    """Objects in memory: `address[name]` of each exported symbol, for as long as this lives."""

    def __init__(
        self, objects: Sequence[bytes], exports: Iterable[str], imports: Mapping[str, int]
    ) -> None:
        try:
            known, writable = self._load([_Object(obj) for obj in objects], imports)
            self.address = {name: known[name] for name in exports}
        except (TooShort, KeyError, IndexError, ValueError) as missing:
            raise UnknownFormError(f"something is missing or damaged: {missing}") from missing
        _protect(self._start + writable, len(self._block) - writable)

    def _load(
        self, parsed: Sequence[_Object], imports: Mapping[str, int]
    ) -> tuple[dict[str, int], int]:
        """Fills a new mapping; gives all symbols, and where what is written to ends."""
        writable, size = _place(parsed)
        entries = sum(len(o.symbols) for o in parsed)
        self._block = _mapping(size + _WORD * entries + _WORD)
        self._hold = ctypes.c_char.from_buffer(self._block)
        self._start = base = ctypes.addressof(self._hold)
        defined = [(name, base + at) for obj in parsed for name, at in obj.defined()]
        own = dict(defined)
        if len(own) < len(defined):
            raise UnknownFormError("two objects define one symbol")
        known = {**imports, _OWN_TABLE: base + size, **own}
        first = 0
        with memoryview(self._block) as image:
            for obj in parsed:
                addresses = obj.addresses(base, known)
                table = b"".join(a.to_bytes(_WORD, "little") for a in addresses)
                image[size + first : size + first + len(table)] = table
                obj.fill(image, base, addresses, base + size, first)
                first += len(table)
        return known, writable


def _mapping(size: int) -> mmap.mmap:
    try:
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, ValueError, OverflowError) as error:
        raise MemoryError(f"{size} bytes are needed for code: {error}") from error


def _place(objects: Sequence[_Object]) -> tuple[int, int]:
    """Finds a place for each section; gives where what is only read begins, and where it ends."""
    at, begin = 0, 0
    for writable in (True, False):
        for obj in objects:
            for i in obj.allocated(writable):
                at = _up(at, max(_LINE, obj.sections[i].align))
                obj.places[i] = at
                at += obj.sections[i].size
        if writable:
            at = begin = _up(at, mmap.PAGESIZE)
    return begin, _up(at, _WORD)


def _up(at: int, step: int) -> int:
    return (at + step - 1) // step * step


@cache
def _change_access() -> Any:
    change = ctypes.CDLL(None, use_errno=True).mprotect
    change.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return change


def _protect(start: int, size: int) -> None:
    """Makes pages read and executed, and no more written."""
    if _change_access()(start, _up(size, mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_EXEC):
        code = ctypes.get_errno()
        raise OSError(code, f"pages cannot be made executable: {os.strerror(code)}")


__all__ = ["Loaded", "UnknownFormError"]
