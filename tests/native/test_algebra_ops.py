"""Every registered elementwise op, its value and its partial derivatives, as machine code."""

from fractions import Fraction

import numpy as np
import pytest

import glassgrad.ops  # noqa: F401 - fills the registry
from glassgrad.engines.native.flat_map import FlatMap
from glassgrad.engines.native.target import Target
from glassgrad.engines.native.ulp import ulp_error
from glassgrad.graph.dtype import SUPPORTED
from glassgrad.graph.errors import DTypeError
from glassgrad.graph.family import Elementwise
from glassgrad.graph.node import Trace, new_input
from glassgrad.graph.numpy_algebra import NUMPY
from glassgrad.graph.op import REGISTRY

DIVISIONS = ("floor_divide", "remainder", "fmod")  # NumPy's very steps, and so its bits
OPS = {name: op for name, op in REGISTRY.items() if isinstance(op, Elementwise)}
TARGETS = {"host": Target.host(), "sse2": Target.host().restricted("sse2")}
VALUE_BOUND = 4.0  # ulps, of a body of several functions
PARTIAL_BOUND = 8.0  # a product of such
SPECIAL = [0, -0.0, 1, -1, 2, 0.5, -2.5, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 30, -30, 100, -100]


def signature(op, dtype):
    """The dtypes that the op computes on when given this one, None where it refuses it."""
    trace = Trace()
    try:
        node = op.apply(*(new_input(trace, "x", (1,), dtype) for _ in range(op.arity)))
    except DTypeError:
        return None
    return tuple(x.dtype for x in node.inputs), node.dtype


def cases(kinds):
    found = []
    for name, op in OPS.items():
        for dtype in SUPPORTED:
            types = signature(op, dtype) if dtype.kind in kinds else None
            if types is not None and types[0][-1] == dtype:
                found.append(pytest.param(op, *types, id=f"{name}-{dtype}"))
    return found


def random_operands(op, dtypes, n=400):
    rng = np.random.default_rng(8)
    for (low, high), dtype in zip(op.samples, dtypes):
        if dtype == np.bool_:
            yield rng.integers(0, 2, n).astype(bool)
        elif dtype.kind in "iu":
            info = np.iinfo(dtype)
            yield rng.integers(info.min, info.max, n, dtype=dtype, endpoint=True)
        else:
            yield rng.uniform(low, high, n).astype(dtype)


def edge_operands(dtypes):
    """All combinations of special values."""
    grids = np.meshgrid(*[np.array(SPECIAL)] * len(dtypes))
    with np.errstate(all="ignore"):
        return [np.ascontiguousarray(g.ravel()).astype(d) for g, d in zip(grids, dtypes)]


def judged(rule, operands):
    """The rule by NumPy in a wider dtype: as a float64 and what that leaves out."""
    wide = {np.dtype(np.float32): np.float64, np.dtype(np.float64): np.longdouble}
    with np.errstate(all="ignore"):
        exact = rule(NUMPY, *(x.astype(wide.get(x.dtype, x.dtype)) for x in operands))
        values = exact.astype(np.float64)
        rest = (exact - values) / np.abs(np.spacing(values))
        return values, np.where(np.isfinite(values), rest, 0).astype(np.float64)


def check(rule, operands, bound):
    for level, target in TARGETS.items():
        got = FlatMap(rule, [x.dtype for x in operands], target)(*operands)
        error = ulp_error(got, *judged(rule, operands))
        worst = int(error.argmax())
        assert error[worst] <= bound, (level, [x[worst] for x in operands], got[worst])


def check_bits(rule, operands):
    """NumPy's numbers, with the signs of its zeros."""
    with np.errstate(all="ignore"):
        want = rule(NUMPY, *operands)
    for level, target in TARGETS.items():
        got = FlatMap(rule, [x.dtype for x in operands], target)(*operands)
        np.testing.assert_array_equal(got, want, level)
        real = ~np.isnan(want)
        np.testing.assert_array_equal(np.signbit(got)[real], np.signbit(want)[real], level)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", DIVISIONS)
def test_division_by_all_sizes_of_numbers(name, dtype):
    """Quotients up to 2**2097, subnormal numbers, remainders by exact fractions."""
    info, rng = np.finfo(dtype), np.random.default_rng(2)
    least, span = info.smallest_subnormal, np.log(float(info.max))
    sizes = np.exp(rng.uniform(-span, span, 3000))
    edges = [least, 3 * least, 7 * least, info.tiny, info.max, info.max / 3, 1.0, 0.1, 0.3, 2**60]
    x, y = (np.concatenate([g.ravel(), rng.permutation(sizes)]) for g in np.meshgrid(edges, edges))
    signs = rng.choice([-1, 1], (2, x.size))
    operands = [np.asarray(v * s, dtype) for v, s in zip((x, y), signs)]
    rule = lambda k, *x: getattr(k, name)(*x)  # noqa: E731
    check_bits(rule, operands)
    if name == "fmod":
        got = FlatMap(rule, [dtype] * 2)(*operands)
        for a, b, r in zip(*(v.tolist() for v in (*operands, got))):
            exact = Fraction(abs(a)) % Fraction(abs(b))
            assert Fraction(abs(r)) == exact, (a, b)


@pytest.mark.parametrize("op, dtypes, result", cases("f"))
def test_value_of_floats(op, dtypes, result):
    def rule(k, *x):
        return getattr(k, op.name)(*x)

    for operands in (list(random_operands(op, dtypes)), edge_operands(dtypes)):
        if op.name in DIVISIONS:
            check_bits(rule, operands)
        elif result == np.bool_:
            assert np.array_equal(FlatMap(rule, dtypes)(*operands), rule(NUMPY, *operands))
        else:
            check(rule, operands, VALUE_BOUND)


@pytest.mark.parametrize("op, dtypes, result", cases("biu"))
def test_value_of_integers_and_booleans(op, dtypes, result):
    def rule(k, *x):
        with np.errstate(all="ignore"):
            return getattr(k, op.name)(*x)

    operands = list(random_operands(op, dtypes))
    try:
        expected = rule(NUMPY, *operands)
    except ValueError:  # NumPy refuses negative numbers here
        operands = [x & np.iinfo(x.dtype).max for x in operands]
        expected = rule(NUMPY, *operands)
    for target in TARGETS.values():
        got = FlatMap(rule, dtypes, target)(*operands)
        assert got.dtype == result
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("op, dtypes, result", cases("f"))
def test_partial_derivatives(op, dtypes, result):
    operands = list(random_operands(op, dtypes))
    for i in range(op.arity if op.partials else 0):

        def rule(k, *x, i=i):
            return op.partials(k, getattr(k, op.name)(*x), *x)[i]

        probe = rule(NUMPY, *operands)
        if isinstance(probe, np.ndarray):
            check(rule, operands, PARTIAL_BOUND)
