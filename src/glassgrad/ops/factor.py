"""Factorisations of stacked matrices: cholesky, eigh, svd and qr.

Rules: cholesky after Murray (2016, arXiv:1602.07527), eigh and svd after Giles (2008) and Townsend
(2016), qr after Seeger et al. (2017, arXiv:1710.08717). Where eigenvalues or singular values are
equal, the vectors are not determined and their rule divides by 0. A cotangent that asks nothing of
such a pair passes nothing (0/0 is 0); any other shows the pole (infinite or NaN). The values alone
never meet it.
"""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.graph.node import Node, item, make
from glassgrad.graph.op import Aval, Op
from glassgrad.ops.linear_system import solve_triangular
from glassgrad.ops.matrix import (
    chain,
    check_matrices,
    column,
    count,
    diagonal,
    diagonal_matrix,
    from_mirrored,
    halved,
    lower,
    mirrored,
    off_diagonal_quotient,
    quotient,
    row,
    stack_shape,
    turned,
    upper,
)
from glassgrad.ops.reduce import zeros_like
from glassgrad.ops.view import concatenate, rows

Cotangents = Sequence[Node | None]


def _sum(*terms: Node | None) -> Node | None:
    found: Node | None = None
    for term in terms:
        if term is not None:
            found = term if found is None else found + term
    return found


def _results(node: Node) -> list[Node]:
    return [item(node, i) for i in range(len(node.outputs or ()))]


class Cholesky(Op):
    """The lower triangle L of a = L·Lᵀ, for each symmetric matrix; reads its lower triangle."""

    name = "cholesky"
    verb = "sends the gradient to the lower triangle, from which the other one follows"
    domain = "positive definite matrices; any other is a LinAlgError"
    cost = "n³/3 for a matrix n x n"

    def infer(self, *inputs: Node) -> Aval:
        """The same shape."""
        check_matrices("cholesky", *inputs, square=True)
        return inputs[0].shape, inputs[0].dtype

    def flops(self, node: Node) -> int:
        """Half of a factorisation of any matrix."""
        return count(node) * (node.shape[-1] ** 3 // 3)

    def vjp(self, node: Node, g: Node) -> Cotangents:
        """The lower triangle of s + sᵀ, its diagonal halved, for s = L⁻ᵀ·Φ(Lᵀ·g)·L⁻¹."""
        back = turned(node)
        middle = halved(chain(back, g))
        left = solve_triangular(back, middle, False)
        return (from_mirrored(solve_triangular(back, turned(left), False)),)

    def jvp(self, node: Node, tangents: Cotangents) -> Node | None:
        """L·Φ(L⁻¹·ȧ·L⁻ᵀ); Φ keeps the lower triangle and half of the diagonal."""
        (t,) = tangents
        if t is None:
            return None
        left = solve_triangular(node, mirrored(t), True)
        return chain(node, halved(turned(solve_triangular(node, turned(left), True))))


class SymmetricEigen(Op):
    """(eigenvalues in ascending order, eigenvectors as columns); reads the lower triangle."""

    name = "eigh"
    verb = "sends the gradient to the lower triangle, by the eigenvectors"
    domain = "symmetric matrices: the upper triangle is not read"
    kinks = (
        "equal eigenvalues: their vectors have no derivative (a pole); the values have that of "
        "the vectors that were found"
    )
    cost = "about 9·n³ for a matrix n x n"

    def infer(self, *inputs: Node) -> tuple[Aval, ...]:
        """Values and vectors."""
        (a,) = inputs
        check_matrices("eigh", a, square=True)
        return (a.shape[:-1], a.dtype), (a.shape, a.dtype)

    def flops(self, node: Node) -> int:
        """Reduction to three diagonals, their values and vectors."""
        a = node.inputs[0]
        return count(a) * 9 * a.shape[-1] ** 3

    def vjp(self, node: Node, g: Cotangents) -> Cotangents:
        """v·(diag(g₀) + (vᵀ·g₁)/(λⱼ - λᵢ))·vᵀ, put on the lower triangle."""
        w, v = _results(node)
        values = None if g[0] is None else diagonal_matrix(g[0])
        vectors = None if g[1] is None else self._apart(w, chain(turned(v), g[1]))
        middle = _sum(values, vectors)
        return (None if middle is None else from_mirrored(chain(v, middle, turned(v))),)

    def jvp(self, node: Node, tangents: Cotangents) -> Sequence[Node | None]:
        """The diagonal of m = vᵀ·ȧ·v, and v·(m/(λⱼ - λᵢ))."""
        (t,) = tangents
        if t is None:
            return None, None
        w, v = _results(node)
        m = chain(turned(v), mirrored(t), v)
        return diagonal(m), chain(v, self._apart(w, m))

    @staticmethod
    def _apart(w: Node, x: Node) -> Node:
        return off_diagonal_quotient(x, row(w) - column(w))


class SingularValues(Op):
    """(u, s, vᵀ) of a = u·diag(s)·vᵀ, reduced, with s in descending order."""

    name = "svd"
    verb = "sends the gradient back by the singular vectors"
    domain = "all matrices"
    kinks = (
        "equal singular values, or one of 0: their vectors have no derivative (a pole); the "
        "values have that of the vectors that were found"
    )
    cost = "about 22·m·k² for a matrix of sides m and k, k the shorter"

    def infer(self, *inputs: Node) -> tuple[Aval, ...]:
        """Left vectors, values, right vectors as rows."""
        (a,) = inputs
        check_matrices("svd", a)
        m, n = a.shape[-2:]
        k = min(m, n)
        shapes = stack_shape(a, m, k), (*a.shape[:-2], k), stack_shape(a, k, n)
        return tuple((shape, a.dtype) for shape in shapes)

    def flops(self, node: Node) -> int:
        """Reduction to two diagonals, their values and vectors."""
        m, n = node.inputs[0].shape[-2:]
        return count(node.inputs[0]) * 22 * max(m, n) * min(m, n) ** 2

    def vjp(self, node: Node, g: Cotangents) -> Cotangents:
        """The parts of u, s and v, each by its own cotangent."""
        u, s, vt = _results(node)
        v, gu, gs, gvt = turned(vt), *g
        part = None if gs is None else diagonal_matrix(gs)
        outside: Node | None = None
        if gu is not None:
            x = chain(turned(u), gu)
            part = _sum(part, _rotation(s, x - turned(x)) * row(s))
            if u.shape[-2] > u.shape[-1]:
                outside = chain(quotient(gu - chain(u, x), row(s)), vt)
        if gvt is not None:
            x = chain(vt, turned(gvt))
            part = _sum(part, column(s) * _rotation(s, x - turned(x)))
            if v.shape[-2] > v.shape[-1]:
                left = quotient(gvt - chain(turned(x), vt), column(s))
                outside = _sum(outside, chain(u, left))
        return (_sum(None if part is None else chain(u, part, vt), outside),)

    def jvp(self, node: Node, tangents: Cotangents) -> Sequence[Node | None]:
        """The diagonal of p = uᵀ·ȧ·v, and the rotations that p asks of u and v."""
        (t,) = tangents
        if t is None:
            return None, None, None
        u, s, vt = _results(node)
        v = turned(vt)
        seen, from_left = chain(t, v), chain(turned(u), t)
        p = chain(turned(u), seen)
        sp, ps = column(s) * p, p * row(s)
        du = chain(u, _rotation(s, ps + turned(ps)))
        dvt = chain(turned(_rotation(s, sp + turned(sp))), vt)
        if u.shape[-2] > u.shape[-1]:
            du = du + quotient(seen - chain(u, p), row(s))
        if v.shape[-2] > v.shape[-1]:
            dvt = dvt + quotient(from_left - chain(p, vt), column(s))
        return du, diagonal(p), dvt


def _rotation(s: Node, x: Node) -> Node:
    """x/(sⱼ² - sᵢ²) off the diagonal."""
    return off_diagonal_quotient(x, (row(s) - column(s)) * (row(s) + column(s)))


class OrthogonalFactor(Op):
    """(q, r) of a = q·r, reduced: q has orthonormal columns, r is an upper triangle."""

    name = "qr"
    verb = "sends the gradient back by the inverse of the triangle"
    domain = "all matrices; the derivative: of full column rank in their first square part"
    kinks = "a zero on the diagonal of r: a LinAlgError"
    cost = "4·m·n·k - 4/3·k³ for a matrix m x n, k the shorter side"

    def infer(self, *inputs: Node) -> tuple[Aval, ...]:
        """The factors."""
        (a,) = inputs
        check_matrices("qr", a)
        m, n = a.shape[-2:]
        k = min(m, n)
        return (stack_shape(a, m, k), a.dtype), (stack_shape(a, k, n), a.dtype)

    def flops(self, node: Node) -> int:
        """Reflections, and their product."""
        a = node.inputs[0]
        m, n = a.shape[-2:]
        k = min(m, n)
        return count(a) * (4 * m * n * k - 4 * k**3 // 3)

    def vjp(self, node: Node, g: Cotangents) -> Cotangents:
        """(g₀ + q·copyltu(r·g₁ᵀ - g₀ᵀ·q))·r⁻ᵀ; columns beyond the square part are qᵀ times a."""
        a = node.inputs[0]
        q, r = _results(node)
        gq, gr = g
        k = q.shape[-1]
        if r.shape[-1] == k:
            return (_tall_cotangent(q, r, gq, None if gr is None else upper(gr)),)
        first, beyond = _split(a, k)[1], None
        triangle = _split(r, k)[0]
        if gr is not None:
            gr, beyond = _split(gr, k)
            gr = upper(gr)
            gq = _sum(gq, chain(first, turned(beyond)))
        square = _tall_cotangent(q, triangle, gq, gr)
        if square is None:
            return (None,)
        rest = zeros_like(first) if beyond is None else chain(q, beyond)
        return (concatenate([square, rest], a.ndim - 1),)

    def jvp(self, node: Node, tangents: Cotangents) -> Sequence[Node | None]:
        """q·x + (1 - q·qᵀ)·ȧ·r⁻¹ and (qᵀ·ȧ·r⁻¹ - x)·r, for the rotation x."""
        (t,) = tangents
        if t is None:
            return None, None
        q, r = _results(node)
        k = q.shape[-1]
        if r.shape[-1] == k:
            return _tall_tangent(q, r, t)
        triangle, _ = _split(r, k)
        first, beyond = _split(t, k)
        dq, dr = _tall_tangent(q, triangle, first)
        _, rest = _split(node.inputs[0], k)
        moved = chain(turned(dq), rest) + chain(turned(q), beyond)
        return dq, concatenate([dr, moved], r.ndim - 1)


def _split(x: Node, k: int) -> tuple[Node, Node]:
    """The first k columns, and those beyond."""
    axis = x.ndim - 1
    return rows(x, 0, k, axis), rows(x, k, x.shape[-1], axis)


def _tall_cotangent(q: Node, r: Node, gq: Node | None, gr: Node | None) -> Node | None:
    ask = None if gq is None else -chain(turned(gq), q)
    m = _sum(None if gr is None else chain(r, turned(gr)), ask)
    if m is None:
        return None
    whole = _sum(gq, chain(q, mirrored(m)))
    assert whole is not None
    return turned(solve_triangular(r, turned(whole), False))


def _tall_tangent(q: Node, r: Node, t: Node) -> tuple[Node, Node]:
    by_r = turned(solve_triangular(turned(r), turned(t), True))
    c = chain(turned(q), by_r)
    x = lower(c, -1) - turned(lower(c, -1))
    return by_r + chain(q, x - c), chain(c - x, r)


def cholesky(a: Node) -> Node:
    """The lower triangular factor of each symmetric matrix."""
    return make(Cholesky(), a)


def eigh(a: Node) -> tuple[Node, Node]:
    """Eigenvalues and eigenvectors of each symmetric matrix."""
    both = make(SymmetricEigen(), a)
    return item(both, 0), item(both, 1)


def svd(a: Node) -> tuple[Node, Node, Node]:
    """The reduced singular value decomposition of each matrix."""
    u, s, vt = _results(make(SingularValues(), a))
    return u, s, vt


def qr(a: Node) -> tuple[Node, Node]:
    """The reduced orthogonal factorisation of each matrix."""
    both = make(OrthogonalFactor(), a)
    return item(both, 0), item(both, 1)
