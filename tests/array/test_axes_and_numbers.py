"""Axes that an array does not have, and Python integers that a dtype does not hold, as in NumPy."""

import numpy as np
import pytest

import glassgrad as gg

A = np.arange(12.0).reshape(4, 3) - 5
S = np.eye(3)
WHOLE = [np.dtype(c) for c in ("i1", "u1", "i4", "u4", "i8", "u8")]

OUT_OF_RANGE = {
    "sort": lambda x: np.sort(x, axis=2),
    "sort 0-d": lambda x: np.sort(x[0, 0]),
    "argsort": lambda x: np.argsort(x, axis=-3),
    "take": lambda x: np.take(x, np.array([0]), axis=2),
    "take_along_axis": lambda x: np.take_along_axis(x, np.zeros((4, 3), int), axis=5),
    "put_along_axis": lambda x: np.put_along_axis(x * 1, np.zeros((4, 3), int), 1.0, axis=5),
    "insert": lambda x: np.insert(x, 0, 1.0, axis=2),
    "delete": lambda x: np.delete(x, 0, axis=2),
    "repeat": lambda x: np.repeat(x, 2, axis=2),
    "roll": lambda x: np.roll(x, 1, axis=2),
    "flip": lambda x: np.flip(x, 2),
    "transpose": lambda x: np.transpose(x, (0, 3)),
    "swapaxes": lambda x: np.swapaxes(x, 0, 2),
    "moveaxis": lambda x: np.moveaxis(x, 2, 0),
    "moveaxis to": lambda x: np.moveaxis(x, 0, -3),
    "rollaxis": lambda x: np.rollaxis(x, 2),
    "diagonal": lambda x: np.diagonal(x, axis1=2),
    "trace": lambda x: np.trace(x, axis1=0, axis2=2),
    "cumulative_sum": lambda x: np.cumulative_sum(x, axis=2),
    "sum": lambda x: np.sum(x, axis=2),
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_an_axis_out_of_range_is_an_error_with_the_line(name):
    f = OUT_OF_RANGE[name]
    with pytest.raises(ValueError):
        f(A)
    words = r"axis -?\d is out of range for an array of \d axes(.|\n)*test_axes_and_numbers"
    with pytest.raises(np.exceptions.AxisError, match=words):
        gg.jit(f, engine="reference")(A)


def test_axes_in_range_are_counted_from_either_end():
    for f in (
        lambda x: np.moveaxis(x, [0, 1], [-1, -2]),
        lambda x: np.moveaxis(x, [2, 0], [0, 1]),
        lambda x: np.rollaxis(x, -1, 0),
        lambda x: np.rollaxis(x, 0, 3),
        lambda x: np.insert(x, -2, 7.0, axis=-1),
        lambda x: np.insert(x, 3, 7.0, axis=1),
        lambda x: np.tensordot(x, x, axes=([-1, 0], [2, 0])),
    ):
        x = np.arange(24.0).reshape(2, 3, 4)
        np.testing.assert_array_equal(gg.jit(f, engine="reference")(x), f(x))


def test_places_and_pairs_of_axes_that_do_not_fit():
    for f, error, words in (
        (lambda x: np.insert(x, 5, 1.0, axis=0), IndexError, "place 5 is out of range for axis 0"),
        (lambda x: np.insert(x, -5, 1.0, axis=0), IndexError, "place -5 is out of range"),
        (lambda x: np.tensordot(x, x, axes=([0, 1], [0])), ValueError, "2 axes of the first"),
        (lambda x: np.tensordot(x, x, axes=([0, 0], [0, 1])), ValueError, "axis 0 is given twice"),
        (lambda x: np.moveaxis(x, [0, 1], [0]), ValueError, "2 axes have 1 new places"),
        (lambda x: x[True], TypeError, "no rule as an index"),
        (lambda x: x[np.False_, 0], TypeError, "no rule as an index"),
    ):
        with pytest.raises(error, match=words):
            gg.jit(f, engine="reference")(A)


NOWHERE = np.zeros(0, int)
EMPTY = {
    "trace": (np.trace, (2, 0)),
    "diagonal": (np.diagonal, (0, 2)),
    "sum of elements at no places": (lambda x: np.sum(x[NOWHERE, NOWHERE]), (0, 4)),
    "of no axis": (lambda x: np.exp(x[NOWHERE + 7]).sum(axis=0), (0, 4)),
}


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("name", EMPTY)
def test_nothing_is_read_where_there_are_no_places(name, engine):
    f, shape = EMPTY[name]
    np.testing.assert_array_equal(gg.jit(f, engine=engine)(np.ones(shape)), f(np.ones(shape)))


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_bounds_of_slices_may_be_traced(engine):
    f = gg.jit(lambda x, i, j: (x[i:], x[:, i:j], x[None, ::i], x[0, -j:]), engine=engine)
    for i, j in ((1, 2), (2, 3), (1, 2)):
        for got, want in zip(f(A, np.array(i), j), (A[i:], A[:, i:j], A[None, ::i], A[0, -j:])):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", WHOLE, ids=str)
@pytest.mark.parametrize("engine", ["reference", "native"])
def test_python_integers_beyond_a_dtype(dtype, engine):
    info = np.iinfo(dtype)
    x = np.array([info.min, 0, 1, info.max], dtype)
    for number in (int(info.max) + 1, int(info.min) - 1, 2**70):
        for f in (
            lambda x, n=number: (x < n, x <= n, x == n, x != n, x > n, x >= n),
            lambda x, n=number: (n < x, n <= x, n == x, n != x, n > x, n >= x),
        ):
            for got, want in zip(gg.jit(f, engine=engine)(x), f(x)):
                np.testing.assert_array_equal(got, want)
        for f in (lambda x, n=number: x + n, lambda x, n=number: np.maximum(n, x)):
            with pytest.raises(OverflowError):
                f(x)
            with pytest.raises(OverflowError, match=f"{number} is out of bounds for {dtype}"):
                gg.jit(f, engine=engine)(x)


def test_python_integers_as_arguments_have_a_program_for_their_width():
    f = gg.jit(lambda x: x + 1, engine="reference")
    assert [f(2**63), f(-1), f(2**63 + 5), f(7)] == [2**63 + 1, 0, 2**63 + 6, 8]


@pytest.mark.parametrize("strange", ["masked", "matrix"])
def test_arrays_whose_arithmetic_is_another_are_refused(strange):
    x = {"masked": np.ma.masked_array(S, S > 0), "matrix": S.view(np.matrix)}[strange]
    words = "mask would be lost" if strange == "masked" else "convert it with np.asarray"
    f = gg.jit(lambda a: np.sum(a * a), engine="reference")
    calls = [
        lambda: f(x), lambda: gg.grad(lambda a: np.sum(a * a))(x),
        lambda: gg.grad(lambda a: np.sum(a * x))(S),
        lambda: gg.scan(lambda c, row: (c + np.sum(row), c), 0.0, x),
    ]  # fmt: skip
    f(S)  # a program of this shape and dtype does not take it either
    for call in calls:
        with pytest.raises(TypeError, match=words):
            call()
    assert f(S.view(np.recarray)) == 3.0


@pytest.mark.parametrize(
    ("shape", "error"),
    [((-1, 8), ValueError), (-2, ValueError), ((1 << 62, 8), ValueError), (2.5, TypeError),
     ((2.7, 3), TypeError), ("3", TypeError)],
)  # fmt: skip
def test_extents_of_new_arrays_are_numpy_s(shape, error):
    for make in (np.zeros, np.ones, lambda s: np.full(s, 1.0)):
        with pytest.raises(error):
            make(shape)
        with pytest.raises(error):
            gg.jit(lambda x, make=make: make(shape) * x, engine="reference")(1.0)
    for good in ((), 3, (2, 0), [2, 3], np.array([2, 3]), np.int8(2), (np.int64(2), 1)):
        got = gg.jit(lambda x, good=good: np.ones(good) * x, engine="reference")(1.0)
        np.testing.assert_array_equal(got, np.ones(good))
    f = gg.jit(lambda x, n: np.zeros((n, 2)) + x, engine="reference")
    assert [f(1.0, n).shape for n in (3, 2, 3)] == [(3, 2), (2, 2), (3, 2)]


def test_a_matrix_times_a_number_is_an_error_by_name():
    for f in (lambda x: x @ 2.0, lambda x: 2 @ x):
        with pytest.raises(ValueError, match="matmul: a 0-d operand"):
            gg.jit(f, engine="reference")(S)
    with pytest.raises(AttributeError, match="a traced array has no attribute 'view' yet"):
        gg.jit(lambda x: x.view(np.int64), engine="reference")(S)


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("dtype", ["i1", "u1", "u4", "u8"])
def test_python_integers_that_are_arguments_fit_or_are_errors(dtype, engine):
    x, info = np.arange(3, dtype=dtype), np.iinfo(dtype)
    add = gg.jit(lambda x, n: x + n, engine=engine)
    compare = gg.jit(lambda x, n: (x < n, x >= n, x == n, n > x), engine=engine)
    for n in (1, int(info.max) if dtype != "u8" else 2**62, -1, 2**40, 2, -(2**40)):
        for got, want in zip(compare(x, n), (x < n, x >= n, x == n, n > x)):
            np.testing.assert_array_equal(got, want)
        if info.min <= n <= info.max:
            np.testing.assert_array_equal(add(x, n), x + np.array(n, dtype))
        else:
            with pytest.raises(OverflowError, match=f"{n} is out of bounds for {np.dtype(dtype)}"):
                add(x, n)
