"""Determinants, cofactors and pseudo-inverses by factorisations, before anything is planned."""

from __future__ import annotations

from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.dtype import FLOAT64
from glassgrad.graph.family import broadcast_to, cast
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node, Trace, new_input
from glassgrad.ops.factor import svd
from glassgrad.ops.linear_system import (
    Cofactors,
    Determinant,
    PseudoInverse,
    inv,
    slogdet,
)
from glassgrad.ops.loop import Cond, results_of
from glassgrad.ops.matrix import chain, column, each, on_diagonal, row, turned
from glassgrad.ops.product import product
from glassgrad.ops.reduce import reduce, zeros_like

COMPOSITE = (Determinant, Cofactors, PseudoInverse)


def by_factors(node: Node) -> Node:
    """What a composite node is, by factorisations."""
    op, (a,) = node.op, node.inputs
    if isinstance(op, Determinant):
        return _determinant(a)
    if isinstance(op, PseudoInverse):
        return _pseudo_inverse(a, op.rcond)
    return _cofactors(a)


def _determinant(a: Node) -> Node:
    """In double precision: a large logarithm takes digits."""
    sign, logarithm = slogdet(cast(a, FLOAT64))
    return cast(sign * k.exp(logarithm), a.dtype)


def _pseudo_inverse(a: Node, rcond: float) -> Node:
    """Singular values above the cutoff are inverted, all others become 0."""
    u, s, vt = svd(a)
    if not s.size:
        return turned(zeros_like(a))
    axis = s.ndim - 1
    large = k.less(reduce(s, "max", (axis,), keepdims=True) * rcond, s)
    inverse = k.where(large, 1 / k.where(large, s, 1), 0)
    return chain(turned(vt), column(inverse) * turned(u))


def _cofactors(a: Node) -> Node:
    """Determinant times transposed inverse; of singular matrices by their singular values."""
    det = _determinant(a)
    x = new_input(Trace(), "a", a.shape, a.dtype)
    y = new_input(x.trace, "a", a.shape, a.dtype)
    regular = Function([x], [each(_determinant(x)) * turned(inv(x))])
    singular = Function([y], [_of_any_rank(y)])
    pred = reduce(k.not_equal(det, 0), "all", tuple(range(det.ndim)))
    return results_of(Cond(regular, singular), pred, a)[0]


def _of_any_rank(a: Node) -> Node:
    """det(u)·det(v)·u·diag(Π_{j≠i} sⱼ)·vᵀ."""
    u, s, vt = svd(a)
    sign = slogdet(u)[0] * slogdet(vt)[0]
    wide = broadcast_to(row(s), a.shape)
    others = product(on_diagonal(wide, 1, wide), (s.ndim,))
    return each(sign) * chain(u * row(others), vt)


__all__ = ["COMPOSITE", "by_factors"]
