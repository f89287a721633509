"""One table of sample instances of the structural ops: a new op of a known family needs one line.

An instance is an op and its operands: a shape (random reals), or an array that is given as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from glassgrad.graph.dtype import FLOAT64
from glassgrad.graph.family import Alias, Broadcast, Cast, Reshape
from glassgrad.graph.op import REGISTRY, Op
from glassgrad.ops.contract import Contract
from glassgrad.ops.factor import Cholesky, OrthogonalFactor, SingularValues, SymmetricEigen
from glassgrad.ops.gather import Scatter, ScatterAdd, Take
from glassgrad.ops.linear_system import (
    Cofactors,
    Determinant,
    Inverse,
    LogDeterminant,
    PseudoInverse,
    Solve,
    SolveTriangular,
)
from glassgrad.ops.prefix import Prefix
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.sort import Sort
from glassgrad.ops.view import Concatenate, Place, Slice, Transpose, Update

Operand = tuple[int, ...] | np.ndarray


class Instance(NamedTuple):
    """An op with operands to try it on."""

    op: Op
    operands: tuple[Operand, ...]
    result: int = 0  # of an op with several, the one that is looked at

    def __str__(self) -> str:
        shapes = ",".join("x".join(map(str, np.shape(v))) or "0d" for v in self.arrays(0))
        which = f".{self.result}" if self.result else ""
        return f"{self.op!r}{which}[{shapes}]".replace(" ", "")

    def arrays(self, seed: int) -> list[np.ndarray]:
        """The operands as arrays: random reals in the shapes, the given ones as they are."""
        rng = np.random.default_rng(seed)
        return [rng.normal(size=x) if isinstance(x, tuple) else x for x in self.operands]


def _ints(*values: Any) -> np.ndarray:
    return np.array(values, np.int64)


_TABLE: list[tuple[Op, Operand | tuple[Operand, ...]]] = [
    *((Reduce(kind, axes), shape)
      for kind in ("sum", "max", "min", "logsumexp")
      for axes, shape in (((0,), (4,)), ((0,), (3, 2)), ((1,), (3, 2)), ((0, 1), (2, 3)),
                          ((0, 2), (2, 2, 3)), ((1,), (2, 1, 2)), ((1,), (0, 3)))),
    *((Reduce(kind, (0,)), (0, 3)) for kind in ("sum", "logsumexp")),
    *((Reduce(kind, (1,)), np.array([[True, False], [True, True]])) for kind in ("any", "all")),
    (Broadcast((2, 3, 4)), (3, 1)), (Broadcast((2, 3)), ()), (Broadcast((2, 3)), (1,)),
    (Broadcast((2, 0, 3)), (1, 3)), (Broadcast((2, 3)), (2, 3)), (Broadcast((4, 1, 3)), (1, 1, 3)),
    (Reshape((3, 2)), (2, 3)), (Reshape(()), (1, 1)), (Reshape((0, 5)), (0,)),
    (Reshape((1, 4)), (4,)),
    (Transpose((1, 0)), (2, 3)), (Transpose((2, 0, 1)), (2, 3, 4)), (Transpose((1, 0)), (0, 3)),
    (Slice((1,), (2,), (2,)), (5,)), (Slice((4,), (-2,), (3,)), (5,)),
    (Slice((0,), (1,), (0,)), (3,)),
    (Slice((1, 0), (1, 3), (2, 2)), (4, 4)), (Slice((2, 3), (-1, -1), (3, 4)), (3, 4)),
    (Place((5,), (1,), (2,)), (2,)), (Place((5,), (4,), (-2,)), (3,)),
    (Place((3,), (0,), (1,)), (0,)),
    (Place((3, 4), (2, 0), (-1, 2)), (2, 2)),
    (Update((1,), (2,)), ((5,), (2,))), (Update((2, 3), (-1, -2)), ((3, 4), (2, 2))),
    (Update((0,), (1,)), ((3,), (0,))), (Update((0, 0), (1, 1)), ((2, 3), (2, 3))),
    (Concatenate(0), ((2, 3), (1, 3))), (Concatenate(1), ((2, 1), (2, 0), (2, 3))),
    (Concatenate(0), ((2,),)),
    (Cast(FLOAT64), (3,)), (Alias(-1), (3,)),
    (Contract((0, 1), (1, 2), (0, 2)), ((2, 3), (3, 2))),
    (Contract((0, 1), (1,), (0,)), ((2, 3), (3,))),
    (Contract((0,), (0, 1), (1,)), ((3,), (3, 2))), (Contract((0,), (0,), ()), ((4,), (4,))),
    (Contract((0,), (1,), (0, 1)), ((2,), (3,))), (Contract((0,), (1,), (1, 0)), ((2,), (3,))),
    (Contract((0, 1), (0, 1), (0,)), ((2, 3), (2, 3))),
    (Contract((0, 1), (0, 1), (1, 0)), ((2, 3), (2, 3))),
    (Contract((0, 1, 2), (0, 2, 3), (0, 1, 3)), ((2, 2, 3), (2, 3, 2))),
    (Contract((0, 1, 2), (2, 3), (0, 1, 3)), ((2, 1, 3), (3, 2))),
    (Contract((0, 1), (2, 1), (2, 0)), ((2, 3), (4, 3))),
    (Contract((0, 1), (1, 2), (0, 2)), ((2, 0), (0, 3))),
    (Contract((0, 1), (1, 2), (0, 2)), ((0, 2), (2, 3))),
    (Take(0), ((4, 2), _ints(2, 0, 2))), (Take(1), ((2, 3), _ints([2, -1], [0, 0]))),
    (Take(0), ((3, 4), _ints(0, 2, 2), _ints(1, 3, 3))),
    (Take(1), ((2, 3, 2), _ints(0, 2), _ints(1, -1))),
    (Take(0), ((4,), np.zeros((0,), np.int64))), (Take(0), ((4,), np.array(2))),
    (ScatterAdd(0), ((4, 2), (3, 2), _ints(2, 0, 2))),
    (ScatterAdd(1), ((2, 3), (2, 2), _ints(1, 1))),
    (ScatterAdd(0), ((3, 4), (3,), _ints(0, 2, 2), _ints(1, 3, 3))),
    (ScatterAdd(0), ((4,), (0,), np.zeros((0,), np.int64))),
    (Scatter(0), ((4, 2), (3, 2), _ints(2, 0, 2))), (Scatter(1), ((2, 3), (2, 2), _ints(1, 1))),
    (Scatter(0), ((3, 4), (3,), _ints(0, 2, 2), _ints(1, 3, -1))),
    (Scatter(0), ((4,), (2,), _ints(3, 0))),
    (Scatter(0), ((4,), (0,), np.zeros((0,), np.int64))),
    (Scatter(0), ((4, 2), (2,), np.array(-1))),
    (Prefix(0, False), (4,)), (Prefix(1, False), (2, 3)), (Prefix(0, True), (3, 2)),
    (Prefix(0, True), (0, 2)),
    (Sort(0), (5,)), (Sort(1), (2, 4)), (Sort(0), (3, 2)), (Sort(1), (2, 0)),
]  # fmt: skip


def _is_operand(given: Any) -> bool:
    return isinstance(given, np.ndarray) or all(isinstance(n, int) for n in given)


INSTANCES: list[Instance] = [
    Instance(op, (given,) if _is_operand(given) else given)  # pyright: ignore[reportArgumentType]
    for op, given in _TABLE
]


def regular(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Matrices with an inverse: what is on the diagonal outweighs the rest of each row."""
    n = shape[-1]
    return rng.uniform(-0.5, 0.5, shape) + (np.arange(n) % 3 + 0.5 * n + 1) * np.eye(n)


def positive(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Positive definite matrices; the upper triangle holds other numbers."""
    x = np.tril(regular(rng, *shape))
    return x + np.triu(rng.normal(size=shape), 1)


def apart(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Matrices whose singular values are far from each other, and from 0."""
    rows, columns = shape[-2:]
    wide = rng.uniform(-0.2, 0.2, shape)
    return wide + np.eye(rows, columns) * (np.arange(columns) * 1.5 + 1.0)


_RNG = np.random.default_rng(12)
MATRICES: list[Instance] = [
    *(Instance(Solve(), (regular(_RNG, *lead, 3, 3), _RNG.normal(size=(*lead, 3, m))))
      for lead, m in (((), 1), ((), 2), ((2,), 2))),
    *(Instance(SolveTriangular(low), (regular(_RNG, 3, 3), _RNG.normal(size=(3, 2))))
      for low in (True, False)),
    *(Instance(op, (regular(_RNG, *shape),))
      for op in (Inverse(), Determinant(), Cofactors()) for shape in ((3, 3), (2, 2, 2), (1, 1))),
    Instance(Cofactors(), (regular(_RNG, 4, 4),)),
    Instance(Inverse(False), (regular(_RNG, 3, 3),)),
    *(Instance(LogDeterminant(), (sign * regular(_RNG, *shape),), i)
      for i, sign, shape in ((0, -1, (3, 3)), (1, -1, (3, 3)), (1, 1, (2, 2, 2)))),
    *(Instance(PseudoInverse(1e-15), (apart(_RNG, *shape),))
      for shape in ((4, 2), (2, 3), (3, 3))),
    *(Instance(Cholesky(), (positive(_RNG, *shape),)) for shape in ((3, 3), (2, 2, 2), (1, 1))),
    *(Instance(SymmetricEigen(), (regular(_RNG, *shape),), i)
      for shape in ((3, 3), (2, 2, 2)) for i in (0, 1)),
    *(Instance(SingularValues(), (apart(_RNG, *shape),), i)
      for shape in ((3, 3), (3, 2), (2, 3)) for i in (0, 1, 2)),
    *(Instance(OrthogonalFactor(), (apart(_RNG, *shape),), i)
      for shape in ((3, 3), (3, 2), (2, 4)) for i in (0, 1)),
]  # fmt: skip
"""Linear algebra: matrices that are well within the domain of each op."""

INSTANCES += MATRICES

ELSEWHERE = {
    "input",
    "const",
    "item",
    "scan",
    "random_bits",
    "cond",
    "while_loop",
    "call",
    "custom",
}
"""Classes without an instance here: leaves, results of tuples (under sort), loops, random words."""


def classes() -> set[str]:
    """The names of all registered structural ops."""
    return {name for name, op in REGISTRY.items() if isinstance(op, type)}


# -- random instances, for identities that hold of any ------------------------------------------


def _shape(rng: np.random.Generator, ndim: int) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.choice([0, 1, 2, 3, 4], ndim, p=[0.08, 0.22, 0.25, 0.25, 0.2]))


def _axes(rng: np.random.Generator, ndim: int) -> tuple[int, ...]:
    return tuple(sorted(int(a) for a in rng.permutation(ndim)[: rng.integers(1, ndim + 1)]))


def _random_slice(rng: np.random.Generator, shape: Sequence[int]) -> Slice:
    starts, steps, lengths = [], [], []
    for n in shape:
        step = int(rng.choice([1, 1, 2, 3, -1, -2]))
        length = int(rng.integers(0, -(-n // abs(step)) + 1)) if n else 0
        reach = abs(step) * (length - 1)
        low = int(rng.integers(0, n - reach)) if length else 0
        starts.append(low if step > 0 or not length else low + reach)
        steps.append(step)
        lengths.append(length)
    return Slice(tuple(starts), tuple(steps), tuple(lengths))


def _reduce(rng: np.random.Generator) -> Instance:
    shape = _shape(rng, int(rng.integers(1, 4)))
    axes = _axes(rng, len(shape))
    kinds = ["sum", "logsumexp"] + ["max", "min"] * all(shape[a] for a in axes)
    return Instance(Reduce(str(rng.choice(kinds)), axes), (shape,))


def _broadcast(rng: np.random.Generator) -> Instance:
    target = _shape(rng, int(rng.integers(0, 4)))
    shape = tuple(1 if rng.random() < 0.4 else n for n in target)[
        int(rng.integers(0, len(target) + 1)) :
    ]
    return Instance(Broadcast(target), (shape,))


def _transpose(rng: np.random.Generator) -> Instance:
    shape = _shape(rng, int(rng.integers(1, 5)))
    return Instance(Transpose(tuple(int(i) for i in rng.permutation(len(shape)))), (shape,))


def _slice(rng: np.random.Generator) -> Instance:
    shape = _shape(rng, int(rng.integers(1, 4)))
    return Instance(_random_slice(rng, shape), (shape,))


def _place(rng: np.random.Generator) -> Instance:
    shape = _shape(rng, int(rng.integers(1, 4)))
    part = _random_slice(rng, shape)
    return Instance(Place(shape, part.starts, part.steps), (part.lengths,))


def _update(rng: np.random.Generator) -> Instance:
    shape = _shape(rng, int(rng.integers(1, 4)))
    part = _random_slice(rng, shape)
    return Instance(Update(part.starts, part.steps), (shape, part.lengths))


def _concatenate(rng: np.random.Generator) -> Instance:
    shape = _shape(rng, int(rng.integers(1, 4)))
    axis = int(rng.integers(0, len(shape)))
    parts = [
        (*shape[:axis], int(rng.integers(0, 4)), *shape[axis + 1 :])
        for _ in range(rng.integers(1, 5))
    ]
    return Instance(Concatenate(axis), tuple(parts))


def _contract(rng: np.random.Generator) -> Instance:
    groups = {g: int(rng.integers(0, 3)) for g in ("batch", "left", "summed", "right")}
    numbers = iter(range(12))
    labels = {g: [next(numbers) for _ in range(n)] for g, n in groups.items()}
    lhs = [int(i) for i in rng.permutation(labels["batch"] + labels["left"] + labels["summed"])]
    rhs = [int(i) for i in rng.permutation(labels["batch"] + labels["right"] + labels["summed"])]
    out = [int(i) for i in rng.permutation(labels["batch"] + labels["left"] + labels["right"])]
    size = dict(zip(range(12), _shape(rng, 12)))
    seen = {label: i for i, label in enumerate(dict.fromkeys((*lhs, *rhs)))}
    op = Contract(*(tuple(seen[i] for i in group) for group in (lhs, rhs, out)))
    return Instance(op, (tuple(size[i] for i in lhs), tuple(size[i] for i in rhs)))


def _indexed(
    rng: np.random.Generator,
) -> tuple[tuple[int, ...], int, list[np.ndarray], tuple[int, ...]]:
    shape = tuple(n + 1 for n in _shape(rng, int(rng.integers(1, 4))))
    axis = int(rng.integers(0, len(shape)))
    count = int(rng.integers(1, len(shape) - axis + 1))
    at = _shape(rng, int(rng.integers(0, 3)))
    indices = [rng.integers(-n, n, at) for n in shape[axis : axis + count]]
    return shape, axis, indices, (*shape[:axis], *at, *shape[axis + count :])


def _take(rng: np.random.Generator) -> Instance:
    shape, axis, indices, _ = _indexed(rng)
    return Instance(Take(axis), (shape, *indices))


def _scatter_add(rng: np.random.Generator) -> Instance:
    shape, axis, indices, read = _indexed(rng)
    return Instance(ScatterAdd(axis), (shape, read, *indices))


def _scatter(rng: np.random.Generator) -> Instance:
    shape, axis, indices, read = _indexed(rng)
    return Instance(Scatter(axis), (shape, read, *indices))


def _prefix(rng: np.random.Generator) -> Instance:
    shape = _shape(rng, int(rng.integers(1, 4)))
    return Instance(Prefix(int(rng.integers(0, len(shape))), bool(rng.integers(2))), (shape,))


def _sort(rng: np.random.Generator) -> Instance:
    shape = _shape(rng, int(rng.integers(1, 4)))
    return Instance(Sort(int(rng.integers(0, len(shape)))), (shape,))


def _reshape(rng: np.random.Generator) -> Instance:
    shape = _shape(rng, int(rng.integers(1, 4)))
    return Instance(Reshape((1, *shape[::-1])), (shape,))


_ONE = (Inverse(), Determinant(), Cofactors(), LogDeterminant(), Cholesky(), SymmetricEigen())


def _square(rng: np.random.Generator) -> Instance:
    lead, n = _shape(rng, int(rng.integers(0, 3))), int(rng.integers(0, 5))
    op = _ONE[rng.integers(len(_ONE))]
    make = positive if op.name in ("cholesky", "eigh") else regular
    n = 2 if n == 1 and op.name == "cholesky" else n  # the square of a root is linear
    several = {"slogdet": 2, "eigh": 2}.get(op.name, 1)
    return Instance(op, (make(rng, *lead, n, n),), int(rng.integers(several)))


def _oblong(rng: np.random.Generator) -> Instance:
    lead, (m, n) = _shape(rng, int(rng.integers(0, 3))), rng.integers(0, 5, 2)
    op = (PseudoInverse(1e-15), SingularValues(), OrthogonalFactor())[rng.integers(3)]
    several = {"svd": 3, "qr": 2}.get(op.name, 1)
    return Instance(op, (apart(rng, *lead, int(m), int(n)),), int(rng.integers(several)))


def _system(rng: np.random.Generator) -> Instance:
    lead, (n, m) = _shape(rng, int(rng.integers(0, 3))), (int(i) for i in rng.integers(0, 5, 2))
    op = (Solve(), SolveTriangular(True), SolveTriangular(False))[rng.integers(3)]
    return Instance(op, (regular(rng, *lead, n, n), rng.normal(size=(*lead, n, m))))


RANDOM = (_square, _oblong, _system, _reduce, _broadcast, _transpose, _slice, _place, _update,
          _concatenate, _contract, _take, _scatter_add, _scatter, _prefix, _sort,
          _reshape)  # fmt: skip


def random_instances(count: int, seed: int = 0) -> Iterator[Instance]:
    """Instances of random ops in random shapes: empty and length-one axes, ragged broadcasts."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        yield RANDOM[i % len(RANDOM)](rng)
