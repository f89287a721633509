"""gg.numpy: generated from the tables of rules, and so are these tests."""

from __future__ import annotations

import subprocess
import sys
from types import FunctionType

import numpy as np
import pytest

import glassgrad as gg
import glassgrad.numpy as gnp
from glassgrad.array.lifting import OPERANDS, PARTS, PLACES
from glassgrad.array.namespace import Namespace
from glassgrad.array.protocol import FUNCTIONS, UFUNCS
from oracle.numpy_calls import CALLS

X = np.random.default_rng(5).normal(size=(2, 3)) + 0.3
TABLE = np.arange(12.0).reshape(4, 3)
PLACES_READ = np.array([1, 2])
TWIN = {getattr(np.linalg, n): getattr(gnp.linalg, n) for n in dir(gnp.linalg)} | {
    getattr(np, n): getattr(gnp, n) for n in dir(gnp) if callable(getattr(gnp, n))
}
SETTINGS = """
N atol axes axis axis1 axis2 bias bins casting constant_values copy correction ddof decimals
destination dst dtype edge_order endpoint include_initial increasing indexing indices_or_sections
invert k keepdims kind kth left method minlength mode n nan neginf new_shape num obj offset
optimize ord order out pad_width period posinf q repeats reps retstep right rowvar rtol shape
shift side sorter source sparse stable subok subscripts tol wrap
UPLO compute_uv full_matrices hermitian ind rcond upper
arrays tup args arys spacing xi xs
"""
"""Parameters that are no operands; in the last row those whose rules look into the list."""


def twin(call):
    """The same call, through gg.numpy."""
    if call in TWIN:
        return TWIN[call]
    defaults = tuple(TWIN.get(d, d) if callable(d) else d for d in call.__defaults__ or ())
    return FunctionType(call.__code__, call.__globals__ | {"np": gnp}, call.__name__, defaults)


def parts(found):
    return list(found) if isinstance(found, list | tuple) else [found]


def same(got, want):
    assert type(got) is type(want) and len(parts(got)) == len(parts(want))
    for a, b in zip(parts(got), parts(want)):
        assert type(a) is type(b)
        a, b = np.asarray(a), np.asarray(b)
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def value_and_slopes(call):
    """What a call gives under gg.jit, and the gradient of the sines of its real results."""

    def loss(x):
        found = [v for v in parts(call(x)) if getattr(v, "dtype", None) == np.float64]
        return np.sum(x**2) + sum(np.sum(np.sin(v)) for v in found)

    return (*parts(gg.jit(call, engine="reference")(X)), gg.grad(loss)(X))


NAMED = [pytest.param(f, id=f.__name__) for f in FUNCTIONS]


@pytest.mark.parametrize("function", NAMED)
def test_a_function_of_plain_arrays_is_numpys(function):
    for call in CALLS[function]:
        same(twin(call)(X), call(X))


@pytest.mark.parametrize("function", NAMED)
def test_a_function_of_traced_arrays_is_the_same_as_through_numpy(function):
    for call in CALLS[function]:
        same(value_and_slopes(twin(call)), value_and_slopes(call))


@pytest.mark.parametrize("function", [f for f in CALLS if f in CALLS[f]], ids=lambda f: f.__name__)
def test_a_function_of_nested_lists_of_traced_numbers(function):
    rows = lambda x: [list(row) for row in x]  # noqa: E731
    got = value_and_slopes(lambda x: TWIN[function](rows(x)))
    same(got, value_and_slopes(lambda x: function(np.array(rows(x)))))


BOOLEAN = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert)
WIDE = {np.matvec: 1, np.vecmat: 1} if hasattr(np, "matvec") else {}


def operands_of(ufunc):
    """As many operands as a ufunc takes, of shapes and dtypes that it takes."""
    first = {np.matmul: X @ X.T, np.arccosh: X**2 + 1.5}.get(ufunc, X)
    if ufunc in WIDE:
        return (X, X[0]) if ufunc.__name__ == "matvec" else (X[:, 0], X)
    if ufunc in (np.arcsin, np.arccos, np.arctanh):
        first = X / 9
    if ufunc in (np.log, np.log2, np.log10, np.log1p, np.sqrt, np.power, np.float_power):
        first = X**2 + 0.1
    found = (first, X[0] + 2 if ufunc is not np.matmul else X)[: ufunc.nin]
    return tuple(v > 0.4 for v in found) if ufunc in BOOLEAN else found


@pytest.mark.parametrize("ufunc", list(UFUNCS), ids=lambda u: u.__name__)
def test_a_ufunc_of_plain_and_of_traced_operands_and_of_lists(ufunc):
    given = operands_of(ufunc)
    want = ufunc(*given)
    same(TWIN[ufunc](*given), want)
    same(TWIN[ufunc](*(v.tolist() for v in given)), want)
    through = gg.jit(lambda *a: ufunc(*a), engine="reference")(*given)
    same(gg.jit(lambda *a: TWIN[ufunc](*a), engine="reference")(*given), through)
    unpacked = gg.jit(lambda a, *b: TWIN[ufunc](list(a), *b), engine="reference")
    same(unpacked(*given), through)


def test_methods_of_ufuncs():
    same(gnp.add.reduce(X), np.add.reduce(X))
    same(gg.grad(lambda x: gnp.multiply.reduce([x, 3.0, x]))(2.0), np.float64(12.0))
    same(gg.grad(lambda x: gnp.multiply.accumulate([x, x])[1])(2.0), np.float64(4.0))
    same(gg.grad(lambda x: gnp.sum(gnp.multiply.outer([1.0, 2.0], [x])))(5.0), np.float64(3.0))

    def added(x):
        total = gnp.zeros(3)
        gnp.add.at(total, [1, 1], [x, 2 * x])
        return total[1]

    same(gg.grad(added)(1.0), np.float64(3.0))


def test_every_parameter_of_a_rule_is_an_operand_or_a_setting():
    known = set()
    for rule in FUNCTIONS.values():
        code = rule.__code__
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04)
        known.update(code.co_varnames[:count])
    settings = set(SETTINGS.split())
    assert known == OPERANDS | PARTS | PLACES | settings
    assert not (OPERANDS | PARTS | PLACES) & settings


# -- what the protocols cannot see ----------------------------------------------------------------

READ = {
    "take": lambda i: gnp.take(TABLE, i, axis=0),
    "take of a list": lambda i: gnp.take(TABLE.tolist(), i, axis=0),
    "array": lambda i: gnp.array(TABLE)[i],
    "asarray": lambda i: gnp.asarray(TABLE)[i],
    "full_like": lambda i: gnp.full_like(TABLE[0], i),
    "full": lambda i: gnp.full(3, i),
    "choose": lambda i: gnp.choose(gnp.minimum(i, 1), [TABLE[0], [1.0, 2.0, 3.0]]),
    "select": lambda i: gnp.select([[i > 1] * 3], [list(TABLE[0])], TABLE[1]),
    "where": lambda i: gnp.where([True, False, True], [i, i, i], 7.0),
    "searchsorted": lambda i: gnp.searchsorted([0.5, 1.5], [i, i, 3]),
    "swapaxes": lambda i: gnp.swapaxes([[i], [i], [2 * i]], 0, 1)[0],
    "concatenate": lambda i: gnp.concatenate([[i, i], TABLE[0, :1]]),
    "einsum": lambda i: gnp.einsum("ij,j->i", TABLE[:3], [i, i, 2 * i]),
    "polyval": lambda i: gnp.polyval([1.0, i, 2.0], TABLE[0]),
    "matmul": lambda i: gnp.matmul([i, 1, i], TABLE[1:]),
    "linalg": lambda i: gnp.linalg.multi_dot([[i, 1.0, i], TABLE[1:], TABLE[1:]]),
    "put": lambda i: written(i),
}


def written(i):
    row = gnp.zeros_like(TABLE[0])
    gnp.put_along_axis(row, np.array([2]), [i * 2.0], 0)
    gnp.fill_diagonal(whole := gnp.copy(TABLE[:3]), i)
    return row + gnp.sum(whole, axis=0)


@pytest.mark.parametrize("name", READ)
def test_plain_arrays_and_lists_meet_a_traced_number(name):
    read = READ[name]
    want = np.stack([np.asarray(read(i)) * np.ones(3) for i in PLACES_READ])
    np.testing.assert_array_equal(gg.vmap(read)(PLACES_READ) * np.ones(3), want)
    for row, i in zip(want, PLACES_READ):
        np.testing.assert_array_equal(gg.jit(read)(i), row)
        slope = gg.grad(lambda x, i: np.sum(x * read(i)))(np.ones(3), np.array(i))
        np.testing.assert_array_equal(slope, row)


def test_one_program_reads_a_table_at_any_place():
    f = gg.jit(lambda i: gnp.take(TABLE, i, axis=0))
    for i in (1, 3, -1):
        same(f(np.array(i)), TABLE[i])
    assert "1 programs" in repr(f)
    with pytest.raises(IndexError, match="index 4"):
        f(np.array(4))


def test_a_module_that_took_the_names_before():
    scope = {}
    exec("from glassgrad.numpy import zeros, array\ndef squares(x):\n"
         "    y = zeros(3)\n    for i in range(3):\n        y[i] = x[i] ** 2\n"
         "    return array([y[0], y[2], 1.0])", scope)  # fmt: skip
    x = np.array([1.0, 2.0, 3.0])
    same(scope["squares"](x), np.array([1.0, 9.0, 1.0]))
    same(gg.grad(lambda x: np.sum(scope["squares"](x)))(x), np.array([2.0, 0.0, 6.0]))
    same(gg.jit(scope["squares"])(x), np.array([1.0, 9.0, 1.0]))


def test_symbols_in_lists():
    a, b = gg.variables("a b")
    for make in (gnp.array, gnp.asarray, gnp.stack, gnp.ravel):
        row = make([a, b, 2.0])
        assert isinstance(row, gg.Array) and row.shape == (3,)
        same(gg.evaluate(row, {a: 1.0, b: 3.0}), np.array([1.0, 3.0, 2.0]))
    (slope,) = gg.gradients(gnp.sum(gnp.square([a, b])), [a])
    assert gg.evaluate(slope, {a: 3.0, b: 1.0}) == 6.0


def test_names_first_asked_for_inside_a_trace_are_numpys_outside():
    names = Namespace(np, "numpy again")
    assert gg.grad(lambda x: np.sum(names.zeros(2) + names.asarray([x, x])))(1.0) == 2
    assert type(names.zeros(2)) is np.ndarray and names.zeros.__module__ == "numpy"
    assert type(gnp.asarray([1.0])) is np.ndarray


def test_numbers_of_elements():
    same(gnp.arange(3), np.arange(3))
    same(gg.jit(lambda n: gnp.arange(n) * 2.0)(np.array(3)), np.array([0.0, 2.0, 4.0]))
    for make in (gnp.arange, gnp.eye, gnp.identity, gnp.tri):
        with pytest.raises(TypeError, match=r"how many(.|\n)*np\.linspace(.|\n)*at .*make\(x\)"):
            gg.grad(lambda x, make=make: np.sum(make(x)))(3.0)


@pytest.mark.parametrize("write", [gnp.fill_diagonal, gnp.copyto,
    lambda table, x: gnp.add(table, x, out=table), lambda table, x: gnp.sum(x, out=table),
    lambda table, x: gnp.add.at(table, [0], x)])  # fmt: skip
def test_a_plain_array_is_not_written(write):
    table = np.zeros((2, 2))
    with pytest.raises(TypeError, match=r"np\.zeros"):
        gg.grad(lambda x: write(table, x))(1.0)
    assert not table.any()


def test_a_place_to_delete_is_looked_at():
    x = np.arange(3.0)
    for delete in (np.delete, gnp.delete):
        same(gg.jit(lambda x, i, f=delete: f(x, i))(x, np.array(1)), np.array([0.0, 2.0]))


# -- names ----------------------------------------------------------------------------------------


def test_every_function_with_a_rule_is_there_and_constants_are_numpys():
    assert {*FUNCTIONS, *UFUNCS} <= set(TWIN)
    for name in ("pi", "e", "inf", "newaxis", "float32", "bool", "int64", "dtype", "True_"):
        assert getattr(gnp, name) is getattr(np, name)
    assert np.isnan(gnp.nan) and {"pi", "linalg", "sum"} <= set(dir(gg.numpy))
    assert gg.numpy is gnp and set(gnp.__all__) == set(dir(gnp))
    assert gnp.sum.__name__ == "sum" and gnp.sum.__doc__ == np.sum.__doc__


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("arrange", "has no 'arrange'; near it: arange"),
        ("unwrap", "np.unwrap has no rule for traced arrays"),
        ("random", "gg.random"),
        ("linalg.eig", "np.linalg.eig has no rule"),
        ("linalg.normal", "near it: norm"),
    ],
)
def test_an_unknown_name_says_what_there_is(name, words):
    space, _, last = name.rpartition(".")
    with pytest.raises(AttributeError) as caught:
        getattr(getattr(gnp, space) if space else gnp, last)
    assert words in str(caught.value)


def test_it_is_imported_when_first_used():
    program = (
        "import sys, glassgrad as gg; gg.grad(lambda x: x * x)(3.0); "
        "before = 'glassgrad.numpy' in sys.modules; gg.numpy.sum; "
        "print(before, 'glassgrad.numpy' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["False", "True"]
