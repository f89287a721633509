"""np.linalg on handles: systems, determinants, factorisations, and what is composed of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from glassgrad.array.handle import Array
from glassgrad.array.protocol import WITHOUT_RULE, implements
from glassgrad.array.shapes import reshape
from glassgrad.array.together import handle, together
from glassgrad.graph.dtype import promote, to_float
from glassgrad.graph.errors import MatrixError, NoRuleError
from glassgrad.graph.family import broadcast_to, cast
from glassgrad.graph.family import reshape as shaped
from glassgrad.graph.node import Node, make
from glassgrad.graph.op import Shape
from glassgrad.graph.provenance import at_caller
from glassgrad.ops import factor, linear_system
from glassgrad.ops.matrix import check_matrices, turned
from glassgrad.ops.reduce import one_axis, reduce
from glassgrad.ops.view import transpose


def _matrix(a: Any, name: str, square: bool = False) -> Node:
    """The node of a stack of matrices, in the dtype in which NumPy computes with it."""
    (x,) = together((a,))
    x = cast(x, to_float(x.dtype))
    check_matrices(name, x, square=square)
    return x


def _named(example: Any, parts: Sequence[Node]) -> Any:
    """Handles in the kind of tuple that NumPy returns."""
    kind, arrays = type(example), tuple(Array(x) for x in parts)
    return kind(*arrays) if hasattr(kind, "_fields") else arrays


# -- systems --------------------------------------------------------------------------------------


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Array:
    """np.linalg.solve: a second operand of one axis is a vector, any other holds matrices."""
    x, y = together((a, b))
    dtype = to_float(promote(x.dtype, y.dtype))
    x, y = cast(x, dtype), cast(y, dtype)
    check_matrices("solve", x, square=True)
    if not y.ndim:
        raise MatrixError(f"solve: the right-hand side is a number, not a vector{at_caller()}")
    vector = y.ndim == 1
    y = shaped(y, (*y.shape, 1)) if vector else y
    _check_rows(x, y)
    lead = _lead(x, y)
    found = linear_system.solve(
        broadcast_to(x, (*lead, *x.shape[-2:])), broadcast_to(y, (*lead, *y.shape[-2:]))
    )
    return Array(shaped(found, found.shape[:-1]) if vector else found)


def _check_rows(x: Node, y: Node) -> None:
    if y.shape[-2] != x.shape[-1]:
        raise MatrixError(
            f"solve: a matrix of shape {x.shape} needs a right-hand side of {x.shape[-1]} rows, "
            f"not of shape {y.shape}{at_caller()}"
        )


def _lead(x: Node, y: Node) -> Shape:
    try:
        return np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise MatrixError(
            f"solve: stacks of shapes {x.shape[:-2]} and {y.shape[:-2]} do not broadcast (a second "
            f"operand of two or more axes holds matrices){at_caller()}"
        ) from None


@implements(np.linalg.inv)
def inv(a: Any) -> Array:
    """np.linalg.inv."""
    return Array(linear_system.inv(_matrix(a, "inv", square=True)))


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, *, rtol: Any = None) -> Array:
    """np.linalg.pinv, with a known cutoff."""
    x = _matrix(a, "pinv")
    cutoff = rcond if rcond is not None else 1e-15 if rtol is None else rtol
    if isinstance(cutoff, Array) or np.ndim(cutoff):
        raise NoRuleError(f"np.linalg.pinv: only one known number as rcond has a rule{at_caller()}")
    return Array(make(linear_system.PseudoInverse(float(cutoff)), x))


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """np.linalg.lstsq by the pseudo-inverse: (solution, residuals, rank, singular values).

    Residuals are given wherever there are more rows than columns: NumPy leaves them out where the
    rank is not full, but a shape cannot depend on a traced number.
    """
    x, y = together((a, b))
    dtype = to_float(promote(x.dtype, y.dtype))
    x, y = cast(x, dtype), cast(y, dtype)
    if x.ndim != 2:
        raise MatrixError(f"lstsq takes a matrix, not an array of shape {x.shape}{at_caller()}")
    m, n = x.shape
    cutoff = max(m, n) * float(np.finfo(dtype).eps) if rcond is None else float(rcond)
    if rcond == -1:
        cutoff = float(np.finfo(dtype).eps)
    found = Array(make(linear_system.PseudoInverse(cutoff), x)) @ Array(y)
    values = Array(factor.svd(x)[1])
    rank = _rank(values, cutoff).astype(np.int32)
    residuals: Any = np.zeros(0, dtype)
    if m > n:
        residuals = np.sum((Array(y) - Array(x) @ found) ** 2, axis=0)
        residuals = reshape(residuals, (residuals.size,))
    return found, residuals, rank, values


def _rank(values: Array, cutoff: float) -> Any:
    if not values.shape[-1]:
        return np.sum(values > 0, axis=-1)
    return np.sum(values > np.max(values, axis=-1, keepdims=True) * cutoff, axis=-1)


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """np.linalg.matrix_rank; a count carries no derivative."""
    x = handle(A)
    if x.ndim < 2:
        return np.any(x != 0).astype(np.int64)
    values = np.abs(eigvalsh(x)) if hermitian else svdvals(x)
    if tol is not None:
        return np.sum(values > np.asarray(tol)[..., None], axis=-1)
    eps = max(x.shape[-2:]) * float(np.finfo(values.dtype).eps)
    return _rank(values, eps if rtol is None else float(rtol))


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """np.linalg.tensorsolve."""
    x, y = (Array(n) for n in together((a, b)))
    if axes is not None:
        axes = [one_axis(i, x.ndim, "tensorsolve") for i in axes]
        x = x.transpose([i for i in range(x.ndim) if i not in axes] + axes)
    shape = x.shape[y.ndim :]
    size = math.prod(shape)
    if size * math.prod(x.shape[: y.ndim]) != size**2 or y.size != size:
        raise MatrixError(
            f"tensorsolve: shapes {x.shape} and {y.shape} are no square system{at_caller()}"
        )
    return reshape(solve(reshape(x, (size, size)), reshape(y, (size,))), shape)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """np.linalg.tensorinv."""
    x = handle(a)
    if ind <= 0:
        raise MatrixError(f"tensorinv: ind must be positive, not {ind}{at_caller()}")
    rows = math.prod(x.shape[:ind])
    flat = reshape(x, (rows, x.size // rows if rows else 0))
    return reshape(inv(flat), (*x.shape[ind:], *x.shape[:ind]))


# -- determinants ---------------------------------------------------------------------------------


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """np.linalg.slogdet."""
    x = _matrix(a, "slogdet", square=True)
    return _named(np.linalg.slogdet(np.eye(1)), linear_system.slogdet(x))


@implements(np.linalg.det)
def det(a: Any) -> Array:
    """np.linalg.det; its derivative is finite at singular matrices, too."""
    return Array(make(linear_system.Determinant(), _matrix(a, "det", square=True)))


# -- factorisations -------------------------------------------------------------------------------


@implements(np.linalg.cholesky)
def cholesky(a: Any, *, upper: bool = False) -> Array:
    """np.linalg.cholesky: reads one triangle, so the other one gets no gradient."""
    x = _matrix(a, "cholesky", square=True)
    return Array(turned(factor.cholesky(turned(x))) if upper else factor.cholesky(x))


def _half(a: Any, UPLO: str, name: str) -> Node:
    x = _matrix(a, name, square=True)
    if UPLO.upper() not in ("L", "U"):
        raise MatrixError(f"{name}: UPLO must be 'L' or 'U', not {UPLO!r}{at_caller()}")
    return x if UPLO.upper() == "L" else turned(x)


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """np.linalg.eigh: reads one triangle, so the other one gets no gradient."""
    return _named(np.linalg.eigh(np.eye(1)), factor.eigh(_half(a, UPLO, "eigh")))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Array:
    """np.linalg.eigvalsh."""
    return Array(factor.eigh(_half(a, UPLO, "eigvalsh"))[0])


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """np.linalg.svd: reduced, or of square matrices; vectors that nothing determines have none."""
    x = _matrix(a, "svd")
    if compute_uv and full_matrices and x.shape[-1] != x.shape[-2]:
        raise NoRuleError(
            f"np.linalg.svd of shape {x.shape} with full_matrices=True adds vectors that nothing "
            f"determines, and that have no derivative: pass full_matrices=False{at_caller()}"
        )
    u, s, vt = factor.svd(x)
    if not compute_uv:
        return Array(s)
    return _named(np.linalg.svd(np.eye(1)), (u, s, vt))


def svdvals(x: Any) -> Array:
    """np.linalg.svdvals."""
    return Array(factor.svd(_matrix(x, "svdvals"))[1])


if hasattr(np.linalg, "svdvals"):
    implements(np.linalg.svdvals)(svdvals)


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """np.linalg.qr: reduced, or of matrices at least as wide as high; or r alone."""
    x = _matrix(a, "qr")
    if mode not in ("reduced", "r") and (mode != "complete" or x.shape[-2] > x.shape[-1]):
        raise NoRuleError(
            f"np.linalg.qr of shape {x.shape} with mode={mode!r} has no rule: mode='reduced' (and "
            f"'r') have one; the further columns of 'complete' are not determined{at_caller()}"
        )
    q, r = factor.qr(x)
    return Array(r) if mode == "r" else _named(np.linalg.qr(np.eye(1)), (q, r))


# -- what is composed -----------------------------------------------------------------------------


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """np.linalg.cond: infinite for a singular matrix where p asks for singular values."""
    a = Array(_matrix(x, "cond"))
    if p is None or p in (2, -2):
        s = svdvals(a)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return np.linalg.norm(a, p, axis=(-2, -1)) * np.linalg.norm(inv(a), p, axis=(-2, -1))


def singular_norm(x: Node, order: Any, axes: Sequence[int]) -> Node:
    """The norms of matrices in two axes that are those of their singular values."""
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    values = factor.svd(transpose(x, (*rest, *axes)))[1]
    kind = {2: "max", -2: "min", "nuc": "sum"}[order]
    return reduce(values, kind, (len(rest),))


for _function, _other in ((np.linalg.eig, "eigh"), (np.linalg.eigvals, "eigvalsh")):
    WITHOUT_RULE[_function] = (
        "the eigenvalues of a matrix that is not symmetric are complex, and complex numbers are "
        f"not supported yet: use np.linalg.{_other} where it is symmetric"
    )
