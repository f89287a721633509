"""Generated matrix products against NumPy, over shapes, layouts, dtypes and targets."""

import ctypes
import itertools
import random

import numpy as np
import pytest

from glassgrad.engines.native.emit import PTR, VOID, Module, of_dtype
from glassgrad.engines.native.gemm import emit_product
from glassgrad.engines.native.link import Linked
from glassgrad.engines.native.target import Target, assemble
from glassgrad.engines.native.tiling import Product, tiling

HOST = Target.host()
TARGETS = {"host": HOST, "avx2": HOST.restricted("avx2"), "sse2": HOST.restricted("sse2")}
SIZES = [0, 1, 2, 3, 5, 16, 17, 31, 33, 64, 100]


def aligned(count, dtype):
    raw = np.zeros((count + 32) * np.dtype(dtype).itemsize, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + count * np.dtype(dtype).itemsize].view(dtype)


def compiled(products, target, **options):
    """One function for a list of products: (a, b, c, scratch) x len(products)."""
    module = Module(target)
    f = module.function("go", VOID, [PTR] * (5 * len(products)))
    for i, p in enumerate(products):
        product = emit_product(module, p, name=f"g{i}", extras=1, **options)
        f.call(product, VOID, *f.params[5 * i : 5 * i + 5])
    f.ret()
    linked = Linked(assemble(module.text(), target), target, ["go"], {})
    code = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (5 * len(products)))(linked.address["go"])
    return code, linked


class Case:
    def __init__(self, m, n, k, transposed, dtype, target, seed=0):
        rng = np.random.default_rng(seed)
        ta, tb = transposed
        self.m, self.n, self.k = m, n, k
        self.a = aligned(max(1, m * k), dtype)[: m * k]
        self.b = aligned(max(1, n * k), dtype)[: n * k]
        self.a[:], self.b[:] = rng.standard_normal(m * k), rng.standard_normal(n * k)
        self.c = aligned(m * n + 16, dtype)
        self.c[:] = 7
        self.extra = np.arange(max(1, n), dtype=dtype)
        self.p = Product(
            of_dtype(dtype), m, n, k, (1, m) if ta else (k, 1), (1, k) if tb else (n, 1), n
        )
        cut = tiling(self.p, target.vector_bytes, target.registers)
        self.scratch = aligned(cut.scratch // 4 + 64, np.float32)
        self.left = self.a.reshape(k, m).T if ta else self.a.reshape(m, k)
        self.right = self.b.reshape(n, k).T if tb else self.b.reshape(k, n)

    def pointers(self):
        arrays = (self.a, self.b, self.c, self.scratch, self.extra)
        return [x.ctypes.data for x in arrays]

    def check(self, expected=None):
        exact = self.left.astype(np.longdouble) @ self.right.astype(np.longdouble)
        eps = np.finfo(self.c.dtype).eps
        bound = (self.k + 2) * eps * (abs(self.left).astype(float) @ abs(self.right) + 20)
        got = self.c[: self.m * self.n].reshape(self.m, self.n)
        assert (abs(got - (exact if expected is None else expected(exact))) <= bound).all(), self.p
        assert (self.c[self.m * self.n :] == 7).all(), f"wrote past the end: {self.p}"


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("target", TARGETS, ids=TARGETS)
def test_every_size_and_layout(target, dtype):
    """Every pair of sizes in two of m, n, k, with the third and the layouts drawn."""
    draw = random.Random(5)
    cases = []
    for x, y in itertools.product(SIZES, SIZES):
        shape = [x, y, draw.choice(SIZES)]
        draw.shuffle(shape)
        layout = (draw.random() < 0.5, draw.random() < 0.5)
        cases.append(Case(*shape, layout, dtype, TARGETS[target]))
    code, _keep = compiled([case.p for case in cases], TARGETS[target])
    code(*(pointer for case in cases for pointer in case.pointers()))
    for case in cases:
        case.check()


@pytest.mark.parametrize("shape", [(70, 300, 700), (600, 130, 301), (9, 1000, 1030)])
@pytest.mark.parametrize("layout", list(itertools.product([False, True], repeat=2)))
def test_blocked_and_packed_products(shape, layout):
    case = Case(*shape, layout, "f4", HOST)
    code, _keep = compiled([case.p], HOST)
    code(*case.pointers())
    case.check()


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("shape", [(33, 37, 5), (40, 40, 1000)])
def test_an_epilogue_sees_every_element_once(shape, size):
    """Written out for each vector of a tile, or in a loop over its rows."""

    def double_and_add(f, x, row, column, mask, extras):
        bias = f.load(x.type, f.at(extras[0], x.type, column), mask=mask)
        factor = f.cast("sitofp", row, x.type.element)
        return x * 2.0 + bias + f.splat(factor, x.type)

    double_and_add.size = size
    case = Case(*shape, (False, False), "f4", HOST)
    code, _keep = compiled([case.p], HOST, epilogue=double_and_add)
    code(*case.pointers())
    rows = np.arange(shape[0])[:, None]
    case.check(lambda exact: 2 * exact + case.extra + rows)


def test_results_do_not_depend_on_the_cut():
    """The same rows alone and within a larger product have the same bits."""
    large, small = (Case(m, 48, 333, (False, False), "f4", HOST) for m in (64, 5))
    small.a[:], small.b[:] = large.a[: 5 * 333], large.b
    code, _keep = compiled([large.p, small.p], HOST)
    code(*large.pointers(), *small.pointers())
    assert (large.c[: 5 * 48] == small.c[: 5 * 48]).all()


@pytest.mark.parametrize("target", TARGETS, ids=TARGETS)
def test_a_long_sum_over_k_is_summed_in_blocks(target):
    case = Case(3, 5, 50_001, (True, False), "f4", TARGETS[target])
    code, _keep = compiled([case.p], TARGETS[target])
    code(*case.pointers())
    exact = case.left.astype(np.longdouble) @ case.right.astype(np.longdouble)
    size = abs(case.left).astype(float) @ abs(case.right)
    steps = 256 + 50_001 // 128
    error = abs(case.c[:15].reshape(3, 5) - exact)
    assert (error <= steps * np.finfo("f4").eps / 2 * size).all()


@pytest.mark.parametrize("layout", list(itertools.product([False, True], repeat=2)))
def test_targets_with_fused_arithmetic_agree_to_the_bit(layout):
    """Tiles, panels and areas differ; blocks of k do not."""
    found = []
    for target in (HOST, HOST.restricted("avx2")):
        case = Case(300, 520, 600, layout, "f4", target)
        code, _keep = compiled([case.p], target)
        code(*case.pointers())
        case.check()
        found.append(case.c[: 300 * 520].tobytes())
    assert len(set(found)) == 1 or not HOST.fma


def test_accumulation():
    case = Case(20, 20, 20, (False, True), "f8", HOST)
    case.c[: 20 * 20] = 3
    p = Product(case.p.element, 20, 20, 20, case.p.a, case.p.b, 20, accumulate=True)
    code, _keep = compiled([p], HOST)
    code(*case.pointers())
    case.check(lambda exact: exact + 3)


@pytest.mark.parametrize("dtype", ["i4", "i8", "i2"])
def test_integers_wrap_as_in_numpy(dtype):
    rng = np.random.default_rng(1)
    low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max)
    a, b = rng.integers(low, high, (9, 20), dtype), rng.integers(low, high, (20, 7), dtype)
    c, scratch = np.zeros((9, 7), dtype), aligned(4096, np.float32)
    code, _keep = compiled([Product.row_major(of_dtype(dtype), 9, 7, 20)], HOST)
    code(a.ctypes.data, b.ctypes.data, c.ctypes.data, scratch.ctypes.data, 0)
    assert (c == a @ b).all()
