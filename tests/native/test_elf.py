"""Objects that we put into memory ourselves: as LLVM's linker does, and gone when dropped."""

import ctypes
import gc
import platform
import sys
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native import pyabi
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.elf import Loaded, UnknownFormError
from glassgrad.engines.native.emit import F64, I64, PTR, VOID, Module
from glassgrad.engines.native.link import Linked, _by_llvm
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.target import Target, assemble
from glassgrad.graph.node import Trace, new_input

OURS = sys.platform.startswith("linux") and platform.machine() == "x86_64"
HOST = Target.host()
SEEN = np.array([2.5, -1.0])


def objects():
    """Two objects: constants, a writable table, outside data, a call from one to the other."""
    one, two = Module(HOST), Module(HOST)
    f = two.function("other", F64, [F64])
    f.ret(f.params[0] * 3.0)
    kept = one.variable("kept", F64)
    values = one.data(np.arange(4.0).tobytes())
    one.outside("seen")
    one.declare("other", F64, [F64])
    g = one.function("go", VOID, [PTR])
    x = g.load(F64, g.at(g.symbol(values), F64, 3)) + g.load(F64, g.symbol("seen"))
    g.store(g.load(F64, g.symbol(kept)) + g.call("other", F64, x), g.symbol(kept))
    g.store(g.load(F64, g.symbol(kept)), g.params[0])
    g.ret()
    return [assemble(m.text(), HOST, verify=True) for m in (one, two)]


def results(address):
    """What two calls store: the second finds what the first has kept."""
    go, out = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address), np.zeros(2)
    for i in range(2):
        go(out[i:].ctypes.data)
    return out.tolist()


def test_code_does_what_it_does_when_llvm_links_it():
    parts, imports = objects(), {"seen": SEEN.ctypes.data}
    ours = Linked(parts, HOST, ["go"], imports)
    theirs = _by_llvm(parts, HOST, ["go"], imports)
    assert isinstance(ours._code, Loaded) == OURS
    assert results(ours.address["go"]) == results(theirs["go"]) == [16.5, 33.0]


def test_what_is_unknown_is_left_to_llvm():
    one = Module(HOST)
    f = one.function("go", I64, [I64])
    f.ret(f.params[0] + f.params[0])
    text = one.text().replace("define i64 @go", "define linkonce_odr i64 @go")
    text = text.replace(" #0 {", " #0 comdat {").replace("define", "$go = comdat any\ndefine", 1)
    obj = assemble(text, HOST)
    with pytest.raises(UnknownFormError):
        Loaded([obj], ["go"], {})
    assert Linked(obj, HOST, ["go"], {}).address["go"]
    with pytest.raises(RuntimeError):
        Linked(objects(), HOST, ["go"], {})  # nobody says where `seen` is


def loads(parts, imports):
    """Whether we put these objects into memory ourselves."""
    try:
        return bool(Loaded(parts, ["go"], imports).address)
    except UnknownFormError:
        return False


def test_a_damaged_object_is_refused():
    first, _ = objects()
    imports = {"seen": SEEN.ctypes.data, "other": 1}
    assert loads([first], imports) == OURS
    rng = np.random.default_rng(0)
    assert not any(loads([first[:size]], imports) for size in range(0, len(first), 13))
    for _ in range(2000):
        changed = bytearray(first)
        for _ in range(3):
            changed[rng.integers(len(first))] = rng.integers(256)
        with suppress(MemoryError):  # it asks for more than there is
            loads([bytes(changed)], imports)
    assert not loads([first, first], imports)  # both define the same


def test_a_dropped_program_leaves_nothing():
    """Neither code in memory, nor an object of Python's, nor what Python knew of its builtin."""

    def make(i):
        compiled = gg.jit(lambda x: np.sum(np.sin(x) * i))
        assert compiled(np.arange(3.0)) == pytest.approx(np.sum(np.sin(np.arange(3.0)) * i))

    def living():
        gc.collect()
        kinds = Loaded, NativeProgram
        return sum(isinstance(x, kinds) for x in gc.get_objects()), len(gc.get_objects())

    for i in range(4):
        make(i)
    programs, everything = living()
    builtins = len(pyabi._USED), len(pyabi._FREE)
    for i in range(40):
        make(0.5 + i)
        gc.collect()
    assert living()[0] == programs
    assert living()[1] < everything + 40
    assert (len(pyabi._USED), len(pyabi._FREE)) == builtins


def mapped(address):
    """Whether there is memory at an address; None where the system does not list it."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return None
    spans = (line.split(" ")[0].split("-") for line in maps.read_text().splitlines())
    return any(int(a, 16) <= address < int(b, 16) for a, b in spans)


def test_code_goes_from_memory_with_its_program():
    trace = Trace()
    x = new_input(trace, "x", (3,), "f8")
    made = NativeProgram([x * x], [x], cache=ObjectCache(None))
    start, gone = made._linked.address["kernel"], weakref.ref(made._linked)
    assert mapped(start) in (True, None)
    assert made.fast(np.arange(3.0))[0].tolist() == [0, 1, 4]
    fast = made.fast
    del made
    gc.collect()
    assert gone() is not None  # the builtin keeps it
    assert fast(np.arange(3.0))[0].tolist() == [0, 1, 4]
    del fast
    gc.collect()
    assert gone() is None
    assert mapped(start) in (False, None)


def test_code_that_threads_may_be_inside_stays():
    linked = Linked(objects(), HOST, ["go"], {"seen": SEEN.ctypes.data})
    linked.keep()
    start, gone = linked.address["go"], weakref.ref(linked)
    del linked
    gc.collect()
    assert gone() is not None
    assert mapped(start) in (True, None)
