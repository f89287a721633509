"""Random graphs that are well defined: every family of ops, any layout, gradients included.

Each node is evaluated as it is made, by the reference engine; a node whose value is not finite, is
very large, or comes from a case that NumPy leaves open (a real out of an integer's range) is not
kept. So a graph can be compared with another engine's results without knowing anything about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glassgrad.diff.reverse import gradients
from glassgrad.engines import reference
from glassgrad.graph.algebra import NODES
from glassgrad.graph.errors import GlassgradError
from glassgrad.graph.family import Broadcast, Cast, Elementwise, Reshape
from glassgrad.graph.function import Function
from glassgrad.graph.node import Input, Node, Trace, constant, item, make, new_input
from glassgrad.graph.op import REGISTRY
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.contract import Contract
from glassgrad.ops.gather import Scatter, ScatterAdd, Take
from glassgrad.ops.loop import Cond, Scan, While
from glassgrad.ops.prefix import Prefix
from glassgrad.ops.random import RandomBits
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.sort import Sort
from glassgrad.ops.view import Concatenate, Place, Slice, Transpose, Update

FLOATS = ("f4", "f8")
WHOLE = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
EXTENTS = (1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 31, 33)
MOST_ELEMENTS = 6000
LARGEST = 1e6
ELEMENTWISE = [op for _, op in sorted(REGISTRY.items()) if isinstance(op, Elementwise)]

Coverage = dict[tuple[str, str, str], int]
"""How often an op met a dtype in a layout."""


@dataclass
class RandomGraph:
    """Inputs with values, and outputs; `values` holds the value of every node.

    `slopes` are the outputs that are gradients of `total`, each with the input it belongs to.
    """

    inputs: list[Node]
    outputs: list[Node]
    values: dict[Node, Any]
    total: Node | None = None
    slopes: dict[Node, Node] = field(default_factory=dict)

    @property
    def arguments(self) -> list[np.ndarray]:
        """The arrays of the inputs, in order."""
        return [self.values[x] for x in self.inputs]

    def coverage(self) -> Coverage:
        """How often each op met each dtype in each layout."""
        found: Coverage = {}
        for node in topological_order(self.outputs):
            for x in node.inputs or (node,):
                key = (node.name, str(x.dtype) if x.outputs is None else "", layout(x))
                found[key] = found.get(key, 0) + 1
        return found


def layout(x: Node) -> str:
    """How an operand's elements lie, told from the view that made it."""
    if x.outputs is not None:
        return "several"
    if x.size == 0:
        return "empty"
    if x.ndim == 0:
        return "scalar"
    names = {Transpose: "transposed", Broadcast: "broadcast", Reshape: "reshaped"}
    if isinstance(x.op, Slice):
        return "reversed" if min(x.op.steps) < 0 else "sliced"
    return names.get(type(x.op), "in order")


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
        fits = [y for y in self.pool if y.dtype == x.dtype and _spreads(y.shape, x.shape)]
        if not fits or self.chance(0.3):
            shape = tuple(n if self.chance(0.7) else 1 for n in x.shape)
            shape = shape[int(self.rng.integers(0, x.ndim + 1)) :]
            y = self.input(self.array(shape, x.dtype))
            if self.chance(0.2):
                y = constant(self.trace, self.values[y], x.dtype)
        else:
            y = self.viewed(self.one(fits))
            if not _spreads(y.shape, x.shape):
                y = self.one(fits)
        return y if y.shape == x.shape else make(Broadcast(x.shape), y)

    # -- families -------------------------------------------------------------

    def elementwise(self) -> Node | None:
        """Any elementwise op."""
        op = self.one(ELEMENTWISE)
        if op.name == "where":
            x = self.viewed(self.pick())
            c = self.input(self.array(x.shape, bool))
            return self.made(op, self.beside(c), x, self.beside(x))
        x = self.viewed(self.pick("f" if self.chance(0.7) else "biuf"))
        operands = [x, *(self.beside(x) for _ in range(op.arity - 1))]
        found = self.made(op, *operands)
        if found is None and x.dtype.kind == "f":  # move the operands into the domain
            operands = [self.tamed(y, *span) for y, span in zip(operands, op.samples)]
            found = self.made(op, *operands)
        return found

    def tamed(self, x: Node, low: float, high: float) -> Node:
        """The values squeezed into an interval."""
        sigmoid, add, multiply = (REGISTRY[n] for n in ("sigmoid", "add", "multiply"))
        width = make(Broadcast(x.shape), constant(self.trace, high - low, x.dtype))
        start = make(Broadcast(x.shape), constant(self.trace, low, x.dtype))
        return make(add, make(multiply, make(sigmoid, x), width), start)

    def cast(self) -> Node | None:
        """Another dtype; reals that an integer cannot hold are not cast."""
        x = self.viewed(self.pick())
        names = ("?", *FLOATS, *FLOATS, *WHOLE) if x.dtype.kind == "f" else ("f4", *WHOLE)
        dtype = np.dtype(self.one(names))
        if x.dtype.kind == "f" and dtype.kind in "iu":
            value = self.values.get(x)
            value = reference.evaluate([x], self.values)[0] if value is None else value
            low = -100 if dtype.kind == "i" else 0
            if value.size and (value.min() < low or value.max() > 100):
                return None
        return self.made(Cast(dtype), x) if dtype != x.dtype else None

    def reduce(self) -> Node | None:
        """A reduction over some axes."""
        x = self.viewed(self.pick(at_least=1))
        axes = tuple(i for i in range(x.ndim) if self.chance(0.5)) or (x.ndim - 1,)
        kind = self.one(("sum", "sum", "max", "min", "any", "all", "logsumexp"))
        if kind == "sum" and x.dtype == np.dtype(bool):
            return None
        return self.made(Reduce(kind, axes), x)

    def contract(self) -> Node | None:
        """A product of two arrays over some labels: batch, rows, summed, columns."""
        x = self.viewed(self.pick("f" if self.chance(0.9) else "iu", at_least=1))
        if x.ndim > 4:
            return None
        shared = [i for i in range(x.ndim) if self.chance(0.5)]
        own = [x.ndim + j for j in range(int(self.rng.integers(0, 3)))]
        rhs = [*shared, *own]
        rhs = [rhs[i] for i in self.rng.permutation(len(rhs))]
        sizes = dict(enumerate(x.shape)) | {i: self.one(EXTENTS) for i in own}
        y = self.input(self.array(tuple(sizes[i] for i in rhs), x.dtype))
        kept = [i for i in shared if self.chance(0.3)]
        out = [*kept, *(i for i in range(x.ndim) if i not in shared), *own]
        out = [out[i] for i in self.rng.permutation(len(out))] if self.chance(0.3) else out
        if np.prod([sizes[i] for i in out], dtype=np.int64) > MOST_ELEMENTS:
            return None
        operands = (x, tuple(range(x.ndim)), y, tuple(rhs))
        if self.chance(0.5):
            operands = (*operands[2:], *operands[:2])
        a, lhs, b, rhs_ = operands
        number: dict[int, int] = {}
        for label in (*lhs, *rhs_):
            number.setdefault(label, len(number))
        named = [tuple(number[i] for i in labels) for labels in (lhs, rhs_, out)]
        return self.made(Contract(*named), a, b)

    def product(self) -> Node | None:
        """A matrix product large enough to be cut into blocks, of operands in any order of axes."""
        m, k, n = (self.one((1, 6, 32, 65, 100, 130, 257, 1024)) for _ in range(3))
        m = 900 if self.chance(0.3) else m
        if m * k + k * n > 300_000 or m * n > 16 * MOST_ELEMENTS:
            return None
        dtype = self.one(FLOATS)
        x, y = (self.input(self.array(shape, dtype) / 8) for shape in ((m, k), (n, k)))
        x = (
            make(Transpose((1, 0)), self.input(self.array((k, m), dtype)))
            if self.chance(0.3)
            else x
        )
        node = self.made(Contract((0, 1), (2, 1), (0, 2)), x, y)
        return node and self.made(Reduce("sum", (int(self.rng.integers(2)),)), node)

    def concatenate(self) -> Node | None:
        """Two or three arrays, one after the other."""
        x = self.viewed(self.pick(at_least=1))
        axis = int(self.rng.integers(x.ndim))
        parts = [x]
        for _ in range(int(self.rng.integers(1, 3))):
            n = self.one(EXTENTS[:6])
            shape = tuple(n if i == axis else m for i, m in enumerate(x.shape))
            parts.append(x if self.chance(0.3) else self.input(self.array(shape, x.dtype)))
        return self.made(Concatenate(axis), *parts)

    def write(self) -> Node | None:
        """A slice of zeros or of an array, written to."""
        x = self.viewed(self.pick(at_least=1))
        starts, steps, lengths = self.cut(x.shape)
        if self.chance(0.5):
            v = make(Slice(starts, steps, lengths), x)
            return self.made(Place(x.shape, starts, steps), self.beside(v))
        v = self.input(self.array(lengths, x.dtype))
        return self.made(Update(starts, steps), x, v)

    def indices(self, extent: int, shape: tuple[int, ...]) -> Node:
        """Random indices into an axis, some counted from the end."""
        dtype = self.one(("i8", "i8", "i4", "u4", "i2"))
        low = 0 if dtype[0] == "u" or self.chance(0.5) else -extent
        return self.input(self.rng.integers(low, extent, shape).astype(dtype))

    def gather(self) -> Node | None:
        """Elements read at computed places, or added or written there."""
        x = self.viewed(self.pick(at_least=1))
        count = 2 if x.ndim > 1 and self.chance(0.2) else 1
        axis = int(self.rng.integers(0, x.ndim - count + 1))
        if 0 in x.shape[axis : axis + count]:
            return None
        shape = self.one(((), (self.one(EXTENTS),), (2, 3)))
        indices = [self.indices(x.shape[axis + j], shape) for j in range(count)]
        rows = self.made(Take(axis), x, *indices)
        if rows is None or rows.size > MOST_ELEMENTS or self.chance(0.5):
            return rows
        v = self.beside(rows)
        if self.chance(0.6):
            return None if x.dtype.kind == "b" else self.made(ScatterAdd(axis), x, v, *indices)
        return self.made(Scatter(axis), x, v, *indices)

    def prefix(self) -> Node | None:
        """Running sums."""
        x = self.viewed(self.pick("iuf", at_least=1))
        return self.made(Prefix(int(self.rng.integers(x.ndim)), self.chance(0.5)), x)

    def sort(self) -> Node | None:
        """Sorted values, or where they came from."""
        x = self.viewed(self.pick(at_least=1))
        node = self.made(Sort(int(self.rng.integers(x.ndim))), x)
        return None if node is None else self.keep(item(node, int(self.rng.integers(2))))

    def draw(self) -> Node | None:
        """Random words of a key."""
        key = self.input(self.rng.integers(0, 2**32, (2,)).astype("u4"))
        return self.made(RandomBits(self.shape(2), int(self.rng.integers(3))), key)

    def body(self, kinds: str = "f") -> tuple[list[Node], list[Node]]:
        """A few elementwise steps on operands of one shape: parameters and results."""
        dtype, shape = np.dtype(self.one(FLOATS)), self.one(((), (3,), (2, 2), self.shape(2)))
        a, b = (new_input(self.trace, n, shape, dtype) for n in "ab")
        now = [a, b]
        for name in [self.one(("add", "multiply", "tanh", "sigmoid", "sin"))] * 2 + ["tanh"]:
            op = REGISTRY[name]
            now.append(make(op, *(self.one(now) for _ in range(op.arity))))
        if len(shape) == 2 and self.chance(0.4):
            w = self.array((shape[1], shape[1]), dtype) / shape[1]
            w = constant(self.trace, w, dtype)
            now.append(make(Contract((0, 1), (1, 2), (0, 2)), now[-1], w))
        if shape and shape[-1] and self.chance(0.5):
            lead, kind = (*shape[:-1], 1), self.one(("sum", "max"))
            total = make(Reshape(lead), make(Reduce(kind, (len(shape) - 1,)), now[-1]))
            now.append(make(REGISTRY["tanh"], make(Broadcast(shape), total)))
        return [a, b], now[-2:]

    def loop(self) -> Node | None:
        """A scan with one carry, one row and one stacked result; a branch; a while loop."""
        (a, b), (new, out) = self.body()
        x, y = (self.input(self.array(a.shape, a.dtype)) for _ in "xy")
        kind = self.one(("scan", "scan", "cond", "while"))
        if kind == "scan":
            n = int(self.rng.integers(0, 6))
            rows = self.input(self.array((n, *b.shape), b.dtype))
            node = self.made(Scan(Function([a, b], [new, out]), 1, 1, n), x, rows)
        elif kind == "cond":
            pred = self.input(self.array((), bool))
            node = self.made(Cond(Function([a, b], [new]), Function([a, b], [out])), pred, x, y)
        else:
            i = new_input(self.trace, "i", (), np.dtype("i8"))
            test = make(REGISTRY["less"], i, constant(self.trace, 3, "i8"))
            on = make(REGISTRY["add"], i, constant(self.trace, 1, "i8"))
            start = self.input(np.asarray(int(self.rng.integers(0, 5))))
            functions = Function([i, a, b], [test]), Function([i, a, b], [on, new])
            node = self.made(While(*functions, 2), start, x, y)
        if node is None or node.outputs is None:
            return None
        return self.keep(item(node, len(node.outputs) - 1))

    # -- the whole ------------------------------------------------------------

    def graph(self, size: int) -> RandomGraph:
        """A graph of about so many nodes, with gradients in most cases."""
        for _ in range(int(self.rng.integers(1, 4))):
            self.new("f" if self.chance(0.8) else "biuf")
        tries = 0
        while len(self.pool) < size and tries < 10 * size:
            tries += 1
            FAMILIES[int(self.rng.choice(len(FAMILIES), p=_SHARES))][0](self)
        used = {x for node in self.pool for x in node.inputs}
        ends = [x for x in self.pool if x not in used and not isinstance(x.op, Input)]
        outputs = ends[-6:] or [self.pool[-1]]
        total, slopes = self.slopes(outputs) if self.chance(0.7) else (None, {})
        outputs += slopes
        order = topological_order(outputs)
        under = set(order)
        inputs = [x for x in self.inputs if x in under]
        values = {x: self.values[x] for x in (*order, *self.inputs) if x in self.values}
        return RandomGraph(inputs, outputs, values, total, slopes)

    def slopes(self, outputs: list[Node]) -> tuple[Node | None, dict[Node, Node]]:
        """A weighted sum of the real outputs, and its gradients by the real inputs."""
        total: Node | None = None
        for y in outputs:
            if y.dtype.kind != "f" or not y.size:
                continue
            w = constant(self.trace, self.array(y.shape, y.dtype), y.dtype)
            labels = tuple(range(y.ndim))
            part = make(Contract(labels, labels, ()), y, w)
            part = part if part.dtype.itemsize == 8 else make(Cast(np.dtype("f8")), part)
            total = part if total is None else make(REGISTRY["add"], total, part)
        under = set() if total is None else set(topological_order([total]))
        reals = [x for x in self.inputs if x.dtype.kind == "f" and x in under]
        if total is None or not reals:
            return None, {}
        try:
            found = dict(zip(gradients(total, reals), reals))
        except GlassgradError:  # a while loop has no reverse mode
            return None, {}
        return total, {g: x for g, x in found.items() if g.inputs and self.keep(g) is not None}


def _is_fine(x: Any) -> bool:
    x = np.asarray(x)
    if x.size > 16 * MOST_ELEMENTS:
        return False
    return x.dtype.kind != "f" or bool(np.all(np.isfinite(x)) and np.all(np.abs(x) < LARGEST))


def _spreads(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """Whether an array of one shape broadcasts to the other."""
    tail = large[len(large) - len(small) :]
    return len(small) <= len(large) and all(m in (1, n) for m, n in zip(small, tail))


FAMILIES: list[tuple[Callable[[Maker], Node | None], float]] = [
    (Maker.elementwise, 12), (Maker.cast, 2), (Maker.reduce, 3), (Maker.contract, 3),
    (Maker.concatenate, 1), (Maker.write, 1.5), (Maker.gather, 2), (Maker.prefix, 1),
    (Maker.sort, 0.7), (Maker.draw, 0.3), (Maker.loop, 0.8), (Maker.product, 0.8),
]  # fmt: skip
_SHARES = np.array([share for _, share in FAMILIES]) / sum(share for _, share in FAMILIES)


def random_graph(seed: int) -> RandomGraph:
    """The graph of a seed: 3 to 20 nodes, fewer more often, besides what belongs to gradients."""
    rng = np.random.default_rng(seed)
    return Maker(rng).graph(3 + int(18 * rng.random() ** 2))
