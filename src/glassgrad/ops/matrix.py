"""Stacks of matrices: the last two axes are rows and columns, those before number the stack."""

from __future__ import annotations

from math import prod

import numpy as np

from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.errors import DTypeError, MatrixError
from glassgrad.graph.family import reshape
from glassgrad.graph.node import Node, constant
from glassgrad.graph.op import Shape
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.contract import contract, matmul
from glassgrad.ops.view import transpose


def check_matrices(name: str, *operands: Node, square: bool = False) -> None:
    """Raise unless all are stacks of matrices of one float dtype (the first of square ones)."""
    first = operands[0]
    for x in operands:
        if x.ndim < 2:
            raise MatrixError(
                f"{name} takes matrices in the last two axes, not an array of shape {x.shape}"
                f"{at_caller()}"
            )
        if x.dtype.kind != "f" or x.dtype != first.dtype:
            raise DTypeError(f"{name} takes matrices of one float dtype, not {x.dtype}")
    if square and first.shape[-1] != first.shape[-2]:
        raise MatrixError(
            f"{name} takes square matrices in the last two axes, not shape {first.shape}"
            f"{at_caller()}"
        )


def count(x: Node) -> int:
    """How many matrices a stack has."""
    return prod(x.shape[:-2])


def turned(x: Node) -> Node:
    """Each matrix transposed."""
    n = x.ndim
    return transpose(x, (*range(n - 2), n - 1, n - 2))


def chain(*matrices: Node) -> Node:
    """The product of matrices, from left to right."""
    found = matrices[0]
    for x in matrices[1:]:
        found = matmul(found, x)
    return found


def lower(x: Node, diagonal: int = 0) -> Node:
    """Each matrix with zeros above a diagonal."""
    rows, columns = x.shape[-2:]
    kept = np.tri(rows, columns, diagonal, dtype=np.bool_)
    return k.where(constant(x.trace, kept), x, 0)


def upper(x: Node) -> Node:
    """Each matrix with zeros below the diagonal."""
    rows, columns = x.shape[-2:]
    kept = ~np.tri(rows, columns, -1, dtype=np.bool_)
    return k.where(constant(x.trace, kept), x, 0)


def halved(x: Node) -> Node:
    """Each square matrix with zeros above the diagonal, and half of the diagonal."""
    n = x.shape[-1]
    return lower(x) * constant(x.trace, (1 - np.eye(n) / 2).astype(x.dtype))


def mirrored(x: Node) -> Node:
    """The symmetric matrix that has this lower triangle."""
    return lower(x) + turned(lower(x, -1))


def from_mirrored(g: Node) -> Node:
    """The cotangent of a lower triangle, given that of the symmetric matrix: of `mirrored`."""
    return halved(g + turned(g))


def column(v: Node) -> Node:
    """Stacked vectors as matrices of one column: entry i scales row i."""
    return reshape(v, (*v.shape, 1))


def row(v: Node) -> Node:
    """Stacked vectors as matrices of one row: entry j scales column j."""
    return reshape(v, (*v.shape[:-1], 1, v.shape[-1]))


def each(v: Node) -> Node:
    """Stacked numbers as matrices of one entry, to scale a matrix each."""
    return reshape(v, (*v.shape, 1, 1))


def inner(x: Node, y: Node) -> Node:
    """The sum of products of the entries of each pair of matrices."""
    labels = tuple(range(x.ndim))
    return contract(x, labels, y, labels, labels[:-2])


def diagonal(x: Node) -> Node:
    """The diagonal of each square matrix."""
    n = x.shape[-1]
    labels = tuple(range(x.ndim))
    eye = constant(x.trace, np.eye(n, dtype=np.bool_))
    only = k.where(eye, x, 0)
    ones = constant(x.trace, np.ones(n, x.dtype))
    return contract(only, labels, ones, labels[-1:], labels[:-1])


def on_diagonal(v: Node) -> Node:
    """Stacked vectors as diagonal matrices."""
    eye = constant(v.trace, np.eye(v.shape[-1], dtype=np.bool_))
    return k.where(eye, row(v), 0)


def eye_less(x: Node) -> Node:
    """The identity less each square matrix."""
    return constant(x.trace, np.eye(x.shape[-1], dtype=x.dtype)) - x


def quotient(top: Node, bottom: Node) -> Node:
    """top/bottom, where 0/0 is 0 and any other number over 0 is infinite: a true pole."""
    nothing = k.logical_and(k.equal(top, 0), k.equal(bottom, 0))
    return k.where(nothing, 0, top / k.where(nothing, 1, bottom))


def off_diagonal_quotient(top: Node, bottom: Node) -> Node:
    """`quotient` off the diagonal, 0 on it."""
    eye = constant(top.trace, np.eye(top.shape[-1], dtype=np.bool_))
    return quotient(k.where(eye, 0, top), k.where(eye, 1, bottom))


def stack_shape(x: Node, rows: int, columns: int) -> Shape:
    """The shape of a stack as long as that of `x`, of matrices of another size."""
    return (*x.shape[:-2], rows, columns)
