"""The native engine against the reference engine, family by family and from the op registry."""

import itertools

import numpy as np
import pytest

import glassgrad.ops  # noqa: F401  (fills the registry)
from glassgrad.diff.reverse import gradients
from glassgrad.engines import reference
from glassgrad.engines.native.cache import ObjectCache
from glassgrad.engines.native.program import compile as compile_native
from glassgrad.engines.native.target import Target
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import Cast, Elementwise, broadcast_to, cast, reshape
from glassgrad.graph.node import Trace, constant, make, new_input
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.contract import contract, einsum, matmul
from glassgrad.ops.gather import scatter_add, take
from glassgrad.ops.reduce import reduce, sum_
from glassgrad.ops.view import Place, Update, concatenate, slice_, transpose

TOLERANCE = {"f4": 2e-6, "f8": 1e-12}
CACHE = ObjectCache(None)
ELEMENTWISE = [op for op in REGISTRY.values() if isinstance(op, Elementwise)]
SHAPES = [(), (1,), (5,), (16,), (33,), (2, 3), (4, 33), (3, 1, 17), (2, 3, 4, 5), (0,), (3, 0)]


def agree(outputs, values, scale=1.0, **options):
    """Both engines on the same graph, by the call and by the builtin; `scale` widens the bound."""
    inputs, arrays = list(values), list(values.values())
    program = compile_native(outputs, inputs, cache=CACHE, **options)
    expected = reference.evaluate(outputs, values)
    for found in (program(arrays), program.fast(*arrays)):
        for got, want in zip(found, map(np.asarray, expected)):
            assert (got.dtype, got.shape) == (want.dtype, want.shape)
            if want.dtype.kind != "f":
                assert (got == want).all()
                continue
            tolerance = scale * TOLERANCE[want.dtype.str[1:]]
            size = np.abs(want[np.isfinite(want)]).max(initial=0)
            np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * size)
    return program


def variables(**arrays):
    trace = Trace()
    return {new_input(trace, name, a.shape, a.dtype): a for name, a in arrays.items()}


def draw(shape, dtype="f8", low=-2.0, high=2.0, seed=0):
    rng = np.random.default_rng([seed, *shape])
    return np.asarray(rng.uniform(low, high, shape)).astype(dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_every_elementwise_op_and_its_gradient(op, dtype):
    arrays = {
        f"x{i}": draw((3, 21), dtype, low, high, i) for i, (low, high) in enumerate(op.samples)
    }
    if op.name == "where":
        arrays["x0"] = arrays["x0"] > 0.5
    if op.name.startswith("logical_"):
        arrays = {name: a > 0 for name, a in arrays.items()}
    values = variables(**arrays)
    xs = list(values)
    y = op.apply(*xs)
    real = [x for x in xs if x.dtype.kind == "f"]
    outputs = [y]
    if y.dtype.kind == "f" and real:
        weighted = sum_(y * y, (0, 1))
        outputs += [g for g in gradients(weighted, real) if g is not None]
    agree(outputs, values, scale=8)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
def test_integer_and_boolean_elementwise(dtype):
    rng = np.random.default_rng(3)
    a, b = (rng.integers(0, 2 if dtype == "?" else 100, (7, 9)).astype(dtype) for _ in "ab")
    values = variables(a=a, b=b)
    x, y = values
    outputs = [k.equal(x, y), k.less(x, y), k.less_equal(x, y), k.not_equal(x, y), x + y, x * y]
    outputs += [k.maximum(x, y), k.minimum(x, y), k.where(k.less(x, y), x, y)]
    if dtype != "?":
        outputs += [x - y, -x, k.square(x), k.abs(x)]
    agree(outputs, values)


ALL_DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"]


@pytest.mark.parametrize("old", ALL_DTYPES)
def test_casts(old):
    values = variables(x=np.arange(40).reshape(5, 8).astype(old))
    (x,) = values
    agree([cast(x, np.dtype(new)) for new in ALL_DTYPES if np.dtype(new) != x.dtype], values)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_ragged_and_empty(shape):
    values = variables(x=draw(shape, "f4"), s=draw((), "f4"), y=draw(shape[-1:], "f4", seed=2))
    x, s, y = values
    agree([k.exp(x * s + y), sum_(x, tuple(range(len(shape)))), x + 1.0, x, s], values, scale=4)


@pytest.mark.parametrize("kind", ["sum", "max", "min", "logsumexp", "any", "all"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_reductions_over_every_set_of_axes(kind, dtype):
    shapes = [(7,), (4, 33), (33, 4), (3, 5, 17), (17, 3, 2, 5), (1, 6, 1), (70, 70)]
    for shape in shapes:
        values = variables(x=draw(shape, dtype, 0.5, 1.5))
        (x,) = values
        operand = k.less(x, 0.6) if kind in ("any", "all") else x
        sets = [
            axes for n in range(1, len(shape) + 1)
            for axes in itertools.combinations(range(len(shape)), n)
        ]  # fmt: skip
        agree([reduce(operand, kind, axes) for axes in sets], values, scale=50)


def test_reductions_fused_with_what_comes_before_and_after():
    values = variables(x=draw((9, 40), "f4"), b=draw((40,), "f4", seed=1))
    x, b = values
    y = sum_(k.tanh(x + b) * x, (0,))
    z = sum_(k.tanh(x + b) * x, (1,), keepdims=True)
    agree([b - 0.1 * y, x / z, k.exp(z) + x, sum_(transpose(x, (1, 0)) * 2.0, (0,))], values, 20)


def test_max_and_min_propagate_nan():
    x = draw((3, 40), "f4")
    x[1, 17] = np.nan
    values = variables(x=x)
    (n,) = values
    agree([reduce(n, kind, axes) for kind in ("max", "min") for axes in ((0,), (1,))], values)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
def test_products_of_every_kind(dtype):
    a, b, v = (
        (draw(s, "f8", seed=i) * (10 if dtype == "i4" else 1)).astype(dtype)
        for i, s in enumerate([(17, 33), (33, 20), (33,)])
    )
    values = variables(a=a, b=b, v=v)
    x, y, z = values
    outputs = [
        matmul(x, y), matmul(x, z), matmul(z, y), matmul(z, z),
        matmul(transpose(y, (1, 0)), transpose(x, (1, 0))), matmul(x, transpose(x, (1, 0))),
        contract(z, (0,), z, (1,), (0, 1)), einsum("ij,kj->ki", x, x), einsum("ij,ij->", x, x),
        matmul(slice_(x, (16, 30), (-2, -3), (5, 10)), slice_(y, (0, 1), (3, 2), (10, 9))),
    ]  # fmt: skip
    agree(outputs, values, scale=50)


@pytest.mark.parametrize(
    "spec",
    ["bij,bjk->bik", "bij,bkj->bik", "bij,jk->bik", "ij,bjk->bik", "ijk,jkl->il", "abc,abd->acd",
     "bi,bj->bij", "ab,bc->ac", "abij,abjk->abik", "bij,bij->b", "ijk,kj->i", "ijk,lkj->li",
     "iabj,bak->kij", "abij,ijab->", "ijb,bjk->ibk"],
)  # fmt: skip
def test_einsum(spec):
    sizes = dict(zip("abcdijkl", (2, 3, 4, 5, 6, 7, 8, 9)))
    left, right = spec.split("->")[0].split(",")
    values = variables(
        x=draw([sizes[c] for c in left], "f8"), y=draw([sizes[c] for c in right], "f8", seed=1)
    )
    agree([einsum(spec, *values)], values, scale=50)


def test_views_and_their_transposes():
    values = variables(x=draw((6, 8), "f4"), v=draw((2, 3), "f4"))
    x, v = values
    part = slice_(x, (5, 6), (-2, -1), (2, 3))
    outputs = [
        transpose(x, (1, 0)), reshape(x, (4, 12)), reshape(transpose(x, (1, 0)), (4, 12)),
        reshape(transpose(k.exp(x), (1, 0)), (48,)), part, k.exp(part),
        broadcast_to(reshape(v, (2, 1, 3)), (2, 4, 3)), concatenate([x, k.exp(x)], 0),
        concatenate([x, x * 2.0, x], 1), make(Place((6, 8), (5, 6), (-2, -1)), v),
        make(Update((1, 1), (2, 2)), x, v * v), transpose(reshape(x, (2, 3, 8)), (2, 0, 1)) * 3.0,
    ]  # fmt: skip
    agree(outputs, values, scale=4)


@pytest.mark.parametrize("index_dtype", ["i8", "i4", "u1"])
def test_gather_and_scatter(index_dtype):
    low = 0 if index_dtype == "u1" else -5
    rng = np.random.default_rng(0)
    i, j = (rng.integers(low, 5, (4, 3)).astype(index_dtype) for _ in "ij")
    values = variables(x=draw((5, 5, 20), "f4"), i=i, j=j)
    x, a, b = values
    outputs = [
        take(x, [a]), take(x, [a], 1), take(x, [a, b]), take(x, [a, b], 1), take(k.exp(x), [a]),
        scatter_add(x, take(x, [a]), [a]), scatter_add(x, take(x, [a, b], 1), [a, b], 1),
        scatter_add(x * 0.0, take(x, [a, b]) * 2.0, [a, b]), sum_(take(x, [a]), (0, 1, 2)),
    ]  # fmt: skip
    agree(outputs, values, scale=20)


def test_repeated_indices_add_up_and_empty_ones_do_nothing():
    values = variables(
        x=draw((3, 4)), i=np.zeros(50, np.int64), e=np.zeros(0, np.int64), v=draw((50, 4))
    )
    x, i, e, v = values
    agree([scatter_add(x, v, [i]), take(x, [e]), scatter_add(x, take(x, [e]), [e])], values, 50)


def test_constants_of_every_size():
    values = variables(x=draw((3, 50), "f4"))
    (x,) = values
    trace = x.trace
    row, table = (constant(trace, draw(s, "f4", seed=4)) for s in ((50,), (3, 50)))
    same = constant(trace, np.full((3, 50), 2.5, np.float32))
    indices = constant(trace, np.array([2, 0]))
    outputs = [x + row, x * table, x - same, take(x, [indices]), take(table, [indices]), row, same]
    agree(outputs, values)


def test_outputs_may_be_inputs_views_and_repeated():
    values = variables(x=draw((3, 4)))
    (x,) = values
    y = k.exp(x)
    program = agree([x, x, y, y, transpose(x, (1, 0)), reshape(y, (12,))], values)
    first, second, *_ = program(list(values.values()))
    assert not np.shares_memory(first, second)


@pytest.mark.parametrize("level", ["avx2", "sse2"])
def test_narrower_machines(level):
    values = variables(x=draw((9, 37), "f4"), w=draw((37, 21), "f4", seed=1), i=np.array([1, -1]))
    x, w, i = values
    h = k.tanh(matmul(x, w))
    outputs = [h, sum_(k.exp(h), (1,)), sum_(x, (0,)), take(x, [i], 1), cast(x, np.dtype("i4"))]
    outputs += gradients(sum_(h * h, (0, 1)), [x, w])
    agree(outputs, values, scale=50, target=Target.host().restricted(level))


def test_a_long_chain_is_cut_into_steps():
    values = variables(x=draw((8,), "f8", 0.1, 0.9))
    (x,) = values
    y = x
    for _ in range(300):
        y = k.sin(y) + 0.5 * y * y
    agree([y], values, scale=1e3)


def test_the_same_bits_run_to_run_and_fused_or_not():
    values = variables(x=draw((40, 70), "f4"), w=draw((70, 30), "f4", seed=1))
    x, w = values
    z = matmul(x, w)
    h = k.relu(z) * 2.0
    s = sum_(h, (0,)) - 1.0
    arrays = list(values.values())
    fused = compile_native([s], [x, w], cache=CACHE)(arrays)[0]
    program = compile_native([z, h, sum_(h, (0,)), s], [x, w], cache=CACHE)
    for _ in range(3):
        assert (program(arrays)[3] == fused).all()


def test_float32_sums_keep_their_bound():
    """Error of a sum of n numbers: at most (n/64 + 8) eps of the sum of magnitudes."""
    x = draw((100_000,), "f4", 0.0, 1.0)
    values = variables(x=x, y=x.reshape(1000, 100))
    a, b = values
    program = compile_native([sum_(a, (0,)), sum_(b, (0,))], [a, b], cache=CACHE)
    total, columns = program(list(values.values()))
    exact = x.astype(np.longdouble).sum()
    assert abs(total - exact) <= (100_000 / 64 + 8) * 6e-8 * exact
    columns_exact = x.reshape(1000, 100).astype(np.longdouble).sum(axis=0)
    assert (abs(columns - columns_exact) <= (1000 / 4 + 8) * 6e-8 * columns_exact).all()


def test_cast_is_a_node_of_its_own():
    values = variables(x=draw((20,), "f4"))
    (x,) = values
    agree([sum_(make(Cast(np.dtype("f8")), x), (0,))], values)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_softmax_as_the_derivative_of_logsumexp(dtype, axes):
    x = draw((6, 9), dtype, -3, 3)
    x[0, :] = -np.inf
    x[1, 4] = np.inf
    x[2, 3] = np.nan
    x[3, 2] = -np.inf
    x[4] *= 300
    for array in (x, x[4:], x[:1], x[1:2]):
        values = variables(x=array)
        (n,) = values
        agree([reduce(n, "logsumexp", axes), *gradients(sum_(reduce(n, "logsumexp", axes),
              tuple(range(2 - len(axes)))), [n])], values, scale=50)  # fmt: skip
