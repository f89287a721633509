"""Every NumPy function that has a rule: the same result, shape and dtype as NumPy's own, in every
dtype.

Where glassgrad differs it is by these stated rules, and by nothing else: - real functions of
integers narrower than 32 bits give float64 (NumPy: float16 or float32); - bitwise ufuncs have a
rule for booleans alone, and say so for integers; - booleans have no square, no power and no
reciprocal, integers no reciprocal: a TypeError says what to
  write instead.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.array.protocol import FUNCTIONS, METHODS, UFUNCS
from glassgrad.graph.dtype import SUPPORTED
from oracle.numpy_calls import CALLS, INDICES

NARROW = {np.dtype(d) for d in ("bool", "int8", "uint8", "int16", "uint16")}
BITWISE = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert)
PRODUCTS = [u for u in UFUNCS if u.signature]  # of vectors and matrices
DTYPES = [pytest.param(d, id=d.name) for d in SUPPORTED]
PARTNERS = [np.dtype(d) for d in ("bool", "int8", "int64", "uint32", "float32", "float64")]


def sample(dtype, shape=(2, 3), start=0):
    """Small numbers that every dtype can hold; no zero among the reals."""
    n = int(np.prod(shape))
    values = (np.arange(n) + start) % 4
    return (
        ((values + 0.25) / 2 if dtype.kind == "f" else values % 2 if dtype.kind == "b" else values)
        .reshape(shape)
        .astype(dtype)
    )


def evaluated(f, *arrays):
    """f on variables of these dtypes, then evaluated at the arrays."""
    handles = [gg.variable(f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
    result = f(*handles)
    several = isinstance(result, tuple | list)
    if not several and not isinstance(result, gg.Array):
        return result
    found = gg.evaluate(result, dict(zip(handles, arrays)))
    return [np.asarray(v) for v in found] if several else np.asarray(found)


def same(f, *arrays, narrow_in_float64=False):
    """Assert that f gives on handles what it gives on arrays."""
    with np.errstate(all="ignore"):
        try:
            want = f(*arrays)
        except TypeError:
            with pytest.raises(TypeError):
                evaluated(f, *arrays)
            return
        got = evaluated(f, *arrays)
    for g, w in zip(*(v if isinstance(v, tuple | list) else [v] for v in (got, want))):
        w = np.asarray(w)
        wider = narrow_in_float64 and w.dtype.kind == "f" and all(a.dtype in NARROW for a in arrays)
        assert np.asarray(g).dtype == (np.float64 if wider else w.dtype)
        assert np.shape(g) == w.shape
        tolerance = {2: 2e-3, 4: 1e-6}.get(w.dtype.itemsize, 1e-14) if w.dtype.kind == "f" else 0
        np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ufunc", [pytest.param(u, id=u.__name__) for u in UFUNCS])
def test_ufunc(ufunc, dtype):
    if ufunc in BITWISE and dtype.kind != "b":
        with pytest.raises(TypeError, match="booleans"):
            evaluated(ufunc, *[sample(dtype)] * ufunc.nin)
        return
    shape = (3, 3) if ufunc in PRODUCTS else (2, 3)
    if ufunc.nin == 1:
        if refused(ufunc, dtype):
            return
        same(ufunc, sample(dtype, shape), narrow_in_float64=True)
        return
    for other in [p for p in PARTNERS if ufunc not in BITWISE or p.kind == "b"]:
        if not refused(ufunc, dtype, other):
            same(ufunc, sample(dtype, shape), sample(other, shape, 1), narrow_in_float64=True)


def refused(ufunc, *dtypes):
    """Whether the rules above refuse these dtypes; if so, that they do."""
    no_bool = ufunc in (np.square, np.power) and all(d.kind == "b" for d in dtypes)
    if not no_bool and not (ufunc is np.reciprocal and dtypes[0].kind != "f"):
        return False
    with pytest.raises(TypeError, match=r"astype|write 1/x"):
        evaluated(ufunc, *[sample(d) for d in dtypes])
    return True


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "ufunc",
    [
        pytest.param(u, id=u.__name__)
        for u in UFUNCS
        if u.nin == 2 and u not in (*PRODUCTS, *BITWISE)
    ],
)
def test_python_scalars_are_weak(ufunc, dtype):
    for scalar in (2, 1.5) if dtype.kind != "b" else (1, 1.5):
        same(lambda x, s=scalar: ufunc(x, s), sample(dtype), narrow_in_float64=True)
        same(lambda x, s=scalar: ufunc(s, x), sample(dtype, start=1), narrow_in_float64=True)


@pytest.mark.parametrize(
    ("a", "b"),
    list(
        itertools.permutations(
            [(), (1,), (3,), (2, 1), (1, 3), (2, 3), (0, 3), (4, 1, 3), (1, 1)], 2
        )
    ),
)
def test_ragged_broadcasts(a, b):
    x, y = sample(np.dtype(float), a), sample(np.dtype(float), b, 1)
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(ValueError, match="do not broadcast"):
            evaluated(np.multiply, x, y)
        return
    same(np.multiply, x, y)
    loss = lambda x, y: np.sum(x * y + np.maximum(x, y))  # noqa: E731
    gx, gy = gg.grad(loss, argnums=(0, 1))(x, y)
    assert (gx.shape, gy.shape) == (a, b)
    whole = np.broadcast_arrays(x, y)
    gxx, gyy = gg.grad(loss, argnums=(0, 1))(*(np.array(v) for v in whole))
    np.testing.assert_allclose(np.sum(gx), np.sum(gxx), rtol=1e-13)
    np.testing.assert_allclose(np.sum(gy), np.sum(gyy), rtol=1e-13)


def test_every_function_is_called():
    assert set(FUNCTIONS) - set(CALLS) == set()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", [pytest.param(f, id=f.__name__) for f in FUNCTIONS])
def test_function(function, dtype):
    for call in CALLS[function]:
        same(call, sample(dtype), narrow_in_float64=function in (np.round, np.around))


@pytest.mark.parametrize("function", [pytest.param(f, id=f.__name__) for f in FUNCTIONS])
def test_derivatives(function):
    """The gradient of a sum of sines of what each call gives, and second order, by differences."""
    x = np.random.default_rng(5).normal(size=(2, 3)) + 0.3
    for call in CALLS[function]:
        first = call(x)
        if not np.all(
            [
                np.asarray(v).dtype == np.float64
                for v in (first if isinstance(first, list | tuple) else [first])
            ]
        ):
            continue

        def loss(x, call=call):
            found = call(x)
            parts = found if isinstance(found, list | tuple) else [found]
            return np.sum(x**2) + sum(np.sum(np.sin(p) * (i + 1.0)) for i, p in enumerate(parts))

        gg.check_grads(loss, (x,))


METHOD_CALLS = {
    "argsort": lambda x: x.argsort(kind="stable"), "astype": lambda x: x.astype(np.float32),
    "clip": lambda x: x.clip(0, 1), "dot": lambda x: x.dot(x[0]),
    "reshape": lambda x: x.reshape(3, 2),
    "swapaxes": lambda x: x.swapaxes(0, 1), "take": lambda x: x.take(INDICES),
    "repeat": lambda x: x.repeat(2), "nonzero": lambda x: np.arange(3),
    "transpose": lambda x: x.transpose(1, 0), "squeeze": lambda x: x[:1].squeeze(),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(METHODS))
def test_method(name, dtype):
    same(
        METHOD_CALLS.get(name, lambda x: getattr(x, name)()),
        sample(dtype),
        narrow_in_float64=name == "round",
    )


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (1, 1), ()])
@pytest.mark.parametrize(
    "f", [np.sum, np.exp, np.ravel, np.transpose, np.copy, lambda x: x * x, lambda x: x @ x.T]
)
def test_empty_and_single(f, shape):
    x = np.ones(shape)
    if shape == () and f(np.ones((2, 2))).shape == (2, 2) and f(np.ones((2, 3))).shape == (2, 2):
        with pytest.raises(ValueError, match="0-d"):
            evaluated(f, x)
        return
    same(f, x)
    assert gg.grad(lambda x: np.sum(f(x)))(x).shape == shape


def test_float32_stays_float32_through_a_gradient():
    x = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)
    f = lambda x: np.mean(np.tanh(x @ (x.T * 0.5)) ** 2) + 2 * np.sum(np.maximum(x, 0))  # noqa: E731
    got, want = gg.grad(f)(x), gg.grad(f)(x.astype(float))
    assert got.dtype == np.float32
    # forward-error bound: no path sums more than 12 + 4 terms of size 1
    np.testing.assert_allclose(got, want, atol=32 * np.finfo(np.float32).eps)


def test_sort_is_stable_and_puts_nan_last():
    x = np.array([2.0, np.nan, -1.0, 2.0, -0.0, 0.0, np.inf])
    same(np.sort, x)
    same(lambda x: np.argsort(x, kind="stable"), x)
    ties = np.array([1, 0, 1, 0, 1])
    assert evaluated(np.argsort, ties).tolist() == [1, 3, 0, 2, 4]
