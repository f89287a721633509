"""NumPy's functions of sampled lines on handles: slopes, areas, interpolation, grids."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassgrad.array.handle import Array
from glassgrad.array.protocol import implements, present
from glassgrad.array.shapes import reshape
from glassgrad.array.together import handle, handles
from glassgrad.graph.dtype import promote, to_float
from glassgrad.graph.errors import NoRuleError, ShapeError
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.reduce import normal_axes, one_axis


def _part(ndim: int, axis: int, part: Any) -> tuple[Any, ...]:
    """The index that takes `part` along one axis and the whole of the others."""
    return tuple(part if i == axis else slice(None) for i in range(ndim))


# -- differences and areas ----------------------------------------------------------------------


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """np.trapezoid: the area under a line through points."""
    y = handle(y) if x is None else handles(y, x)[0]
    (axis,) = normal_axes(axis, y.ndim, "trapezoid")
    after = y[_part(y.ndim, axis, slice(1, None))]
    before = y[_part(y.ndim, axis, slice(None, -1))]
    if x is not None:
        dx = np.diff(x) if np.ndim(x) == 1 else np.diff(x, axis=axis)
        if np.ndim(x) == 1:
            shape = tuple(dx.size if i == axis else 1 for i in range(y.ndim))
            dx = np.reshape(dx, shape)
    return np.sum(dx * (after + before) / 2.0, axis=axis)


@implements(np.gradient)
def gradient(f: Any, *spacing: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """np.gradient on an even grid: central differences inside, one-sided ones at the ends."""
    x = handle(f)
    x = x if x.dtype.kind == "f" else x.astype(np.float64)
    axes = normal_axes(axis, x.ndim, "gradient")
    steps = spacing or (1.0,)
    steps = steps * len(axes) if len(steps) == 1 else steps
    if len(steps) != len(axes) or any(np.ndim(h) for h in steps) or edge_order != 1:
        raise NoRuleError(
            f"np.gradient: one number as the spacing of each axis, and edge_order=1, have a rule"
            f"{at_caller()}"
        )
    found = [_slope(x, h, i) for h, i in zip(steps, axes)]
    return found[0] if len(found) == 1 else tuple(found)


def _slope(x: Array, h: Any, axis: int) -> Any:
    n = x.shape[axis]
    if n < 2:
        raise ShapeError(f"np.gradient: an axis of length {n} has no slope{at_caller()}")

    def at(low: int | None, high: int | None) -> Any:
        return x[_part(x.ndim, axis, slice(low, high))]

    inner = (at(2, None) - at(None, -2)) / (2.0 * h)
    return np.concatenate([(at(1, 2) - at(0, 1)) / h, inner, (at(-1, None) - at(-2, -1)) / h], axis)


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """np.ediff1d: the differences of all elements in a row."""
    parts = [to_begin, np.diff(np.ravel(ary)), to_end]
    kept = [np.ravel(handle(p).astype(ary.dtype)) for p in parts if p is not None]
    return np.concatenate(kept) if len(kept) > 1 else kept[0]


# -- values between points ------------------------------------------------------------------------


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """np.interp: on the line through points; outside, the values of the ends, whose slope is 0."""
    if period is not None:
        raise NoRuleError(f"np.interp: period has no rule: wrap x by np.remainder{at_caller()}")
    x, xp, fp = (a.astype(np.float64) for a in handles(x, xp, fp))
    n = xp.shape[0]
    above = np.clip(np.searchsorted(xp, x, side="right"), 1, max(n - 1, 1))
    x0, x1 = xp[above - 1], xp[np.minimum(above, n - 1)]
    y0, y1 = fp[above - 1], fp[np.minimum(above, n - 1)]
    apart = x1 != x0
    inside = y0 + (x - x0) * np.where(apart, (y1 - y0) / np.where(apart, x1 - x0, 1.0), 0.0)
    found = np.where(x == xp[-1], fp[-1], inside)
    found = np.where(x < xp[0], fp[0] if left is None else left, found)
    return np.where(x > xp[-1], fp[-1] if right is None else right, found)


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """np.polyval: coefficients from the highest power down."""
    p, x = handles(p, x)
    found = np.zeros_like(x)
    for i in range(p.shape[0]):
        found = found * x + p[i]
    return found


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """np.vander: the powers of each element, as columns."""
    x = handle(x)
    columns = [np.ones_like(x, dtype=np.promote_types(x.dtype, int))]
    for _ in range((x.shape[0] if N is None else N) - 1):
        columns.append(columns[-1] * x)
    return np.stack(columns if increasing else columns[::-1], axis=1)


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """np.convolve of two vectors: a sum of the longer one, shifted and scaled by the other."""
    a, v = (np.atleast_1d(x) for x in handles(a, v))
    a, v = (a, v) if a.size >= v.size else (v, a)
    n, m = a.size, v.size
    if a.ndim != 1 or v.ndim != 1 or not m:
        raise ShapeError(f"np.convolve takes two vectors that are not empty{at_caller()}")
    low, high = {"full": (0, n + m - 1), "same": ((m - 1) // 2, (m - 1) // 2 + n),
                 "valid": (m - 1, n)}[mode]  # fmt: skip
    wide = np.pad(a, (m - 1, m - 1))
    terms = [wide[m - 1 - j + low : m - 1 - j + high] * v[j] for j in range(m)]
    found = terms[0]
    for term in terms[1:]:
        found = found + term
    return found


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """np.correlate of two vectors."""
    a, v = handles(a, v)
    if a.shape[0] < v.shape[0] and mode != "full":
        return np.flip(convolve(v, np.flip(a), mode))
    return convolve(a, np.flip(v), mode)


# -- statistics of rows ---------------------------------------------------------------------------


@implements(np.cov)
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None
) -> Any:
    """np.cov: the covariances of rows (of columns, if not `rowvar`)."""
    rows = _rows(m, rowvar) if y is None else np.concatenate([_rows(m, rowvar), _rows(y, rowvar)])
    n = rows.shape[1] - (ddof if ddof is not None else int(not bias))
    apart = rows - np.mean(rows, axis=1, keepdims=True)
    return np.squeeze(apart @ apart.T / max(float(n), 0.0))


def _rows(m: Any, rowvar: bool) -> Any:
    x = np.atleast_2d(handle(m))
    x = x.T if not rowvar and np.ndim(m) > 1 else x
    return x.astype(np.float64)


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    """np.corrcoef: the covariances over the roots of the variances; not clipped to 1 in size."""
    c = cov(x, y, rowvar)
    if not c.ndim:
        return c / c
    roots = np.sqrt(np.diagonal(c))
    return c / roots[:, None] / roots


# -- grids ----------------------------------------------------------------------------------------


@implements(np.linspace)
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    """np.linspace between traced ends."""
    given = [x.dtype if isinstance(x, Array) else x for x in (start, stop)]
    a, b = (x.astype(to_float(promote(*given))) for x in handles(start, stop))
    parts = max(num - 1 if endpoint else num, 1)
    shape = (num, *[1] * max(a.ndim, b.ndim))
    fractions = reshape(handle(np.arange(num) / parts), shape).astype(a.dtype)
    found = np.moveaxis(a + (b - a) * fractions, 0, axis)
    found = found if dtype is None else found.astype(dtype)
    return (found, (b - a) / parts) if retstep else found


@implements(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    """np.logspace between traced exponents."""
    found = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return found if dtype is None else found.astype(dtype)


@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """np.geomspace between traced positive ends."""
    a, b = handles(start, stop)
    a, b = (x.astype(to_float(promote(a.dtype, b.dtype))) for x in (a, b))
    found = np.exp(linspace(np.log(a), np.log(b), num, endpoint, axis=axis))
    return found if dtype is None else found.astype(dtype)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """np.meshgrid: the coordinates of a grid, one array for each vector."""
    vectors = [np.ravel(x) for x in handles(*xi)]
    order = [1, 0, *range(2, len(vectors))] if indexing == "xy" and len(vectors) > 1 else None
    order = order or list(range(len(vectors)))
    shape = [vectors[i].size for i in order]
    opened = [
        reshape(v, tuple(v.size if k == i else 1 for k in order)) for i, v in enumerate(vectors)
    ]
    return tuple(opened if sparse else [np.broadcast_to(v, tuple(shape)) for v in opened])


def _cumulative(run: Any) -> Any:
    def accumulate(
        x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False
    ) -> Any:
        x = handle(x)
        if axis is None and x.ndim > 1:
            raise ShapeError(f"the axis of an array of {x.ndim} axes must be given{at_caller()}")
        along = 0 if axis is None else one_axis(axis, x.ndim, run.__name__)
        found = run(x, axis=along, dtype=dtype)
        if not include_initial:
            return found
        shape = tuple(1 if i == along else n for i, n in enumerate(found.shape))
        start = np.full(shape, 0 if run is np.cumsum else 1, found.dtype)
        return np.concatenate([start, found], axis=along)

    return accumulate


implements(*present("cumulative_sum"))(_cumulative(np.cumsum))
implements(*present("cumulative_prod"))(_cumulative(np.cumprod))
