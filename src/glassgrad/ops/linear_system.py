"""Systems of linear equations: solve, inverses and determinants of stacked matrices.

The rules are those of Giles (2008), "Collected matrix derivative results for forward and reverse
mode algorithmic differentiation", and of Golub and Pereyra (1973) for the pseudo-inverse. They are
written in the op's own result, so that they can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.errors import MatrixError
from glassgrad.graph.family import full_like
from glassgrad.graph.node import Node, item, make
from glassgrad.graph.op import Aval, Op
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.matrix import (
    chain,
    check_matrices,
    count,
    each,
    eye_less,
    inner,
    lower,
    stack_shape,
    turned,
    upper,
)


class Solve(Op):
    """The matrix x of a·x = b, for each pair of a stack."""

    name = "solve"
    verb = "solves with the transposed matrix for the gradient of b"
    domain = "matrices that have an inverse; a singular one is a LinAlgError"
    cost = "2/3·n³ + 2·n²·m for a matrix n x n and m columns of b"

    def infer(self, *inputs: Node) -> Aval:
        """The shape of b."""
        a, b = inputs
        check_matrices("solve", a, b, square=True)
        if a.shape[:-1] != b.shape[:-1]:
            raise MatrixError(
                f"solve: a matrix of shape {a.shape} and a right-hand side of shape {b.shape} do "
                f"not fit: b needs {a.shape[-1]} rows, and as many matrices{at_caller()}"
            )
        return b.shape, b.dtype

    def flops(self, node: Node) -> int:
        """A factorisation, and two triangular systems for each column."""
        n, m = node.shape[-2:]
        return count(node) * (2 * n**3 // 3 + 2 * n * n * m)

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent h of b solves aᵀ·h = g; that of a is -h·xᵀ."""
        a, _ = node.inputs
        h = make(self, turned(a), g)
        return -chain(h, turned(node)), h

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The tangent solves a·ẋ = ḃ - ȧ·x."""
        s, t = tangents
        return _tangent(self, node, None if s is None else -chain(s, node), t)


def _tangent(op: Op, node: Node, moved: Node | None, t: Node | None) -> Node | None:
    """The tangent of a solution: that of the system with `moved` + `t` on the right."""
    right = moved if t is None else t if moved is None else t + moved
    return None if right is None else make(op, node.inputs[0], right)


class SolveTriangular(Op):
    """The matrix x of a·x = b, where only one triangle of each matrix a is read."""

    name = "solve_triangular"
    verb = "solves with the transposed triangle for the gradient of b"
    domain = "triangles without a zero on the diagonal; with one it is a LinAlgError"
    cost = "n²·m for a triangle n x n and m columns of b"
    lower: bool

    def infer(self, *inputs: Node) -> Aval:
        """The shape of b."""
        a, b = inputs
        check_matrices("solve_triangular", a, b, square=True)
        if a.shape[:-1] != b.shape[:-1]:
            raise MatrixError(f"solve_triangular: shapes {a.shape} and {b.shape}{at_caller()}")
        return b.shape, b.dtype

    def flops(self, node: Node) -> int:
        """A product and a sum for each entry of the triangle and column."""
        n, m = node.shape[-2:]
        return count(node) * n * n * m

    def _kept(self, x: Node) -> Node:
        return lower(x) if self.lower else upper(x)

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent h of b solves aᵀ·h = g; that of a is the triangle of -h·xᵀ."""
        h = make(SolveTriangular(not self.lower), turned(node.inputs[0]), g)
        return self._kept(-chain(h, turned(node))), h

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The tangent solves a·ẋ = ḃ - ȧ·x, with the triangle of ȧ."""
        s, t = tangents
        return _tangent(self, node, None if s is None else -chain(self._kept(s), node), t)


class Inverse(Op):
    """The inverse of each matrix of a stack; where it is not `strict`, infinite if singular."""

    name = "inv"
    verb = "multiplies the gradient by the transposed inverse on both sides, and by -1"
    domain = "matrices that have an inverse; a singular one is a LinAlgError"
    cost = "2·n³ for a matrix n x n"
    strict: bool = True

    def infer(self, *inputs: Node) -> Aval:
        """The same shape."""
        check_matrices("inv", *inputs, square=True)
        return inputs[0].shape, inputs[0].dtype

    def flops(self, node: Node) -> int:
        """A factorisation, and n right-hand sides."""
        return count(node) * 2 * node.shape[-1] ** 3

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """-yᵀ·g·yᵀ, for the inverse y."""
        y = turned(node)
        return (-chain(y, g, y),)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """-y·ȧ·y."""
        (t,) = tangents
        return None if t is None else -chain(node, t, node)


class LogDeterminant(Op):
    """(sign, log|determinant|) of each matrix; (0, -inf) of a singular one."""

    name = "slogdet"
    verb = "scales the transposed inverse by the gradient"
    domain = "all square matrices"
    kinks = (
        "the sign is constant: its derivative is 0; at a singular matrix the logarithm has a pole, "
        "which a cotangent of 0 does not see"
    )
    cost = "2/3·n³ for a matrix n x n"

    def infer(self, *inputs: Node) -> tuple[Aval, ...]:
        """Two numbers for each matrix."""
        (a,) = inputs
        check_matrices("slogdet", a, square=True)
        number = (a.shape[:-2], a.dtype)
        return number, number

    def flops(self, node: Node) -> int:
        """A factorisation."""
        a = node.inputs[0]
        return count(a) * (2 * a.shape[-1] ** 3 // 3)

    def vjp(self, node: Node, g: Sequence[Node | None]) -> Sequence[Node | None]:
        """The cotangent of the logarithm times the transposed inverse."""
        if g[1] is None:
            return (None,)
        local = self._slope(node)
        unchosen = k.logical_and(k.equal(each(g[1]), 0), k.logical_not(k.isfinite(local)))
        return (k.where(unchosen, 0, each(g[1]) * local),)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Sequence[Node | None]:
        """The trace of the inverse times ȧ."""
        (t,) = tangents
        return None, None if t is None else inner(self._slope(node), t)

    def _slope(self, node: Node) -> Node:
        return turned(make(Inverse(False), node.inputs[0]))


class Determinant(Op):
    """The determinant of each matrix."""

    name = "det"
    verb = "scales the matrix of cofactors by the gradient"
    domain = "all square matrices"
    cost = "2/3·n³ for a matrix n x n"

    def infer(self, *inputs: Node) -> Aval:
        """A number for each matrix."""
        (a,) = inputs
        check_matrices("det", a, square=True)
        return a.shape[:-2], a.dtype

    def flops(self, node: Node) -> int:
        """A factorisation."""
        a = node.inputs[0]
        return count(a) * (2 * a.shape[-1] ** 3 // 3)

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent times the cofactors, which a singular matrix has, too."""
        return (each(g) * make(Cofactors(), node.inputs[0]),)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The sum of ȧ times the cofactors."""
        (t,) = tangents
        return None if t is None else inner(make(Cofactors(), node.inputs[0]), t)


class Cofactors(Op):
    """The cofactors of each matrix: determinant times transposed inverse, finite at any rank."""

    name = "cofactors"
    verb = "passes what is left of the gradient when rows and columns are taken away"
    domain = "all square matrices; from 3 x 3 on the derivative: those that have an inverse"
    kinks = "a singular matrix from 3 x 3 on: the formula divides by its determinant, which is 0"
    cost = "2·n³ for a matrix n x n that has an inverse"

    def infer(self, *inputs: Node) -> Aval:
        """The same shape."""
        check_matrices("cofactors", *inputs, square=True)
        return inputs[0].shape, inputs[0].dtype

    def flops(self, node: Node) -> int:
        """An inverse."""
        return count(node) * 2 * node.shape[-1] ** 3

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """((g·c)·c - c·gᵀ·c)/determinant, for the cofactors c."""
        return (self._along(node, g),)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The same form in ȧ: the second derivative of a determinant is symmetric."""
        (t,) = tangents
        return None if t is None else self._along(node, t)

    def _along(self, node: Node, t: Node) -> Node:
        n = node.shape[-1]
        if n < 2:
            return full_like(node, 0)
        if n == 2:  # linear
            return make(self, t)
        whole = each(inner(t, node)) * node - chain(node, turned(t), node)
        return whole / each(make(Determinant(), node.inputs[0]))


class PseudoInverse(Op):
    """The Moore-Penrose inverse; singular values below rcond times the largest count as 0."""

    name = "pinv"
    verb = "multiplies the gradient by the transposed inverse on both sides, and by -1"
    domain = "all matrices; the derivative: where the rank does not change"
    kinks = "a change of rank: the derivative is that along matrices of the same rank"
    cost = "as of a singular value decomposition"
    rcond: float

    def infer(self, *inputs: Node) -> Aval:
        """The shape of the transposed matrices."""
        (a,) = inputs
        check_matrices("pinv", a)
        return stack_shape(a, a.shape[-1], a.shape[-2]), a.dtype

    def flops(self, node: Node) -> int:
        """About that of a decomposition."""
        m, n = node.shape[-2:]
        return count(node) * 22 * max(m, n) * min(m, n) ** 2

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """-yᵀ·g·yᵀ, and what moves the row and column spaces."""
        a, y = node.inputs[0], node
        yt, gt = turned(y), turned(g)
        columns = chain(eye_less(chain(a, y)), gt, y, yt)
        rows = chain(yt, y, gt, eye_less(chain(y, a)))
        return (columns + rows - chain(yt, g, yt),)

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """-y·ȧ·y, and what moves the row and column spaces."""
        (t,) = tangents
        if t is None:
            return None
        a, y = node.inputs[0], node
        yt, tt = turned(y), turned(t)
        columns = chain(y, yt, tt, eye_less(chain(a, y)))
        rows = chain(eye_less(chain(y, a)), tt, yt, y)
        return columns + rows - chain(y, t, y)


def solve(a: Node, b: Node) -> Node:
    """The solution of a·x = b for stacked matrices."""
    return make(Solve(), a, b)


def solve_triangular(a: Node, b: Node, lower: bool) -> Node:
    """The solution of a·x = b, reading one triangle of a."""
    return make(SolveTriangular(lower), a, b)


def inv(a: Node) -> Node:
    """The inverse of each matrix."""
    return make(Inverse(), a)


def slogdet(a: Node) -> tuple[Node, Node]:
    """The sign of the determinant and the logarithm of its absolute value."""
    both = make(LogDeterminant(), a)
    return item(both, 0), item(both, 1)
