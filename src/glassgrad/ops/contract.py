"""Sums of products: matmul, dot, outer product and einsum are one op with axis labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count

from glassgrad.graph.dtype import promote
from glassgrad.graph.errors import DTypeError, ShapeError
from glassgrad.graph.family import cast, reshape, scaled
from glassgrad.graph.node import Node, make
from glassgrad.graph.op import Aval, Op
from glassgrad.graph.provenance import at_caller
from glassgrad.ops.reduce import sum_
from glassgrad.ops.view import transpose

Labels = tuple[int, ...]


class Contract(Op):
    """The sum over all labels that are not in `out` of the products of two operands.

    `lhs`, `rhs` and `out` label the axes with small integers, numbered in order of appearance; no
    label stands twice in one operand. (i,k),(k,j)->(i,j) is the matrix product.
    """

    name = "contract"
    verb = "each operand's gradient is the contraction of the cotangent with the other operand"
    cost = "2 for each product that is summed"
    lhs: Labels
    rhs: Labels
    out: Labels

    def infer(self, *inputs: Node) -> Aval:
        """The extents of the labels in `out`."""
        x, y = inputs
        if x.dtype != y.dtype:
            raise DTypeError(f"{self.kind} takes operands of one dtype")
        sizes: dict[int, int] = {}
        for labels, node in ((self.lhs, x), (self.rhs, y)):
            if len(labels) != node.ndim or len(set(labels)) != len(labels):
                raise ShapeError(f"{self.kind}: labels {labels} do not fit shape {node.shape}")
            for label, n in zip(labels, node.shape):
                if sizes.setdefault(label, n) != n:
                    raise ShapeError(
                        f"{self.kind}: shapes {x.shape} and {y.shape} do not fit: a summed or "
                        f"shared axis has length {sizes[label]} in one and {n} in the other"
                        f"{advice(x, y)}{at_caller()}"
                    )
        if {*self.lhs, *self.rhs} - {*self.out} != {*self.lhs} & {*self.rhs} - {*self.out}:
            raise ShapeError(f"{self!r}: a label of one operand alone must stand in the result")
        if not {*self.out} <= sizes.keys():
            raise ShapeError(f"{self!r}: a label of the result stands in no operand")
        return tuple(sizes[label] for label in self.out), x.dtype

    def flops(self, node: Node) -> int:
        """A product and a sum for each combination of all labels."""
        x, y = node.inputs
        sizes = dict(zip((*self.lhs, *self.rhs), (*x.shape, *y.shape)))
        return 2 * math.prod(sizes.values())

    @property
    def kind(self) -> str:
        """The name under which this contraction is known: dot, outer, matmul or einsum."""
        if not set(self.lhs) & set(self.rhs):
            return "outer"
        if not self.out:
            return "dot"
        shared = set(self.lhs) & set(self.rhs)
        inner = self.lhs[len(self.lhs) - 1 :]
        flat = len(self.lhs) <= 2 and len(self.rhs) <= 2 and shared == set(inner)
        ordered = self.out == tuple(i for i in (*self.lhs, *self.rhs) if i not in shared)
        return "matmul" if flat and inner == self.rhs[:1] and ordered else "einsum"

    def __repr__(self) -> str:
        return f"{self.kind}({spell(self.lhs)},{spell(self.rhs)}->{spell(self.out)})"

    def vjp(self, node: Node, g: Node) -> Sequence[Node | None]:
        """The cotangent contracted with the other operand, for each operand."""
        x, y = node.inputs
        return (
            _onto(self.lhs, g, self.out, y, self.rhs),
            _onto(self.rhs, g, self.out, x, self.lhs),
        )

    def jvp(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """The product rule."""
        x, y = node.inputs
        s, t = tangents
        terms = [make(self, s, y)] if s is not None else []
        terms += [make(self, x, t)] if t is not None else []
        return terms[0] + terms[1] if len(terms) == 2 else terms[0] if terms else None


def advice(x: Node, y: Node) -> str:
    """What would make two matrices fit, where transposing one does."""
    if x.ndim == y.ndim == 2:
        if x.shape[1] == y.shape[1]:
            return "; transposing the second operand would fit (x @ y.T)"
        if x.shape[0] == y.shape[0]:
            return "; transposing the first operand would fit (x.T @ y)"
    return ""


def spell(labels: Labels) -> str:
    """Labels as the letters of an einsum."""
    return "".join(chr(ord("a") + i) if i < 26 else chr(ord("A") + i - 26) for i in labels)


def _onto(x_labels: Labels, g: Node, g_labels: Labels, y: Node, y_labels: Labels) -> Node:
    """The cotangent of x: g times y, summed to x's labels; each of these stands in g or in y."""
    return contract(g, g_labels, y, y_labels, x_labels)


def contract(x: Node, lhs: Labels, y: Node, rhs: Labels, out: Labels) -> Node:
    """The contraction of two nodes; labels that stand in one operand alone are summed first."""
    dtype = promote(x.dtype, y.dtype)
    x, lhs = _sum_private(cast(x, dtype), lhs, {*rhs, *out})
    y, rhs = _sum_private(cast(y, dtype), rhs, {*lhs, *out})
    if not lhs or not rhs:  # a 0-d operand only scales the other
        labels = lhs or rhs
        return transpose(scaled(x, y) if rhs else scaled(y, x), tuple(map(labels.index, out)))
    names: dict[int, int] = {}
    numbers = count()
    for label in (*lhs, *rhs):
        if label not in names:
            names[label] = next(numbers)
    op = Contract(*(tuple(names[i] for i in labels) for labels in (lhs, rhs, out)))
    return make(op, x, y)


def _sum_private(x: Node, labels: Labels, others: set[int]) -> tuple[Node, Labels]:
    private = tuple(i for i, label in enumerate(labels) if label not in others)
    if not private:
        return x, labels
    kept = tuple(label for label in labels if label in others)
    return sum_(x, private, dtype=x.dtype), kept


def matmul(x: Node, y: Node) -> Node:
    """NumPy's matmul: vectors are contracted, leading axes are broadcast."""
    if x.ndim == 0 or y.ndim == 0:
        raise ShapeError(
            f"matmul: a 0-d operand (shapes {x.shape} and {y.shape}); use * to scale{at_caller()}"
        )
    _check_inner(x, y)
    if x.ndim <= 2 and y.ndim <= 2:
        lhs = (0, 1) if x.ndim == 2 else (1,)
        rhs = (1, 2) if y.ndim == 2 else (1,)
        return contract(x, lhs, y, rhs, tuple(i for i in (*lhs, *rhs) if i != 1))
    return _batched(x, y)


def _check_inner(x: Node, y: Node) -> None:
    inner = y.shape[-2] if y.ndim > 1 else y.shape[0]
    if x.shape[-1] != inner:
        raise ShapeError(
            f"matmul: shapes {x.shape} and {y.shape} do not fit: the last axis of the first "
            f"operand ({x.shape[-1]}) must equal the {'second last' if y.ndim > 1 else 'only'} "
            f"axis of the second ({inner}){advice(x, y)}{at_caller()}"
        )


def _batched(x: Node, y: Node) -> Node:
    """Leading axes aligned from the right; those of length 1 are squeezed away and not copied."""
    lead = max(x.ndim, y.ndim, 2) - 2
    row, inner, column = lead, lead + 1, lead + 2
    x, lhs = _label(x, lead, (row, inner) if x.ndim > 1 else (inner,))
    y, rhs = _label(y, lead, (inner, column) if y.ndim > 1 else (inner,))
    ends = tuple(i for i in (row, column) if i in lhs or i in rhs)
    out = tuple(i for i in range(lead) if i in lhs or i in rhs) + ends
    result = contract(x, lhs, y, rhs, out)
    if len(out) == lead + len(ends):
        return result
    sizes = dict(zip(out, result.shape))
    return reshape(result, tuple(sizes.get(i, 1) for i in (*range(lead), *ends)))


def _label(x: Node, lead: int, core: Labels) -> tuple[Node, Labels]:
    extra = x.ndim - len(core)
    labels = (*range(lead - extra, lead), *core)
    kept = tuple(i for i in range(x.ndim) if i >= extra or x.shape[i] != 1)
    return reshape(x, tuple(x.shape[i] for i in kept)), tuple(labels[i] for i in kept)


def einsum(spec: str, *operands: Node) -> Node:
    """NumPy's einsum with explicit or implicit output; repeated labels in an operand are errors."""
    text = spec.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands) or "." in text:
        raise ShapeError(
            f"einsum: {spec!r} has {len(terms)} operands, {len(operands)} were given, and an "
            f"ellipsis is not supported: write all axes as letters{at_caller()}"
        )
    if not arrow:
        letters = sorted(set(left) - {","})
        right = "".join(c for c in letters if left.count(c) == 1)
    labelled = [(x, _letters(term, x, spec)) for term, x in zip(terms, operands)]
    out = tuple(ord(c) for c in right)
    while len(labelled) > 1:
        (x, lhs), (y, rhs), *rest = labelled
        needed = {*out, *(i for _, labels in rest for i in labels)}
        between = tuple(dict.fromkeys(i for i in (*lhs, *rhs) if i in needed))
        target = out if not rest else between
        labelled = [(contract(x, lhs, y, rhs, target), target), *rest]
    x, labels = labelled[0]
    x, labels = _sum_private(x, labels, set(out))
    return transpose(x, tuple(labels.index(i) for i in out))


def _letters(term: str, x: Node, spec: str) -> Labels:
    if len(term) != x.ndim or len(set(term)) != len(term):
        raise ShapeError(
            f"einsum: {term!r} in {spec!r} must name each of the {x.ndim} axes of shape {x.shape} "
            f"once{at_caller()}"
        )
    return tuple(ord(c) for c in term)
