"""A module that is cut into units computes what it computes whole."""

import ctypes

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.engines.native import units
from glassgrad.engines.native.cache import ObjectCache, compiled
from glassgrad.engines.native.emit import F64, I64, PTR, VOID, Module
from glassgrad.engines.native.link import Linked
from glassgrad.engines.native.program import NativeProgram
from glassgrad.engines.native.target import Target, assemble
from glassgrad.graph.node import Trace, new_input

RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((96, 150)), RNG.standard_normal((150, 40))


def program():
    """Products, sums and maps that are long enough to be called without the interpreter."""
    trace = Trace()
    x, w = (gg.Array(new_input(trace, n, a.shape, "f8")) for n, a in (("x", X), ("w", W)))
    y = np.tanh(x @ w)
    outputs = [(x.T @ y).node, np.sum(y, axis=0).node, np.exp(-(y @ w.T)).node]
    return NativeProgram(outputs, [x.node, w.node], cache=ObjectCache(None))


def bits(made):
    return [a.tobytes() for a in made([X, W])]


def test_a_kernel_in_units_gives_the_bits_of_the_whole(monkeypatch):
    cut = []
    found = units.units
    monkeypatch.setattr(
        "glassgrad.engines.native.kernel.units", lambda m: cut.append(found(m)) or cut[-1]
    )
    monkeypatch.setattr(units, "_WHOLE", 1 << 60)
    whole = bits(program())
    monkeypatch.setattr(units, "_WHOLE", 0)
    assert bits(program()) == whole
    levels = [[u.level for u in one] for one in cut]
    assert levels == [[2, 0], [2, 2, 0]]


def test_halves_hold_every_function_once(monkeypatch):
    monkeypatch.setattr(units, "_WHOLE", 0)
    module = Module(Target.host())
    calls = []
    for i in range(7):
        f = module.function(f"double_{i}", VOID, [PTR], "internal")
        f.store(f.load(F64, f.at(f.params[0], F64, i)) * 2.0, f.at(f.params[0], F64, i))
        f.ret()
        calls.append(f)
    table = module.data(np.arange(8.0).tobytes())
    go = module.function("go", VOID, [PTR])
    go.glue = True
    for f in calls:
        go.call(f, VOID, go.params[0])
    go.store(go.load(F64, go.at(go.symbol(table), F64, 5)), go.params[0])
    go.ret()
    made = units.units(module)
    assert [u.level for u in made] == [2, 2, 0]
    assert all(sum(f"define void @double_{i}(" in u.text for u in made) == 1 for i in range(7))
    assert sum("private unnamed_addr" in u.text for u in made) == 1
    objects = [assemble(u.text, Target.host(), verify=True, level=u.level) for u in made]
    linked = Linked(objects, Target.host(), ["go"], {})
    x = np.ones(7)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(linked.address["go"])(x.ctypes.data)
    assert x.tolist() == [5, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("level", [0, 2])
def test_a_level_has_its_own_entry(level, tmp_path):
    module = Module(Target.host())
    f = module.function("twice", I64, [I64])
    f.ret(f.params[0] + f.params[0])
    kept = ObjectCache(tmp_path / "objects")
    _, hit = compiled(module.text(), Target.host(), kept, "1", 2 - level)
    assert not hit
    assert not compiled(module.text(), Target.host(), kept, "1", level)[1]
    assert compiled(module.text(), Target.host(), kept, "1", level)[1]
