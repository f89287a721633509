"""What makes a random graph: choices, inputs, nodes whose values are well defined, and views.

Each node is evaluated as it is made, by the reference engine; a node whose value is not finite, is
very large, or comes from a case that NumPy leaves open (a real out of an integer's range) is not
kept. So a graph can be compared with another engine's results without knowing anything about it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glassgrad.engines import reference
from glassgrad.graph.algebra import NODES
from glassgrad.graph.errors import GlassgradError
from glassgrad.graph.family import Broadcast, Elementwise, Reshape
from glassgrad.graph.node import Node, Trace, constant, make, new_input
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.view import Slice, Transpose

FLOATS = ("f4", "f8")
WHOLE = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
EXTENTS = (1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 31, 33)
MOST_ELEMENTS = 6000
LARGEST = 1e6


@dataclass
class Maker:
    """Makes one random graph from a seed."""

    rng: np.random.Generator
    trace: Trace = field(default_factory=Trace)
    pool: list[Node] = field(default_factory=list)
    values: dict[Node, Any] = field(default_factory=dict)
    inputs: list[Node] = field(default_factory=list)

    # -- choices --------------------------------------------------------------

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return bool(self.rng.random() < p)

    def one(self, items: Any) -> Any:
        """One of some items."""
        return items[int(self.rng.integers(len(items)))]

    def shape(self, most: int = 4) -> tuple[int, ...]:
        """A shape of up to `most` axes; now and then one is empty."""
        while True:
            dims = [self.one(EXTENTS) for _ in range(int(self.rng.integers(0, most + 1)))]
            if dims and self.chance(0.02):
                dims[int(self.rng.integers(len(dims)))] = 0
            if np.prod(dims, dtype=np.int64) <= MOST_ELEMENTS // 4:
                return tuple(dims)

    def array(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Numbers of a dtype, of moderate size, with ties, zeros and both signs."""
        dtype = np.dtype(dtype)
        if dtype == np.dtype(bool):
            return self.rng.random(shape) < 0.5
        if dtype.kind in "iu":
            if self.chance(0.06):
                info = np.iinfo(dtype)
                return self.rng.integers(info.min, info.max, shape, dtype, endpoint=True)
            low = -9 if dtype.kind == "i" else 0
            return self.rng.integers(low, 10, shape).astype(dtype)
        scale = self.one((0.5, 1.0, 2.0))
        drawn = self.rng.standard_normal(shape) * scale
        if self.chance(0.2):
            drawn = np.round(drawn)
        return np.asarray(drawn, dtype)

    def pick(self, kinds: str = "biuf", at_least: int = 0) -> Node:
        """A node of the pool, the later ones more likely; a new input where none fits."""
        fitting = [x for x in self.pool if x.dtype.kind in kinds and x.ndim >= at_least]
        if not fitting or self.chance(0.08):
            return self.new(kinds, at_least)
        i = int(len(fitting) * np.sqrt(self.rng.random()))
        return fitting[min(i, len(fitting) - 1)]

    def new(self, kinds: str = "biuf", at_least: int = 0) -> Node:
        """A new input."""
        names = [*("?",) * ("b" in kinds), *FLOATS * (3 * ("f" in kinds))]
        names += [n for n in WHOLE if n[0] in kinds]
        shape = self.shape()
        while len(shape) < at_least:
            shape = (*shape, self.one(EXTENTS[:6]))
        return self.input(self.array(shape, self.one(names)))

    def input(self, value: np.ndarray) -> Node:
        """A variable with this value."""
        x = new_input(self.trace, f"x{len(self.inputs)}", value.shape, value.dtype)
        self.inputs.append(x)
        self.values[x] = value
        self.pool.append(x)
        return x

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Node:
        """Zeros, as a broadcast constant."""
        return self.spread(constant(self.trace, 0, dtype), shape)

    def spread(self, x: Node, shape: tuple[int, ...]) -> Node:
        """An operand broadcast to a shape."""
        return x if x.shape == shape else make(Broadcast(shape), x)

    # -- nodes ----------------------------------------------------------------

    def keep(self, node: Node) -> Node | None:
        """Enters a node and all under it in the pool, if their values are well defined."""
        try:
            for _ in reference.interpret(topological_order([node], self.values), self.values):
                pass
        except (GlassgradError, ArithmeticError, ValueError, IndexError):
            return None
        value = self.values[node]
        for x in value if isinstance(value, tuple) else (value,):
            if not _is_fine(x):
                return None
        if node.outputs is None:
            self.pool.append(node)
        return node

    def made(self, op: Any, *operands: Node) -> Node | None:
        """A node, if the op takes these operands and its value is well defined.

        Operands of elementwise ops are promoted as in a user's program.
        """
        try:
            promotes = isinstance(op, Elementwise)
            node = getattr(NODES, op.name)(*operands) if promotes else make(op, *operands)
        except (GlassgradError, ValueError, TypeError):
            return None
        return self.keep(node)

    def viewed(self, x: Node) -> Node:
        """The operand, or a view of it in another layout and shape."""
        if self.chance(0.6) or not x.ndim:
            return x
        return self.one((self.transposed, self.sliced, self.reshaped))(x) or x

    def transposed(self, x: Node) -> Node | None:
        """The axes in another order."""
        return self.made(Transpose(tuple(int(i) for i in self.rng.permutation(x.ndim))), x)

    def cut(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """Starts, steps and lengths of a slice."""
        starts, steps, lengths = [], [], []
        for n in shape:
            step = int(self.one((1, 1, 1, 2, 3, -1, -1, -2)))
            length = int(self.rng.integers(1, -(-n // abs(step)) + 1)) if n else 0
            span = (length - 1) * abs(step) if length else 0
            low = int(self.rng.integers(0, n - span)) if n - span > 0 else 0
            starts.append(low + span if step < 0 else low)
            steps.append(step)
            lengths.append(length)
        return tuple(starts), tuple(steps), tuple(lengths)

    def sliced(self, x: Node) -> Node | None:
        """Some of the elements, perhaps backwards."""
        return self.made(Slice(*self.cut(x.shape)), x)

    def reshaped(self, x: Node) -> Node | None:
        """The elements in order in another shape."""
        n = x.size
        divisors = [d for d in range(1, 40) if n and n % d == 0]
        if not divisors:
            return None
        d = self.one(divisors)
        return self.made(Reshape(self.one(((n,), (d, n // d), (n // d, d), (1, n)))), x)

    def beside(self, x: Node) -> Node:
        """Another operand of the same shape and dtype: of the pool, broadcast, or new."""
        fits = [y for y in self.pool if y.dtype == x.dtype and spreads(y.shape, x.shape)]
        if not fits or self.chance(0.3):
            shape = tuple(n if self.chance(0.7) else 1 for n in x.shape)
            shape = shape[int(self.rng.integers(0, x.ndim + 1)) :]
            y = self.input(self.array(shape, x.dtype))
            if self.chance(0.2):
                y = constant(self.trace, self.values[y], x.dtype)
        else:
            y = self.viewed(self.one(fits))
            if not spreads(y.shape, x.shape):
                y = self.one(fits)
        return self.spread(y, x.shape)


def _is_fine(x: Any) -> bool:
    x = np.asarray(x)
    if x.size > 16 * MOST_ELEMENTS:
        return False
    return x.dtype.kind != "f" or bool(np.all(np.isfinite(x)) and np.all(np.abs(x) < LARGEST))


def spreads(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """Whether an array of one shape broadcasts to the other."""
    tail = large[len(large) - len(small) :]
    return len(small) <= len(large) and all(m in (1, n) for m, n in zip(small, tail))
