"""Vector functions: errors in ulps, special values, every width and instruction set."""

import ctypes
import math
import struct
from dataclasses import replace

import mpmath
import numpy as np
import pytest

from glassgrad.engines.native.algebra import LLVMAlgebra
from glassgrad.engines.native.emit import F32, F64, PTR, VOID, Module
from glassgrad.engines.native.flat_map import FlatMap
from glassgrad.engines.native.target import Target, assemble
from glassgrad.engines.native.ulp import ulp_error

HOST = Target.host()
LEVELS = {"host": HOST, "avx2": HOST.restricted("avx2"), "sse2": HOST.restricted("sse2")}
BOUND = {
    "exp": 1.0, "log": 1.0, "sin": 1.0, "cos": 1.0,
    "expm1": 1.5, "log1p": 1.5, "tanh": 1.5, "sigmoid": 1.5, "erf": 1.5, "sqrt": 0.5,
}  # fmt: skip
EXACT = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    **{n: getattr(mpmath, n) for n in BOUND if n != "sigmoid"},
}
DTYPES = [np.float32, np.float64]


def in_domain(name, x):
    low = {"log": 0.0, "sqrt": 0.0, "log1p": -1.0}.get(name, -np.inf)
    return x[np.isfinite(x) & (x > low)]


def edges(dtype):
    """Numbers where something ends: powers of two, thresholds, multiples of pi/2, neighbours."""
    info = np.finfo(dtype)
    whole = [2.0**e for e in range(info.minexp - info.nmant, info.maxexp, 7)]
    named = [0.55, 0.625, 0.85, math.log(2), math.sqrt(0.5), math.sqrt(2), 4.0, 6.0, 2.0**15,
             2.0**30, 87.3, 88.72, 88.73, 103.9, 104.0, 708.4, 709.78, 745.1, 746.0]  # fmt: skip
    turns = [math.pi / 2 * q for q in [*range(1, 40), 11182, 2**20 + 1, 2**41 + 1, 3**60]]
    x = np.array([*whole, *named, *turns, 16367173 * 2.0**72], dtype)
    x = np.concatenate([x, np.nextafter(x, dtype(0)), np.nextafter(x, dtype(np.inf))])
    return np.concatenate([x, -x])


def dense(dtype, n):
    """Random numbers over all exponents, near 0, near 1, and over the ordinary range."""
    rng = np.random.default_rng(20)
    bits = rng.integers(0, 2**64, n, dtype=np.uint64)
    anything = bits.astype(np.uint32).view(np.float32) if dtype == np.float32 else bits.view("f8")
    sign = rng.choice([-1.0, 1.0], n)
    parts = [rng.uniform(-1, 1, n), rng.uniform(-10, 10, n), rng.uniform(-110, 90, n),
             sign * np.exp2(rng.uniform(-40, 12, n)), 1 + sign * np.exp2(rng.uniform(-30, -1, n)),
             rng.uniform(-750, 710, n), rng.uniform(0.5, 2, n)]  # fmt: skip
    return np.concatenate([anything, *(p.astype(dtype) for p in parts)])


def left_out(exact, value):
    """What a float leaves out of an exact result, in ulps of the float."""
    return float((exact - value) / math.ulp(value)) if math.isfinite(value) else 0.0


def exactly(name, x):
    """The function at `x` by 50 digits, as a float64 and the ulps that leaves out."""
    values = np.empty(x.size)
    rest = np.empty(x.size)
    for i, v in enumerate(x.tolist()):
        if name in ("exp", "expm1", "sigmoid"):
            v = min(max(v, -2000.0), 2000.0)  # all is over there; 50 digits of exp(1e300) take long
        with mpmath.workdps(50 if abs(v) < 1e6 else 380):
            y = EXACT[name](mpmath.mpf(v))
            values[i] = float(y)
            rest[i] = left_out(y, values[i])
    return values, rest


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUND)
def test_error_bound_against_50_digits(name, dtype):
    x = in_domain(name, np.concatenate([edges(dtype), dense(dtype, 60)]))
    values, rest = exactly(name, x)
    for level, target in LEVELS.items():
        run = FlatMap(lambda k, v: getattr(k, name)(v), [dtype], target)
        error = ulp_error(run(x), values, rest)
        worst = int(error.argmax())
        assert error[worst] <= BOUND[name], (level, x[worst], error[worst])


FLOAT64 = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "erf": np.vectorize(math.erf, otypes=["d"]),
    **{n: getattr(np, n) for n in BOUND if n not in ("sigmoid", "erf")},
}  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", BOUND)
def test_float32_densely_against_float64(name, level):
    x = in_domain(name, dense(np.float32, 12_500))
    with np.errstate(all="ignore"):
        exact = FLOAT64[name](x.astype(np.float64))
    run = FlatMap(lambda k, v: getattr(k, name)(v), [np.float32], LEVELS[level])
    error = ulp_error(run(x), exact)
    worst = int(error.argmax())
    assert error[worst] <= BOUND[name], (x[worst], error[worst])


NAN, INF = math.nan, math.inf
SPECIAL = {  # of 0, -0, inf, -inf, nan
    "exp": (1, 1, INF, 0, NAN), "expm1": (0, -0.0, INF, -1, NAN),
    "log": (-INF, -INF, INF, NAN, NAN), "log1p": (0, -0.0, INF, NAN, NAN),
    "sin": (0, -0.0, NAN, NAN, NAN), "cos": (1, 1, NAN, NAN, NAN),
    "tanh": (0, -0.0, 1, -1, NAN), "sigmoid": (0.5, 0.5, 1, 0, NAN),
    "erf": (0, -0.0, 1, -1, NAN), "sqrt": (0, -0.0, INF, NAN, NAN),
    "abs": (0, 0, INF, INF, NAN), "floor": (0, -0.0, INF, -INF, NAN),
    "sign": (0, 0, 1, -1, NAN),
}  # fmt: skip


def same(a, b):
    """Equal numbers with equal signs, or both NaN."""
    a, b = np.asarray(a), np.asarray(b)
    return np.all((np.isnan(a) & np.isnan(b)) | ((a == b) & (np.signbit(a) == np.signbit(b))))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name, dtype, level):
    run = FlatMap(lambda k, v: getattr(k, name)(v), [dtype], LEVELS[level])
    x = np.array([0, -0.0, INF, -INF, NAN], dtype)
    assert same(run(x), np.array(SPECIAL[name], dtype)), run(x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh", "sin"])
def test_subnormals_pass_unchanged(name, dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([tiny, -tiny, 3 * tiny, 1000 * tiny, -1001 * tiny], dtype)
    run = FlatMap(lambda k, v: getattr(k, name)(v), [dtype])
    assert same(run(x), x)


@pytest.mark.parametrize("level", LEVELS)
def test_floor_is_exact(level):
    for dtype in DTYPES:
        x = np.concatenate([edges(dtype), dense(dtype, 2000), np.arange(-9, 9, 0.25, dtype)])
        run = FlatMap(lambda k, v: k.floor(v), [dtype], LEVELS[level])
        with np.errstate(invalid="ignore"):  # signalling NaNs
            assert same(run(x), np.floor(x))


def c_pow(x, y):
    """C's pow, without Python's exceptions."""
    odd = math.isfinite(y) and y % 2 == 1
    try:
        return math.pow(x, y)
    except OverflowError:
        return -INF if x < 0 and odd else INF
    except ValueError:
        return (math.copysign(INF, x) if odd else INF) if x == 0 else NAN


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_power_has_the_special_cases_of_c(dtype, level):
    numbers = [0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, 2.5, -2.5, INF, -INF, NAN, 2.0**53,
               2.0**53 - 1, -(2.0**53) + 1, 1e19, -1e19]  # fmt: skip
    x, y = (a.ravel() for a in np.meshgrid(*[np.array(numbers, dtype)] * 2))
    run = FlatMap(lambda k, a, b: k.power(a, b), [dtype, dtype], LEVELS[level])
    with np.errstate(over="ignore"):
        expected = np.array([c_pow(a, b) for a, b in zip(x.tolist(), y.tolist())]).astype(dtype)
    got = run(x, y)
    error = ulp_error(got, expected.astype(np.float64))
    zero = (expected == 0) | np.isinf(expected)
    assert error.max() <= 1.0
    assert same(got[zero], expected[zero])


@pytest.mark.parametrize("level", LEVELS)
def test_power_error_bound(level):
    rng = np.random.default_rng(4)
    x = np.concatenate([np.exp(rng.uniform(-300, 300, 200)), rng.uniform(0.5, 2, 200),
                        1 + rng.uniform(-1, 1, 200) * 1e-6])  # fmt: skip
    y = np.clip(rng.uniform(-1, 1, 600) * 740 / np.abs(np.log(x)), -1e300, 1e300)
    values, rest = np.empty(600), np.empty(600)
    for i in range(600):
        with mpmath.workdps(50):
            z = mpmath.power(mpmath.mpf(float(x[i])), mpmath.mpf(float(y[i])))
            values[i] = float(z)
            rest[i] = left_out(z, values[i])
    run = FlatMap(lambda k, a, b: k.power(a, b), [np.float64] * 2, LEVELS[level])
    assert ulp_error(run(x, y), values, rest).max() <= 1.0
    x4 = np.exp(rng.uniform(-60, 60, 50_000)).astype(np.float32)
    y4 = (rng.uniform(-1, 1, 50_000) * 100 / np.abs(np.log(x4))).astype(np.float32)
    run4 = FlatMap(lambda k, a, b: k.power(a, b), [np.float32] * 2, LEVELS[level])
    exact = np.power(x4.astype(np.float64), y4.astype(np.float64))
    assert ulp_error(run4(x4, y4), exact).max() <= 0.51


def test_integer_powers_wrap_and_round_to_zero():
    x = np.array([2, -2, 3, 0, 1, -1, 2, 0, -1, -1, 7, 2], np.int32)
    y = np.array([10, 31, 40, 0, -5, -5, -1, -1, 4, -4, 1, 32], np.int32)
    got = FlatMap(lambda k, a, b: k.power(a, b), [np.int32] * 2)(x, y)
    wrapped = (3**40 + 2**31) % 2**32 - 2**31
    assert got.tolist() == [1024, -(2**31), wrapped, 1, 1, -1, 0, 0, 1, 1, 7, 0]


def test_maximum_and_minimum_pass_nan_on():
    x = np.array([1, NAN, 2, NAN, -INF, 3], np.float32)
    y = np.array([2, 1, NAN, NAN, INF, 3], np.float32)
    pair = [np.float32, np.float32]
    assert same(FlatMap(lambda k, a, b: k.maximum(a, b), pair)(x, y), np.maximum(x, y))
    assert same(FlatMap(lambda k, a, b: k.minimum(a, b), pair)(x, y), np.minimum(x, y))
    for rule in (lambda k, a: k.maximum(a, 1.5), lambda k, a: k.maximum(1.5, a)):
        assert same(FlatMap(rule, [np.float32])(x), np.maximum(x, np.float32(1.5)))
    assert same(FlatMap(lambda k, a: k.maximum(a, NAN), [np.float32])(x), x + np.float32(NAN))


@pytest.mark.parametrize("name", [*BOUND, "floor"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_width_gives_the_same_bits(name, dtype):
    x = np.concatenate([edges(dtype), dense(dtype, 40)])
    results = [
        FlatMap(lambda k, v: getattr(k, name)(v), [dtype], lanes=n)(x) for n in (0, 1, 3, 4, 16, 32)
    ]
    if HOST.fma:
        run = FlatMap(lambda k, v: getattr(k, name)(v), [dtype], LEVELS["avx2"])
        results.append(run(x))
    assert all(same(r, results[0]) for r in results)


def test_a_value_that_is_asked_for_twice_is_computed_once():
    f = Module(HOST).function("f", VOID, [F32.vector(16)])
    k = LLVMAlgebra(f)
    x = k.wrap(f.params[0], np.float32)
    k.tanh(x)
    before = len(f.text().splitlines())
    e = k.exp(-2 * k.abs(x))
    slope = 4 * e / ((1 + e) * (1 + e))
    assert len(f.text().splitlines()) == before + 3  # 4*e, the product, the quotient
    assert k.tanh(x) is k.tanh(x)
    assert slope.dtype == np.float32


def test_nothing_is_shared_across_blocks():
    f = Module(HOST).function("f", VOID, [F64.vector(8), PTR])
    k = LLVMAlgebra(f)
    x = k.wrap(f.params[0], np.float64)

    def body(i):
        f.store(k.exp(x).value, f.at(f.params[1], F64, i))

    f.loop(0, 64, 8, body)
    f.loop(0, 64, 8, body)
    f.ret()
    assert len(assemble(f.module.text(), HOST, verify=True)) > 0


def undefined_symbols(elf):
    """The names that an ELF object leaves to others to define."""
    (sections,) = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    heads = [struct.unpack_from("<IIQQQQIIQQ", elf, sections + i * size) for i in range(count)]
    table = next(h for h in heads if h[1] == 2)
    strings = heads[table[6]][4]
    names = []
    for at in range(table[4], table[4] + table[5], 24):
        name, _, _, section = struct.unpack_from("<IBBH", elf, at)
        if section == 0 and name:
            names.append(elf[strings + name : elf.index(b"\0", strings + name)].decode())
    return [n for n in names if n != "_GLOBAL_OFFSET_TABLE_"]  # the linker's own


BASE = Target.baseline()
LINUX = [
    BASE,
    replace(BASE, cpu="haswell", vector_bytes=32, fma=True),
    replace(BASE, cpu="skylake-avx512", vector_bytes=64, registers=32, fma=True),
    Target.neon(),
]


@pytest.mark.parametrize("target", LINUX, ids=lambda t: t.cpu)
@pytest.mark.parametrize("element", [F32, F64], ids=str)
def test_no_outside_functions_are_called(target, element):
    module = Module(target)
    f = module.function("run", VOID, [PTR])
    k = LLVMAlgebra(f)
    x = k.wrap(f.load(element.vector(target.lanes(element)), f.params[0]), f"f{element.itemsize}")
    for name in [*BOUND, "floor"]:
        x = x + getattr(k, name)(x)
    f.store(k.power(x, x).value, f.params[0])
    f.ret()
    assert undefined_symbols(assemble(module.text(), target, verify=True)) == []


def test_control_registers_are_left_alone():
    """Subnormals survive a call: nothing switched flushing to zero on."""
    run = FlatMap(lambda k, v: k.exp(v) * 1.0, [np.float32])
    run(np.linspace(-100, -80, 64, dtype=np.float32))
    tiny = ctypes.c_float(1e-40)
    assert tiny.value * 0.5 > 0
    assert run(np.full(16, -100, np.float32)).max() > 0
