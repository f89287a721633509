"""Linear algebra by NumPy: what np.linalg refuses is an error that names the node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glassgrad.graph.errors import MatrixError
from glassgrad.graph.node import NDArray, Node, at_site
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

_SINGULAR = "is singular: add a small multiple of the identity, or use np.linalg.pinv"
_WHY = {
    "solve": _SINGULAR,
    "inv": _SINGULAR,
    "solve_triangular": "has a zero on its diagonal: the columns that it comes from are dependent",
    "cholesky": "is not positive definite: add a small multiple of the identity",
}
_NO_END = "has no factorisation: look for NaN or infinity in it"

Run = Callable[..., Any]


def refused(node: Node, a: NDArray) -> MatrixError:
    """The error for a matrix that the op of a node does not take."""
    return MatrixError(f"{_told(node, a)}{at_site(node)}")


def _told(node: Node, a: NDArray) -> str:
    why = _WHY.get(node.name, _NO_END)
    shape, kind = np.shape(a), np.asarray(a).dtype
    if len(shape) < 3:
        return f"{node.name}: the {kind} matrix of shape {shape} {why}"
    return f"{node.name}: a matrix of the stack of shape {shape}, {kind}, {why}"


def _by_numpy(run: Run) -> Run:
    def checked(op: Op, node: Node, a: NDArray, *rest: NDArray) -> Any:
        try:
            return run(op, a, *rest)
        except np.linalg.LinAlgError:
            raise refused(node, a) from None

    return checked


def _triangular(op: SolveTriangular, a: NDArray, b: NDArray) -> NDArray:
    return np.linalg.solve(np.tril(a) if op.lower else np.triu(a), b)


def _cofactors(op: Cofactors, a: NDArray) -> NDArray:
    """Determinant times transposed inverse; of a singular matrix by its singular values.

    With a = u·diag(s)·vᵀ, the cofactors are det(u)·det(v)·u·diag(Π_{j≠i} sⱼ)·vᵀ.
    """
    det = np.linalg.det(a)
    if np.all(det):
        return det[..., None, None] * np.linalg.inv(a).swapaxes(-1, -2)
    u, s, vt = np.linalg.svd(a)
    sign = np.linalg.det(u) * np.linalg.det(vt)
    others = np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :])
    return (u * (sign[..., None] * others.prod(-1))[..., None, :]) @ vt


def _inverse(op: Inverse, a: NDArray) -> NDArray:
    """Singular matrices have an infinite inverse, or, where this is strict, none."""
    if op.strict:
        return np.linalg.inv(a)
    regular = np.linalg.slogdet(a)[0] != 0
    safe = np.where(regular[..., None, None], a, np.eye(a.shape[-1]))
    return np.where(regular[..., None, None], np.linalg.inv(safe), np.inf)


RUN: dict[type[Op], Run] = {
    Solve: _by_numpy(lambda op, a, b: np.linalg.solve(a, b)),
    SolveTriangular: _by_numpy(_triangular),
    Inverse: _by_numpy(_inverse),
    LogDeterminant: _by_numpy(lambda op, a: tuple(np.linalg.slogdet(a))),
    Determinant: _by_numpy(lambda op, a: np.linalg.det(a)),
    Cofactors: _by_numpy(_cofactors),
    PseudoInverse: _by_numpy(lambda op, a: np.linalg.pinv(a, op.rcond)),
    Cholesky: _by_numpy(lambda op, a: np.linalg.cholesky(a)),
    SymmetricEigen: _by_numpy(lambda op, a: tuple(np.linalg.eigh(a))),
    SingularValues: _by_numpy(lambda op, a: tuple(np.linalg.svd(a, full_matrices=False))),
    OrthogonalFactor: _by_numpy(lambda op, a: tuple(np.linalg.qr(a))),
}
"""How the reference engine runs an op on the arrays of a node."""
