"""Linear algebra on matrices that are well within each op's domain."""

from __future__ import annotations

import numpy as np

from campaign.maker import FLOATS, Maker
from glassgrad.graph.node import Node, item, make
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
from glassgrad.ops.view import Transpose

SQUARE = (Inverse(), Determinant(), Cofactors(), LogDeterminant(), Cholesky(), SymmetricEigen())
OBLONG = (PseudoInverse(1e-15), SingularValues(), OrthogonalFactor())


def algebra(m: Maker) -> Node | None:
    """An inverse, a factor, a determinant, or what solves a system, of one matrix or a stack."""
    lead = m.one(((), (), (1,), (2,), (3,), (2, 2), (0,)))
    n, k = (m.one((1, 2, 3, 4, 5, 8)) for _ in range(2))
    dtype = m.one(FLOATS)
    kind = m.one(("square", "oblong", "system"))
    if kind == "oblong":
        return _used(m, m.made(m.one(OBLONG), _apart(m, (*lead, n, k), dtype)))
    a = _apart(m, (*lead, n, n), dtype)
    if kind == "square":
        return _used(m, m.made(m.one(SQUARE), a))
    b = m.input(m.array((*lead, n, k), dtype))
    return m.made(m.one((Solve(), SolveTriangular(True), SolveTriangular(False))), a, b)


def _apart(m: Maker, shape: tuple[int, ...], dtype: str) -> Node:
    """Matrices of full rank, with singular and eigenvalues far from each other and from 0."""
    rows, columns = shape[-2:]
    wide = m.rng.uniform(-0.2, 0.2, shape)
    stretched = wide + np.eye(rows, columns) * (np.arange(columns) * 1.5 + 1.0)
    if m.chance(0.3):  # as the transpose of what is given
        turned = m.input(np.swapaxes(stretched, -1, -2).astype(dtype))
        axes = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
        return make(Transpose(axes), turned)
    return m.input(stretched.astype(dtype))


def _used(m: Maker, node: Node | None) -> Node | None:
    """One of several results, where there are several."""
    if node is None or node.outputs is None:
        return node
    return m.keep(item(node, int(m.rng.integers(len(node.outputs)))))
