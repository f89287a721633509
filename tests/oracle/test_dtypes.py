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

NARROW = {np.dtype(d) for d in ("bool", "int8", "uint8", "int16", "uint16")}
BITWISE = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert)
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
    shape = (3, 3) if ufunc is np.matmul else (2, 3)
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
        if u.nin == 2 and u not in (np.matmul, *BITWISE)
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


AXES = (None, 0, 1, -1, (0, 1))
INDICES = np.array([[1, 0], [0, 0]])
CALLS = {
    **{f: [lambda x, f=f, a=a: f(x, axis=a) for a in AXES]
        + [lambda x, f=f: f(x, axis=1, keepdims=True)]
       for f in (np.sum, np.mean, np.max, np.amax, np.min, np.amin, np.prod, np.any, np.all)},
    np.reshape: [lambda x: np.reshape(x, (3, 2)), lambda x: np.reshape(x, (-1, 2)),
        lambda x: np.reshape(x, 6)],
    np.transpose: [np.transpose, lambda x: np.transpose(x, (1, 0)),
        lambda x: np.transpose(x, (0, -1))],
    np.ravel: [np.ravel],
    np.swapaxes: [lambda x: np.swapaxes(x, 0, -1)],
    np.moveaxis: [lambda x: np.moveaxis(x[None], 0, -1), lambda x: np.moveaxis(x[None], -1, 0)],
    np.expand_dims: [lambda x: np.expand_dims(x, 1), lambda x: np.expand_dims(x, (0, -1))],
    np.squeeze: [lambda x: np.squeeze(x[:1]), lambda x: np.squeeze(x[:, :1], axis=1)],
    np.broadcast_to: [lambda x: np.broadcast_to(x, (2, 2, 3))],
    np.shape: [np.shape], np.ndim: [np.ndim], np.size: [np.size, lambda x: np.size(x, 1)],
    np.iscomplexobj: [np.iscomplexobj], np.isrealobj: [np.isrealobj],
    np.result_type: [lambda x: np.zeros(1, np.result_type(x, np.float32))], np.copy: [np.copy],
    np.concatenate: [lambda x: np.concatenate([x, x[:1]]), lambda x: np.concatenate([x, x], axis=1),
                     lambda x: np.concatenate([x, x], axis=None),
                     lambda x: np.concatenate([x, np.ones((1, 3))])],
    np.stack: [lambda x: np.stack([x, x]), lambda x: np.stack([x, x], axis=-1)],
    np.hstack: [lambda x: np.hstack([x, x]), lambda x: np.hstack([x[0], x[1]])],
    np.vstack: [lambda x: np.vstack([x, x]), lambda x: np.vstack([x[0], x])],
    np.dot: [lambda x: np.dot(x, x.T), lambda x: np.dot(x, x[0]), lambda x: np.dot(x[0], x[1])],
    np.inner: [lambda x: np.inner(x, x), lambda x: np.inner(x[0], x[1])],
    np.vdot: [lambda x: np.vdot(x, x)],
    np.outer: [lambda x: np.outer(x[0], x[1]), lambda x: np.outer(x, x)],
    np.einsum: [lambda x: np.einsum("ij,kj->ik", x, x), lambda x: np.einsum("ij->ji", x),
                lambda x: np.einsum("ij,ij,j->j", x, x, x[0]),
                lambda x: np.einsum("ij,jk", x, x.T)],
    np.tensordot: [lambda x: np.tensordot(x, x.T, 1),
        lambda x: np.tensordot(x, x, ((0, 1), (0, 1)))],
    np.where: [lambda x: np.where(x > 1, x, 0), lambda x: np.where(x > 1, x, x[:1])],
    np.clip: [lambda x: np.clip(x, 1, 2), lambda x: np.clip(x, None, 1),
        lambda x: np.clip(x, x[:1], x[1:])],
    np.sort: [np.sort, lambda x: np.sort(x, axis=0), lambda x: np.sort(x, axis=None)],
    np.argsort: [lambda x: np.argsort(x, kind="stable"),
        lambda x: np.argsort(x, axis=0, kind="stable")],
    np.take: [lambda x: np.take(x, INDICES), lambda x: np.take(x, INDICES, axis=1),
        lambda x: np.take(x, 1, axis=0)],
    np.take_along_axis: [lambda x: np.take_along_axis(x, INDICES, 1)],
    **{f: [f, lambda x, f=f: f(x, dtype=np.float32), lambda x, f=f: f(x, shape=(4,))]
       for f in (np.zeros_like, np.ones_like)},
    **{f: [f, lambda x, f=f: f(x, axis=0), lambda x, f=f: f(x, axis=-1, keepdims=True)]
        for f in (np.argmax, np.argmin)},
    **{f: [f, lambda x, f=f: f(x, axis=0), lambda x, f=f: f(x, axis=(0, 1), keepdims=True),
           lambda x, f=f: f(x, axis=1, ddof=1), lambda x, f=f: f(x, dtype=np.float32)]
           for f in (np.var, np.std)},
    np.ptp: [lambda x: np.ptp(x.astype(x.dtype if x.dtype != bool else int), axis=0)],
    np.average: [np.average, lambda x: np.average(x, axis=1),
        lambda x: np.average(x, 1, np.ones(3)),
                 lambda x: np.average(x, weights=x + 1)],
    np.count_nonzero: [np.count_nonzero, lambda x: np.count_nonzero(x, axis=1, keepdims=True)],
    np.linalg.norm: [np.linalg.norm, lambda x: np.linalg.norm(x, axis=0),
        lambda x: np.linalg.norm(x, "fro"),
                     *(lambda x, p=p: np.linalg.norm(x[0], p) for p in (1, 2, 3, np.inf, -np.inf)),
                     *(lambda x, p=p: np.linalg.norm(x, p, keepdims=True)
                         for p in (1, -1, np.inf, -np.inf))],
    **{f: [f, lambda x, f=f: f(x, axis=1), lambda x, f=f: f(x, 0, float)]
        for f in (np.cumsum, np.cumprod)},
    np.column_stack: [lambda x: np.column_stack([x[0], x[1]]),
        lambda x: np.column_stack([x, x[:, 0]])],
    np.append: [lambda x: np.append(x, x), lambda x: np.append(x, x, axis=1)],
    **{f: [f, lambda x, f=f: f(x[0]), lambda x, f=f: f(x[0, 0])]
       for f in (np.atleast_1d, np.atleast_2d, np.atleast_3d)},
    np.split: [lambda x: np.split(x, 3, axis=1), lambda x: np.split(x, [1, 2], axis=-1)],
    np.array_split: [lambda x: np.array_split(x, 2, axis=1), lambda x: np.array_split(x, [1])],
    np.hsplit: [lambda x: np.hsplit(x, 3)], np.vsplit: [lambda x: np.vsplit(x, 2)],
    np.tile: [lambda x: np.tile(x, 2), lambda x: np.tile(x, (2, 1, 3)),
        lambda x: np.tile(x[0], (2, 2))],
    np.repeat: [lambda x: np.repeat(x, 2), lambda x: np.repeat(x, [1, 0, 2], axis=1)],
    np.flip: [np.flip, lambda x: np.flip(x, 1)], np.flipud: [np.flipud], np.fliplr: [np.fliplr],
    np.roll: [lambda x: np.roll(x, 2), lambda x: np.roll(x, -1, axis=1),
        lambda x: np.roll(x, (1, 2), (0, 1))],
    np.diff: [np.diff, lambda x: np.diff(x, axis=0), lambda x: np.diff(x, 2)],
    np.pad: [lambda x: np.pad(x, 1), lambda x: np.pad(x, ((0, 1), (2, 0)), constant_values=1),
             *(lambda x, m=m: np.pad(x, ((1, 0), (1, 2)), mode=m)
                 for m in ("edge", "reflect", "symmetric", "wrap"))],
    np.diagonal: [np.diagonal, lambda x: np.diagonal(x, 1),
        lambda x: np.diagonal(x[None], -1, 1, 2)],
    np.diag: [np.diag, lambda x: np.diag(x[0]), lambda x: np.diag(x[0], -1),
        lambda x: np.diag(x[0], 2)],
    np.trace: [np.trace, lambda x: np.trace(x, 1), lambda x: np.trace(x, dtype=float)],
    np.tril: [np.tril, lambda x: np.tril(x, 1)], np.triu: [np.triu, lambda x: np.triu(x, -1)],
    **{f: [f, lambda x, f=f: f(x, 1)] for f in (np.round, np.around)}, np.fix: [np.fix],
    np.nan_to_num: [np.nan_to_num], np.isclose: [lambda x: np.isclose(x, x[:1])],
    np.nonzero: [lambda x: np.arange(3)], np.flatnonzero: [lambda x: np.arange(3)],
    np.argwhere: [lambda x: np.arange(3)], np.allclose: [lambda x: np.arange(3)],
    np.array_equal: [lambda x: np.arange(3)],
    np.empty_like: [lambda x: np.shape(np.empty_like(x))],
    np.full_like: [lambda x: np.full_like(x, 1), lambda x: np.full_like(x, 1.5, dtype=float)],
}  # fmt: skip
"""Calls of each function in array/functions.py; a function without one fails the test below."""


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
                for v in (first if isinstance(first, list) else [first])
            ]
        ):
            continue

        def loss(x, call=call):
            found = call(x)
            parts = found if isinstance(found, list | tuple) else [found]
            return np.sum(x**2) + sum(np.sum(np.sin(p) * (i + 1.0)) for i, p in enumerate(parts))

        # at second order the noise of a sum of deviations would count as a kink
        gg.check_grads(loss, (x,), order=1 if function is np.std else 2)


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
