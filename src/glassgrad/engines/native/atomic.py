"""Instructions on memory that several threads share.

Loads acquire, stores release, and what reads and writes does both, sequentially consistent: the few
words that threads share are touched some thousand times a second, so nothing weaker is worth its
proof.
"""

from __future__ import annotations

from glassgrad.engines.native.emit import I1, I32, VOID, Function, Type, Value


def read(f: Function, type_: Type, pointer: Value) -> Value:
    """The value at an address, and whatever its writer wrote before it."""
    size = type_.itemsize
    return f.made(type_, f"load atomic {type_}, ptr {pointer.text} acquire, align {size}")


def write(f: Function, x: Value, pointer: Value) -> None:
    """Stores a value; who reads it sees what was written before it."""
    size = x.type.itemsize
    f.line(f"store atomic {x.type} {x.text}, ptr {pointer.text} release, align {size}")


def exchange(f: Function, pointer: Value, x: Value) -> Value:
    """Stores a value and gives the one that was there."""
    return _changed(f, "xchg", pointer, x)


def add(f: Function, pointer: Value, x: Value) -> Value:
    """Adds to an integer and gives the one that was there."""
    return _changed(f, "add", pointer, x)


def join(f: Function, pointer: Value, x: Value) -> Value:
    """Sets the bits of `x` in an integer and gives the one that was there."""
    return _changed(f, "or", pointer, x)


def _changed(f: Function, op: str, pointer: Value, x: Value) -> Value:
    return f.made(x.type, f"atomicrmw {op} ptr {pointer.text}, {x.type} {x.text} seq_cst")


def swap_if(f: Function, pointer: Value, old: Value, new: Value) -> Value:
    """Stores `new` where `old` still is; whether it was."""
    pair = f"cmpxchg ptr {pointer.text}, {old.type} {old.text}, {new.type} {new.text}"
    both = f.made(new.type, f"{pair} seq_cst seq_cst")
    return f.made(I1, f"extractvalue {{ {new.type}, i1 }} {both.text}, 1")


def fence(f: Function) -> None:
    """All before it happens before all after it."""
    f.line("fence seq_cst")


def pause(f: Function) -> None:
    """Tells the processor that this thread only waits."""
    if f.target.triple.startswith("x86"):
        f.intrinsic("llvm.x86.sse2.pause", VOID, overloads=[])
    else:
        f.intrinsic("llvm.aarch64.hint", VOID, f.const(I32, 1), overloads=[])
