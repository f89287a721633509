"""The emitter: what it writes parses, and does what it says, for every target."""

import ctypes

import numpy as np
import pytest

from glassgrad.engines.native.emit import F32, F64, I32, I64, PTR, VOID, Module
from glassgrad.engines.native.irtype import constant_text, of_dtype, scalar_text
from glassgrad.engines.native.link import Linked
from glassgrad.engines.native.target import Target, assemble

HOST = Target.host()
RUNNABLE = [HOST, HOST.restricted("avx2"), HOST.restricted("sse2")]


def run(module, target, *args, name="go"):
    linked = Linked(assemble(module.text(), target, verify=True), target, [name], {})
    code = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(args))(linked.address[name])
    code(*(a.ctypes.data for a in args))


@pytest.mark.parametrize("target", RUNNABLE, ids=["host", "avx2", "sse2"])
def test_loops_vectors_and_folds(target):
    module = Module(target)
    f = module.function("go", VOID, [PTR, PTR])
    vector = F32.vector(target.lanes(F32))
    lanes = vector.lanes

    def body(i, total):
        x = f.load(vector, f.at(f.params[0], F32, i))
        return [f.fma(x, 2.0, total)]

    (total,) = f.loop(0, 4 * lanes, lanes, body, [f.const(vector, 0.5)])
    f.store(f.fold(total, lambda a, b: a + b), f.params[1])
    f.ret()
    x, out = np.arange(4 * lanes, dtype=np.float32), np.zeros(1, np.float32)
    run(module, target, x, out)
    assert out[0] == 2 * x.sum() + 0.5 * lanes


@pytest.mark.parametrize("target", RUNNABLE, ids=["host", "avx2", "sse2"])
@pytest.mark.parametrize("active", [0, 1, 2, 3])
def test_masked_tails_touch_nothing_else(target, active):
    module = Module(target)
    f = module.function("go", VOID, [PTR, PTR, PTR])
    vector = F64.vector(4)
    for pointer, mask in (
        (f.params[1], f.tail_mask(4, active)),
        (f.params[2], f.tail_mask(4, f.load(I64, f.at(f.params[0], I64, 4)))),
    ):
        x = f.load(vector, f.params[0], mask=mask)
        f.store(x + 1.0, pointer, mask=mask)
    f.ret()
    x = np.arange(5, dtype=np.float64)
    x[4:].view(np.int64)[0] = active
    constant, runtime = np.full(4, 9.0), np.full(4, 9.0)
    run(module, target, x, constant, runtime)
    expected = np.where(np.arange(4) < active, np.arange(4) + 1.0, 9.0)
    assert (constant == expected).all()
    assert (runtime == expected).all()


def test_branches_join_values_and_guards_leave_early():
    module = Module(HOST)
    f = module.function("go", VOID, [PTR, PTR])
    x = f.load(I64, f.params[0])

    def leave():
        f.store(f.index(-1), f.params[1])
        f.ret()

    f.guard(f.compare("sge", x, 0), leave)
    (y,) = f.branch(f.compare("eq", x & 1, 0), lambda: [x * 10], lambda: [x + 100])
    f.store(y, f.params[1])
    f.ret()
    out = np.zeros(1, np.int64)
    for given, expected in ((4, 40), (5, 105), (-3, -1)):
        run(module, HOST, np.array([given]), out)
        assert out[0] == expected


@pytest.mark.parametrize("turns", [0, 1, 7])
def test_a_loop_whose_bound_is_known_at_run_time(turns):
    module = Module(HOST)
    f = module.function("go", VOID, [PTR, PTR])
    (total,) = f.loop(0, f.load(I64, f.params[0]), 1, lambda i, total: [total + i], [f.index(1000)])
    f.store(total, f.params[1])
    f.ret()
    out = np.zeros(1, np.int64)
    run(module, HOST, np.array([turns]), out)
    assert out[0] == 1000 + sum(range(turns))


def test_neon_is_cross_compiled():
    module = Module(Target.neon())
    f = module.function("go", VOID, [PTR])
    vector = F32.vector(4)
    x = f.load(vector, f.params[0])
    f.store(f.fma(x, x, f.splat(f.extract(x, 0), vector)), f.params[0])
    f.ret()
    assert assemble(module.text(), Target.neon(), verify=True)[:4] == b"\x7fELF"


def test_constants_are_written_as_the_number_they_round_to():
    assert scalar_text(F32, 0.1) == scalar_text(F64, float(np.float32(0.1)))
    assert scalar_text(F64, float("nan")).startswith("0x7FF8")
    assert scalar_text(I32, 2**32 - 1) == "-1"
    assert constant_text(I32.vector(2), [1, 2]) == "<i32 1, i32 2>"


def test_types_are_one_object_and_mismatches_are_named():
    assert of_dtype(np.float32) is F32
    assert F32.vector(0) is F32
    f = Module(HOST).function("f", VOID, [F32, F64])
    with pytest.raises(TypeError, match="double was given where a float is needed"):
        f.params[0] + f.params[1]
    with pytest.raises(TypeError, match="complex128"):
        of_dtype(np.complex128)


def test_wrong_code_is_a_value_error_with_the_complaint():
    with pytest.raises(ValueError, match="does not parse"):
        assemble("define void @f() { ret i32 }", HOST)
