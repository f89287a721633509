"""How each NumPy function that has a rule is called by the tests, on an array of shape (2, 3)."""

from __future__ import annotations

from typing import Any

import numpy as np


def some_nan(x: Any) -> Any:
    """The array, real, with a NaN in it."""
    return np.where(np.array([[False, True, False], [False, False, False]]), np.nan, x * 1.0)


def written(function: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """What a function that writes leaves of a copy of the array."""
    y = np.copy(x)
    function(y, *args, **kwargs)
    return y


def positive(x):
    """A positive definite matrix, 3 x 3, in the dtype of x where that holds it."""
    return x.T @ x + 4 * np.eye(3, dtype=x.dtype)


def stacked(x):
    """Two matrices with an inverse, in a stack."""
    return positive(x) + x[:, None] * 0.5


def one_sign(*found):
    """Factors whose vectors, columns of the first and rows of the last, have fixed signs."""
    sign = np.sign(found[-1][..., :1])
    signed = found[-1] * sign
    return (*(u * np.swapaxes(sign, -1, -2) for u in found[:-2]), *found[-2:-1], signed)


def eigen(x):
    """Eigenvalues, and eigenvectors as rows of fixed signs."""
    values, vectors = np.linalg.eigh(x)
    return one_sign(values, np.swapaxes(vectors, -1, -2))


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
        lambda x: np.linalg.norm(x, "fro"), lambda x: np.linalg.norm(x, 2),
        lambda x: np.linalg.norm(x[None], "nuc", axis=(2, 1), keepdims=True),
                     *(lambda x, p=p: np.linalg.norm(x[0], p)
                         for p in (0, 1, 2, 3, np.inf, -np.inf)),
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
    np.sinc: [np.sinc, lambda x: np.sinc(x / 4)],
    np.nan_to_num: [np.nan_to_num], np.isclose: [lambda x: np.isclose(x, x[:1])],
    np.nonzero: [lambda x: np.arange(3)], np.flatnonzero: [lambda x: np.arange(3)],
    np.argwhere: [lambda x: np.arange(3)], np.allclose: [lambda x: np.arange(3)],
    np.array_equal: [lambda x: np.arange(3)],
    np.empty_like: [lambda x: np.shape(np.empty_like(x))],
    np.full_like: [lambda x: np.full_like(x, 1), lambda x: np.full_like(x, 1.5, dtype=float)],
    np.trapezoid: [np.trapezoid, lambda x: np.trapezoid(x, axis=0, dx=0.5),
        lambda x: np.trapezoid(x, np.array([0.0, 0.5, 2.0])),
        lambda x: np.trapezoid(np.ones((2, 3)), x * 1.0)],
    np.gradient: [lambda x: np.gradient(x * 1.0, axis=1), lambda x: np.gradient(x * 1.0),
        lambda x: np.gradient(x * 1.0, 0.5), lambda x: np.gradient(x * 1.0, 0.5, 2.0)],
    np.ediff1d: [lambda x: np.ediff1d(x * 1.0), lambda x: np.ediff1d(x * 1.0, x[0] * 1.0, 0.5)],
    np.interp: [lambda x: np.interp(x, [-1.0, 0.3, 0.8, 2.5], [0.0, 2.0, 1.0, 5.0]),
        lambda x: np.interp(1.1, np.array([0.0, 1.0, 2.0]), x[0]),
        lambda x: np.interp(x, [0.6, 1.1], [1.0, 2.0], left=-7.0, right=9.0)],
    np.polyval: [lambda x: np.polyval([1.0, -2.0, 3.0], x), lambda x: np.polyval(x[0] * 1.0, 0.5)],
    np.vander: [lambda x: np.vander(x[0]), lambda x: np.vander(x[0] * 1.0, 2, increasing=True)],
    np.convolve: [lambda x: np.convolve(x[0], x[1]),
        lambda x: np.convolve(x[0], x[1, :2], "same"),
        lambda x: np.convolve(x[0, :2], np.ones(3), "valid"),
        lambda x: np.convolve(x[0], np.ones(2), "same")],
    np.correlate: [lambda x: np.correlate(x[0], x[1]),
        lambda x: np.correlate(x[0], x[1, :2] * 1.0, "full"),
        lambda x: np.correlate(x[0, :2] * 1.0, x[1], "full"),
        lambda x: np.correlate(x[0, :2] * 1.0, x[1])],
    np.cov: [lambda x: np.cov(x * 1.0), lambda x: np.cov(x[0] * 1.0, x[1] * 1.0),
        lambda x: np.cov(x * 1.0, rowvar=False, bias=True), lambda x: np.cov(x[0] * 1.0)],
    np.corrcoef: [lambda x: np.corrcoef(x + np.array([[0.0, 1, 5], [1, 0, 2]]))[0, 1],
        lambda x: np.corrcoef(x[0] + 1.0 * np.arange(3))],
    np.linspace: [lambda x: np.linspace(x, x + 2.0, 4), lambda x: np.linspace(x[0, 0], 5.0, 3),
        lambda x: np.linspace(x, 5.0, 3, endpoint=False, axis=1)],
    np.logspace: [lambda x: np.logspace(x[0] * 1.0, 1.5, 3)],
    np.geomspace: [lambda x: np.geomspace(x**2 + 1.0, 5.0, 3)],
    np.meshgrid: [lambda x: np.meshgrid(x[0], x[1]),
        lambda x: np.meshgrid(x[0], x[1, :2], np.ones(2), indexing="ij", sparse=True)],
    np.cumulative_sum: [lambda x: np.cumulative_sum(x[0]),
        lambda x: np.cumulative_sum(x, axis=1, include_initial=True)],
    np.cumulative_prod: [lambda x: np.cumulative_prod(x, axis=0, include_initial=True)],
    np.median: [np.median, lambda x: np.median(x, axis=0), lambda x: np.median(x, 1, keepdims=True),
        lambda x: np.median(x, axis=(0, 1))],
    np.quantile: [lambda x: np.quantile(x, 0.3),
        lambda x: np.quantile(x, [0.0, 0.25, 1.0], axis=1)],
    np.percentile: [lambda x: np.percentile(x, 30, axis=0, keepdims=True)],
    np.partition: [lambda x: np.sort(np.partition(x, 1))],
    np.argpartition: [lambda x: np.shape(np.argpartition(x, 1))],
    np.searchsorted: [lambda x: np.searchsorted(np.array([0.0, 0.5, 1.5]), x),
        lambda x: np.searchsorted(np.sort(x[0]), np.array([0.5, 1.0]), side="right")],
    np.digitize: [lambda x: np.digitize(x, [0.0, 0.5, 1.0]),
        lambda x: np.digitize(x, [0.0, 0.5, 1.0], right=True)],
    **{f: [f, lambda x, f=f: f(x, axis=1, keepdims=True), lambda x, f=f: f(some_nan(x), axis=0),
           lambda x, f=f: f(some_nan(x))]
       for f in (np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean)},
    **{f: [lambda x, f=f: f(x * 1.0), lambda x, f=f: f(some_nan(x), axis=1, ddof=1)]
       for f in (np.nanvar, np.nanstd)},
    **{f: [f, lambda x, f=f: f(some_nan(x), axis=0)] for f in (np.nancumsum, np.nancumprod)},
    **{f: [f, lambda x, f=f: f(some_nan(x), axis=1)] for f in (np.nanargmax, np.nanargmin)},
    np.select: [lambda x: np.select([x > 1, x > 0.5], [x * 2, x + x], 0 * x),
        lambda x: np.select([x > 1], [x])],
    np.choose: [lambda x: np.choose(np.array([[0, 1, 0], [1, 1, 0]]), [x, x + x]),
        lambda x: np.choose(np.array([3, -1, 2]), [x[0], x[1]], mode="clip"),
        lambda x: np.choose(np.array([3, -1, 2]), [x[0], x[1]], mode="wrap")],
    np.compress: [lambda x: np.compress([True, False, True], x, axis=1),
        lambda x: np.compress([True, False, True], x)],
    np.extract: [lambda x: np.extract(np.array([[True, False, True], [False, True, False]]), x)],
    np.isin: [lambda x: np.isin(x, [0.125, 1, 0.625]),
        lambda x: np.isin(x, [0.125, 1], invert=True)],
    np.bincount: [lambda x: np.bincount(np.array([1, 0, 1]), x[0], minlength=4),
        lambda x: np.bincount(np.array([1, 0, 1]))],
    np.copyto: [lambda x: written(np.copyto, x, x[0], where=x > 0.5)],
    np.putmask: [lambda x: written(np.putmask, x, x > 0.5, x[1])],
    np.put_along_axis: [lambda x: written(np.put_along_axis, x, INDICES, x[:, 1:], 1)],
    np.fill_diagonal: [lambda x: written(np.fill_diagonal, x, x[0, 1])],
    np.dstack: [lambda x: np.dstack([x, x]), lambda x: np.dstack([x[0], x[1]])],
    np.block: [lambda x: np.block([[x, x], [x, np.ones((2, 3))]]),
        lambda x: np.block([x[0], x[1]])],
    np.insert: [lambda x: np.insert(x, 1, x[0, 0]), lambda x: np.insert(x, -1, x[:, 0], axis=1)],
    np.delete: [lambda x: np.delete(x, 1), lambda x: np.delete(x, [0, 2], axis=1)],
    np.unstack: [np.unstack, lambda x: np.unstack(x, axis=-1)],
    np.kron: [lambda x: np.kron(x, x), lambda x: np.kron(x[0], x)],
    np.cross: [lambda x: np.cross(x * 1.0, x[::-1] * 1.0),
        lambda x: np.cross(x.T * 1.0, x[::-1].T * 1.0, axis=0)],
    np.linalg.cross: [lambda x: np.linalg.cross(x * 1.0, x[::-1] * 1.0)],
    np.linalg.multi_dot: [lambda x: np.linalg.multi_dot([x, x.T, x])],
    np.linalg.matrix_power: [
        *(lambda x, n=n: np.linalg.matrix_power(x[:, :2] * 1.0, n) for n in (0, 1, 2, 5)),
        lambda x: np.linalg.matrix_power(positive(x), -3)],
    np.linalg.diagonal: [lambda x: np.linalg.diagonal(x[None], offset=1)],
    np.linalg.trace: [np.linalg.trace, lambda x: np.linalg.trace(x[None], offset=-1)],
    np.linalg.outer: [lambda x: np.linalg.outer(x[0], x[1])],
    np.linalg.tensordot: [lambda x: np.linalg.tensordot(x, x.T, axes=1)],
    np.linalg.matmul: [lambda x: np.linalg.matmul(x, x.T)],
    np.linalg.vecdot: [lambda x: np.linalg.vecdot(x, x), lambda x: np.linalg.vecdot(x, x, axis=0)],
    np.linalg.vector_norm: [np.linalg.vector_norm,
        *(lambda x, p=p: np.linalg.vector_norm(x * 1.0, axis=1, ord=p)
            for p in (0, 1, 2, 3, np.inf, -np.inf, 0.5))],
    np.linalg.matrix_norm: [np.linalg.matrix_norm, lambda x: np.linalg.matrix_norm(x, ord=1)],
    np.rollaxis: [lambda x: np.rollaxis(x[None], 2), lambda x: np.rollaxis(x[None], 0, 3)],
    **{f: [f] for f in (np.matrix_transpose, np.linalg.matrix_transpose, np.real, np.iscomplex,
        np.isreal, np.real_if_close, np.isposinf, np.isneginf)},
    np.imag: [lambda x: np.imag(x)],
    np.broadcast_arrays: [lambda x: np.broadcast_arrays(x, x[0]),
        lambda x: np.broadcast_arrays(x[:, :1], x[:1])],
    np.astype: [lambda x: np.astype(x, np.float32)],
    np.diagflat: [np.diagflat, lambda x: np.diagflat(x[0], 1)],
    np.rot90: [*(lambda x, k=k: np.rot90(x, k) for k in range(-1, 5))],
    np.resize: [lambda x: np.resize(x, (2, 4)), lambda x: np.resize(x, 3)],
    np.dsplit: [lambda x: np.dsplit(x[None], 3)],
    np.linalg.solve: [lambda x: np.linalg.solve(positive(x), x[0]),
        lambda x: np.linalg.solve(positive(x), x.T), lambda x: np.linalg.solve(stacked(x), x.T)],
    **{f: [lambda x, f=f: f(positive(x)), lambda x, f=f: f(stacked(x))]
       for f in (np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.eigvalsh,
                 np.linalg.cholesky)},
    np.linalg.pinv: [np.linalg.pinv, lambda x: np.linalg.pinv(x.T, 1e-3)],
    np.linalg.lstsq: [lambda x: np.linalg.lstsq(x.T, x[0], rcond=None),
        lambda x: np.linalg.lstsq(x, x[:, 0], rcond=1e-4)],
    np.linalg.matrix_rank: [np.linalg.matrix_rank, lambda x: np.linalg.matrix_rank(x[0]),
        lambda x: np.linalg.matrix_rank(positive(x), tol=4.5),
        lambda x: np.linalg.matrix_rank(positive(x), hermitian=True)],
    np.linalg.tensorsolve: [lambda x: np.linalg.tensorsolve(positive(x)[:, None], x[0][:, None])],
    np.linalg.tensorinv: [lambda x: np.linalg.tensorinv(positive(x)[:, None])],
    np.linalg.eigh: [lambda x: eigen(positive(x)), lambda x: eigen(stacked(x))],
    np.linalg.svd: [lambda x: one_sign(*np.linalg.svd(x, full_matrices=False)),
        lambda x: one_sign(*np.linalg.svd(stacked(x))),
        lambda x: np.linalg.svd(x, compute_uv=False)],
    np.linalg.svdvals: [np.linalg.svdvals],
    np.linalg.qr: [np.linalg.qr, lambda x: np.linalg.qr(x.T), lambda x: np.linalg.qr(x, "r"),
        lambda x: np.linalg.qr(x, mode="complete")],
    np.linalg.cond: [np.linalg.cond,
        *(lambda x, p=p: np.linalg.cond(positive(x), p) for p in (-2, 1, "fro"))],
}  # fmt: skip
"""Calls of each function that has a rule; a function without one fails a test."""
