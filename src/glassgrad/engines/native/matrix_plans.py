"""Plans of linear algebra: which functions of LAPACK compute a node, and in which work space.

A matrix is factorised once, whatever is asked of it: solve with it or with its transpose, inverse
and determinant share the factors. Without LAPACK the reference engine is asked.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from glassgrad.engines.native import lapack
from glassgrad.engines.native.expression import Apply, Buffer, Load, Seed, Store
from glassgrad.engines.native.extents import FixedSizeError
from glassgrad.engines.native.outside import Question, Routine
from glassgrad.engines.native.step import Reduction
from glassgrad.engines.native.strided import Strided, row_major
from glassgrad.graph.dtype import FLOAT64, INT64
from glassgrad.graph.family import Cast
from glassgrad.graph.node import Item, Node
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.view import Transpose

if TYPE_CHECKING:
    from glassgrad.engines.native.planner import Planner


def plan_matrix(p: Planner, node: Node, buffer: Buffer) -> None:
    """A node with one result."""
    plan_matrices(p, node, [buffer])


def plan_matrices(p: Planner, node: Node, results: list[Buffer]) -> None:
    """A node of linear algebra; a stack may be of any length, its matrices have their size."""
    if p.extents.varies(*(n for x in node.inputs for n in x.shape[-2:])):
        raise FixedSizeError("a matrix of any size")
    if lapack.addresses():
        _PLANS[node.name](p, node, results)
        return
    if p.extents.varies(*(n for x in node.inputs for n in x.shape)):
        raise FixedSizeError("a question to the reference engine")
    operands = [p.contiguous(x) for x in node.inputs]
    p.append(Question([node], [], operands, results))


def _source(p: Planner, x: Node) -> Load:
    return Load(*p.stored_view(x, {}))


def _space(*extents: int) -> Buffer:
    """Work space for so many numbers or integers, which take no more."""
    return Buffer("arena", FLOAT64, (max(1, prod(extents)),))


def _routine(
    p: Planner, node: Node, calls: str, sources: list[Load], results: list[Buffer],
    work: list[Buffer], setting: Any = None, known: list[Buffer] | None = None, kind: str = "",
) -> None:  # fmt: skip
    a = node.inputs[0]
    names = " and ".join(calls.split())
    batch = a.shape[:-2]
    step = Routine(
        [node], [], kind or node.name, batch, sources, results, known or [], work, setting, names
    )
    p.append(step)


# -- what uses the factors of a matrix ------------------------------------------------------------


def _turned(x: Node) -> Node | None:
    """The stack of which each matrix of `x` is the transpose, if it is made so."""
    n = x.ndim
    if isinstance(x.op, Transpose) and x.op.perm == (*range(n - 2), n - 1, n - 2):
        return x.inputs[0]
    return None


def _factors(p: Planner, node: Node, a: Node) -> list[Buffer]:
    """The factors of a stack and its row exchanges, made once."""
    if a not in p.factors:
        source, n = _source(p, a), a.shape[-1]
        lu = Buffer("arena", FLOAT64, a.shape)
        pivots = Buffer("arena", INT64, (*a.shape[:-2], n + 1))
        _routine(p, node, "dgetrf", [source], [lu, pivots], [], kind="lu")
        p.factors[a] = [lu, pivots]
    return p.factors[a]


def _solve(p: Planner, node: Node, results: list[Buffer]) -> None:
    a, b = node.inputs
    right, turned = _source(p, b), _turned(a)
    n, columns = b.shape[-2:]
    known = _factors(p, node, a if turned is None else turned)
    work = [_space(n, columns)]
    letter = "N" if turned is None else "T"
    _routine(p, node, "dgetrs", [right], results, work, letter, known)


def _inverse(p: Planner, node: Node, results: list[Buffer]) -> None:
    (a,) = node.inputs
    n = a.shape[-1]
    known = _factors(p, node, a)
    _routine(p, node, "dgetrs", [], results, [_space(n, n)], (n, *node.op.parameters()), known)


def _slogdet(p: Planner, node: Node, results: list[Buffer]) -> None:
    """The sign, and the sum of the logarithms of the diagonal."""
    (a,) = node.inputs
    n, batch, (sign, logarithm) = a.shape[-1], a.shape[:-2], results
    known = _factors(p, node, a)
    _routine(p, node, "dgetrf", [], [sign], [], n, known, "sign")
    space = (*batch, n)
    strides = (*(s * n * n for s in row_major(batch)), n + 1)
    expr: Any = Load(known[0], Strided(space, strides))
    for name in ("abs", "log"):
        expr = Apply(REGISTRY[name], (expr,), FLOAT64)
    seed = Seed(FLOAT64)
    total = seed if a.dtype == FLOAT64 else Apply(Cast(a.dtype), (seed,), a.dtype)
    store = Store(total, logarithm, Strided.contiguous(batch))
    p.append(Reduction([node], [store], space, (len(batch),), "sum", expr, seed))


# -- factorisations -------------------------------------------------------------------------------


def _triangular(p: Planner, node: Node, results: list[Buffer]) -> None:
    a, b = node.inputs
    n, columns = b.shape[-2:]
    work = [_space(n, n), _space(n, columns)]
    (lower,) = node.op.parameters()
    _routine(p, node, "dtrtrs", [_source(p, a), _source(p, b)], results, work, lower)


def _cholesky(p: Planner, node: Node, results: list[Buffer]) -> None:
    (a,) = node.inputs
    n = a.shape[-1]
    _routine(p, node, "dpotrf", [_source(p, a)], results, [_space(n, n)])


def _uses(p: Planner, node: Node, *wanted: int) -> bool:
    """Whether any of these results is used."""
    users = (n.op for n in p.roots.users[node])
    return any(isinstance(op, Item) and op.index in wanted for op in users)


def _eigh(p: Planner, node: Node, results: list[Buffer]) -> None:
    (a,) = node.inputs
    n, vectors = a.shape[-1], _uses(p, node, 1)
    source = _source(p, a)
    asked = lapack.workspace(
        "dsyevd", "VL" if vectors else "NL",
        lambda s: (n, s[0], max(1, n), s[0], s[0], -1, s[1], -1),
    )  # fmt: skip
    numbers, integers = max(asked[0], 1 + 6 * n + 2 * n * n), max(asked[1], 3 + 5 * n)
    work = [_space(n, n), _space(n), _space(numbers), _space(integers)]
    _routine(p, node, "dsyevd", [source], results, work, (vectors, numbers, integers))


def _svd(p: Planner, node: Node, results: list[Buffer]) -> None:
    (a,) = node.inputs
    m, n = a.shape[-2:]
    k, vectors = min(m, n), _uses(p, node, 0, 2)
    source = _source(p, a)
    high = max(1, m)
    asked = lapack.workspace(
        "dgesdd", "S" if vectors else "N",
        lambda s: (m, n, s[0], high, s[0], s[0], high, s[0], max(1, k), s[0], -1, s[1]),
    )  # fmt: skip
    numbers = max(asked[0], 4 * k * k + 10 * k + max(m, n), 1)
    work = [
        _space(m, n), _space(k), _space(m, k if vectors else 0),
        _space(k if vectors else 0, n), _space(numbers), _space(8 * k),
    ]  # fmt: skip
    _routine(p, node, "dgesdd", [source], results, work, (vectors, numbers))


def _qr(p: Planner, node: Node, results: list[Buffer]) -> None:
    (a,) = node.inputs
    m, n = a.shape[-2:]
    k, orthogonal = min(m, n), _uses(p, node, 0)
    source = _source(p, a)
    first = lapack.workspace("dgeqrf", "", lambda s: (m, n, s[0], max(1, m), s[0], s[0], -1))
    second = lapack.workspace("dorgqr", "", lambda s: (m, k, k, s[0], max(1, m), s[0], s[0], -1))
    numbers = max(first[0], second[0], m, n, 1)
    work = [_space(m, n), _space(k), _space(numbers)]
    calls = "dgeqrf dorgqr" if orthogonal else "dgeqrf"
    _routine(p, node, calls, [source], results, work, (orthogonal, numbers))


_PLANS = {
    "solve": _solve, "inv": _inverse, "slogdet": _slogdet, "solve_triangular": _triangular,
    "cholesky": _cholesky, "eigh": _eigh, "svd": _svd, "qr": _qr,
}  # fmt: skip

__all__ = ["plan_matrices", "plan_matrix"]
