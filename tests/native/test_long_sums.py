"""Long reductions are cut into parts: their error stays small, and their parts are their own."""

import math

import numpy as np
import pytest

import glassgrad.ops  # noqa: F401  (fills the registry)
from glassgrad.engines import reference
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.expand import expanded
from glassgrad.engines.native.long_sums import ACROSS, DOWN, part_length
from glassgrad.engines.native.program import compile as compile_native
from glassgrad.engines.native.row_step import Rows
from glassgrad.engines.native.step import Reduction
from glassgrad.engines.native.target import Target
from glassgrad.graph.node import Trace, new_input
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.contract import einsum
from glassgrad.ops.reduce import Reduce, reduce

HOST = Target.host()
TARGETS = {"host": HOST, "avx2": HOST.restricted("avx2"), "sse2": HOST.restricted("sse2")}
SUMS = [
    ((4097,), (0,)), ((100_003,), (0,)), ((1 << 21,), (0,)), ((1 << 13, 300), (0, 1)),
    ((40_000, 3), (0, 1)), ((5000, 7), (0,)), ((1031, 40), (0,)), ((3, 9001), (1,)),
    ((70, 2, 90), (0, 2)), ((30, 50, 40), (0, 1, 2)), ((30, 50, 40, 2), (0, 1, 2)),
    ((20_000, 1), (0,)), ((1200, 1, 5), (0, 1)), ((2, 9000, 3, 1), (1, 2)),
]  # fmt: skip


def run(y, values, **options):
    program = compile_native([y], list(values), cache=ObjectCache(None), **options)
    (found,) = program(list(values.values()))
    return found, program


def variables(*arrays):
    trace = Trace()
    return {new_input(trace, f"x{i}", a.shape, a.dtype): a for i, a in enumerate(arrays)}


def draw(shape, dtype="f4", seed=0):
    rng = np.random.default_rng([seed, *shape])
    return (rng.random(shape) + 0.5 * rng.standard_normal(shape)).astype(dtype)


def reductions(steps):
    inner = [t.steps for s in steps if isinstance(s, Rows) for t in s.turns[:1]]
    return sum(isinstance(s, Reduction) for s in steps) + sum(map(reductions, inner))


def roundings(target, itemsize, levels):
    """The most roundings between an element and a sum: chains of a part, their tree, the lanes."""
    lanes = max(1, target.vector_bytes // itemsize)
    longest = max(ACROSS // (4 * lanes), DOWN // 4)
    return levels * (longest + 3 + 2 + math.ceil(math.log2(lanes)))


@pytest.mark.parametrize(("shape", "axes"), SUMS, ids=str)
@pytest.mark.parametrize("level", TARGETS)
def test_the_error_of_a_long_sum_is_that_of_a_few_short_ones(level, shape, axes):
    x = draw(shape)
    values = variables(x)
    found, _ = run(reduce(next(iter(values)), "sum", axes), values, target=TARGETS[level])
    exact = x.sum(axis=axes, dtype=np.longdouble)
    size = np.abs(x).sum(axis=axes, dtype=np.longdouble)
    steps = roundings(TARGETS[level], 4, levels=4)
    assert (np.abs(found - exact) <= steps * np.finfo("f4").eps / 2 * size).all()


def test_a_float32_sum_of_sixteen_million_tenths_is_good_to_a_millionth():
    x = np.full(1 << 24, 0.1, np.float32)
    values = variables(x)
    found, _ = run(reduce(next(iter(values)), "sum", (0,)), values)
    assert abs(float(found) / (float(x[0]) * x.size) - 1) < 1e-6


@pytest.mark.parametrize("kind", ["max", "min", "any", "all"])
@pytest.mark.parametrize(("shape", "axes"), [((100_003,), (0,)), ((1031, 40), (0,))], ids=str)
def test_other_reductions_are_cut_in_the_same_way(kind, shape, axes):
    x = draw(shape) if kind in ("max", "min") else np.zeros(shape, bool)
    x[-1] = 10.0
    values = variables(x)
    y = reduce(next(iter(values)), kind, axes)
    found, program = run(y, values)
    assert (found == np.asarray(reference.evaluate([y], values)[0])).all()
    assert reductions(program.steps) > 1


@pytest.mark.parametrize("dtype", ["i8", "i4", "u1"])
def test_sums_of_integers_wrap_as_before(dtype):
    x = np.random.default_rng(0).integers(0, 100, 100_003).astype(dtype)
    values = variables(x)
    found, _ = run(reduce(next(iter(values)), "sum", (0,)), values)
    assert found == x.sum(dtype=dtype)


CONTRACTIONS = [
    ("i,i->", (100_003,), (100_003,)), ("ij,ij->", (300, 500), (300, 500)),
    ("ij,j->i", (6, 9000), (9000,)), ("i,ij->j", (9001,), (9001, 5)),
    ("bi,bi->b", (3, 10_000), (3, 10_000)), ("ij,ij->j", (5003, 6), (5003, 6)),
    ("ijk,ik->j", (90, 4, 80), (90, 80)), ("ij,ji->", (130, 170), (170, 130)),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "left", "right"), CONTRACTIONS, ids=[c[0] for c in CONTRACTIONS])
@pytest.mark.parametrize("level", TARGETS)
def test_long_sums_of_products(level, spec, left, right):
    x, y = draw(left), draw(right, seed=1)
    values = variables(x, y)
    found, program = run(einsum(spec, *values), values, target=TARGETS[level])
    wide = [z.astype(np.float64) for z in (x, y)]
    exact, size = np.einsum(spec, *wide), np.einsum(spec, *map(np.abs, wide))
    steps = roundings(TARGETS[level], 4, levels=4)
    assert (np.abs(found - exact) <= steps * np.finfo("f4").eps / 2 * size).all()
    assert reductions(program.steps) > 1


@pytest.mark.parametrize("count", [ACROSS + 1, 10_000, 1_000_003, 3 << 20])
def test_no_part_is_longer_than_it_may_be(count):
    values = variables(np.zeros(count, "f4"))
    for node in topological_order(expanded([reduce(next(iter(values)), "sum", (0,))])):
        if isinstance(node.op, Reduce):
            assert node.inputs[0].shape[-1] <= ACROSS
    length = part_length(count, ACROSS)
    assert ACROSS // 2 < length <= ACROSS


def test_the_same_sum_has_the_same_bits_beside_others_and_behind_functions():
    x = draw((3000, 70))
    values = variables(x)
    (node,) = values
    alone, _ = run(reduce(node, "sum", (0, 1)), values)
    doubled = node + node
    program = compile_native(
        [reduce(node, "sum", (0, 1)), reduce(doubled, "sum", (0, 1)), doubled], [node],
        cache=ObjectCache(None),
    )  # fmt: skip
    first, second, _ = program([x])
    assert first.tobytes() == alone.tobytes()
    assert second.tobytes() == (2 * alone).tobytes()
