"""What the ops of linear algebra mean, in 30 digits by mpmath, given back as long doubles.

Signs of vectors, which no equation determines, are those that NumPy finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np

from glassgrad.graph.op import Op
from glassgrad.ops.factor import Cholesky, OrthogonalFactor, SingularValues, SymmetricEigen
from glassgrad.ops.linear_system import (
    Cofactors,
    Determinant,
    Inverse,
    LogDeterminant,
    PseudoInverse,
    Solve,
    SolveTriangular,
)

LONG = np.longdouble
MP = mpmath.mp.clone()
MP.dps = 30


def exact(x: np.ndarray) -> Any:
    """A matrix of long doubles in mpmath: each is the sum of two doubles."""
    high = x.astype(np.float64)
    low = (x - high).astype(np.float64)
    made = MP.matrix(*x.shape)
    for i, j in np.ndindex(x.shape):
        made[i, j] = MP.mpf(float(high[i, j])) + MP.mpf(float(low[i, j]))
    return made


def rounded(x: Any) -> Any:
    """Numbers and matrices of mpmath as long doubles."""
    if not isinstance(x, MP.matrix):
        high = float(x)
        return LONG(high) + LONG(float(x - high)) if np.isfinite(high) else LONG(high)
    return np.array([[rounded(x[i, j]) for j in range(x.cols)] for i in range(x.rows)], LONG)


def lower(a: Any) -> Any:
    """The symmetric matrix of a lower triangle."""
    return MP.matrix(a.rows, a.cols) if not a.rows else MP.matrix(
        [[a[max(i, j), min(i, j)] for j in range(a.cols)] for i in range(a.rows)]
    )  # fmt: skip


def triangle(op: SolveTriangular, a: Any, b: Any) -> Any:
    """The solution, with the other triangle left out."""
    kept = a.copy()
    for i in range(a.rows):
        for j in range(a.cols):
            if (j > i) if op.lower else (j < i):
                kept[i, j] = 0
    return columns(kept, b)


def columns(a: Any, b: Any) -> Any:
    """The solution of a·x = b, column by column."""
    found = MP.matrix(b.rows, b.cols)
    for j in range(b.cols):
        found[:, j] = MP.lu_solve(a, b[:, j])
    return found


def left(a: Any, i: int, j: int) -> Any:
    """A matrix without a row and a column."""
    rows, across = ([k for k in range(a.rows) if k != x] for x in (i, j))
    found = MP.matrix(a.rows - 1, a.rows - 1)
    for p, q in np.ndindex(found.rows, found.cols):
        found[p, q] = a[rows[p], across[q]]
    return found


def determinant(a: Any) -> Any:
    """Along the first column, as the definition says."""
    if not a.rows:
        return MP.mpf(1)
    terms = ((-1) ** i * a[i, 0] * determinant(left(a, i, 0)) for i in range(a.rows))
    return sum(terms, MP.mpf(0))


def cofactors(a: Any) -> Any:
    """Each by the determinant of what is left without its row and column."""
    found = MP.matrix(a.rows, a.rows)
    for i, j in np.ndindex(a.rows, a.rows):
        found[i, j] = (-1) ** (i + j) * determinant(left(a, i, j))
    return found


def pseudo(a: Any) -> Any:
    """Of full rank."""
    if a.rows >= a.cols:
        return MP.inverse(a.T * a) * a.T
    return a.T * MP.inverse(a * a.T)


def signed(vectors: Any, like: np.ndarray) -> Any:
    """Columns with the signs of other columns."""
    found = vectors.copy()
    for j in range(vectors.cols):
        if sum(float(vectors[i, j]) * like[i, j] for i in range(vectors.rows)) < 0:
            found[:, j] = -found[:, j]
    return found


def plain(a: Any) -> np.ndarray:
    """A matrix as NumPy's."""
    return rounded(a).astype(np.float64).reshape(a.rows, a.cols)


def eigen(a: Any) -> list[Any]:
    """Values and vectors."""
    values, vectors = MP.eigsy(lower(a))
    return [MP.matrix(values), signed(vectors, np.linalg.eigh(plain(a))[1])]


def singular(a: Any) -> list[Any]:
    """The reduced factors: left vectors from right ones."""
    _, s, vt = MP.svd_r(a)
    v = signed(vt.T, np.linalg.svd(plain(a), full_matrices=False)[2].T)
    u = a * v
    for j in range(u.cols):
        u[:, j] = u[:, j] / s[j]
    return [u, s, v.T]


def orthogonal(a: Any) -> list[Any]:
    """By Gram and Schmidt, which 30 digits bear."""
    q = MP.matrix(a.rows, min(a.rows, a.cols))
    for j in range(q.cols):
        x = a[:, j]
        for i in range(j):
            x = x - q[:, i] * (q[:, i].T * a[:, j])[0]
        q[:, j] = x / MP.norm(x)
    q = signed(q, np.linalg.qr(plain(a))[0])
    r = q.T * a
    for i in range(r.rows):
        for j in range(min(i, r.cols)):
            r[i, j] = MP.mpf(0)
    return [q, r]


def log_determinant(a: Any) -> list[Any]:
    """The sign, and the logarithm."""
    det = determinant(a)
    return [MP.sign(det), MP.log(abs(det))]


EXACT: dict[type[Op], Callable[..., Any]] = {
    Solve: lambda op, a, b: columns(a, b),
    SolveTriangular: triangle,
    Inverse: lambda op, a: MP.inverse(a),
    LogDeterminant: lambda op, a: log_determinant(a),
    Determinant: lambda op, a: determinant(a),
    Cofactors: lambda op, a: cofactors(a),
    PseudoInverse: lambda op, a: pseudo(a),
    Cholesky: lambda op, a: MP.cholesky(lower(a)),
    SymmetricEigen: lambda op, a: eigen(a),
    SingularValues: lambda op, a: singular(a),
    OrthogonalFactor: lambda op, a: orthogonal(a),
}

VECTORS = {(SymmetricEigen, 0), (SingularValues, 1)}
"""Results that are a vector, which mpmath gives as a column."""


def matrix_meaning(op: Op, arrays: Sequence[np.ndarray], result: int) -> np.ndarray:
    """The value that one result of the op should have, for each matrix of a stack."""
    batch = arrays[0].shape[:-2]
    found = []
    for at in np.ndindex(batch):
        one = EXACT[type(op)](op, *(exact(np.asarray(x[at], LONG)) for x in arrays))
        value = rounded(one[result] if isinstance(one, list) else one)
        found.append(value.ravel() if (type(op), result) in VECTORS else value)
    return np.array(found, LONG).reshape((*batch, *np.shape(found[0])))
