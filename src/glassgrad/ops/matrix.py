"""Stacks of matrices: the last two axes are rows and columns, those before number the stack."""

from __future__ import annotations

from math import prod

import numpy as np

from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.errors import DTypeError, MatrixError
from glassgrad.graph.family import broadcast_to, reshape
from glassgrad.graph.node import Node, constant
from glassgrad.graph.op import Shape
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.contract import contract, matmul
from glassgrad.ops.reduce import sum_
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


def places(x: Node) -> tuple[Node, Node]:
    """The number of each row, as a column, and of each column: masks compare them.

    A constant mask would hold as many numbers as a matrix.
    """
    down, across = (constant(x.trace, np.arange(n, dtype=np.int64)) for n in x.shape[-2:])
    return reshape(down, (x.shape[-2], 1)), across


def on_diagonal(x: Node, value: Node | float, otherwise: Node | float) -> Node:
    """One value on the diagonal of each matrix, another off it."""
    return k.where(k.equal(*places(x)), value, otherwise)


def lower(x: Node, diagonal: int = 0) -> Node:
    """Each matrix with zeros above a diagonal."""
    down, across = places(x)
    return k.where(k.less_equal(across, down + diagonal), x, 0)


def upper(x: Node) -> Node:
    """Each matrix with zeros below the diagonal."""
    return k.where(k.less_equal(*places(x)), x, 0)


def halved(x: Node) -> Node:
    """Each square matrix with zeros above the diagonal, and half of the diagonal."""
    return lower(on_diagonal(x, 0.5 * x, x))


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
    return sum_(on_diagonal(x, x, 0), (x.ndim - 1,))


def diagonal_matrix(v: Node) -> Node:
    """Stacked vectors as diagonal matrices."""
    wide = broadcast_to(row(v), (*v.shape, v.shape[-1]))
    return on_diagonal(wide, wide, 0)


def eye_less(x: Node) -> Node:
    """The identity less each square matrix."""
    return on_diagonal(x, 1 - x, -x)


def quotient(top: Node, bottom: Node) -> Node:
    """top/bottom, where 0/0 is 0 and any other number over 0 is infinite: a true pole."""
    nothing = k.logical_and(k.equal(top, 0), k.equal(bottom, 0))
    return k.where(nothing, 0, top / k.where(nothing, 1, bottom))


def off_diagonal_quotient(top: Node, bottom: Node) -> Node:
    """`quotient` off the diagonal, 0 on it."""
    return quotient(on_diagonal(top, 0, top), on_diagonal(bottom, 1, bottom))


def stack_shape(x: Node, rows: int, columns: int) -> Shape:
    """The shape of a stack as long as that of `x`, of matrices of another size."""
    return (*x.shape[:-2], rows, columns)
