"""From a graph to steps: what is stored, what is fused, and in which order.

Values are pulled: a node that must be stored (a root) is computed by one step whose expression
reaches up to other stored nodes. Elementwise nodes that several roots need are recomputed when that
is cheap and stored when it is not. A step whose latest operand is the result of a matrix product, a
reduction or a loop over the same points joins that step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassgrad.engines.native.expression import (
    Apply,
    Buffer,
    Expr,
    Gather,
    Load,
    Seed,
    Store,
    Uniform,
    loads,
    walk,
)
from glassgrad.engines.native.step import (
    Draw,
    Loop,
    Matrix,
    Multiply,
    Reduction,
    Repeat,
    Scatter,
    Step,
)
from glassgrad.engines.native.strided import Strided
from glassgrad.engines.native.unsupported import unsupported
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import Broadcast, Cast, Elementwise, Reshape, full_like
from glassgrad.graph.node import Const, Input, Item, Node, make
from glassgrad.graph.op import REGISTRY
from glassgrad.graph.traverse import consumers, rebuild, topological_order
from glassgrad.ops.contract import Contract
from glassgrad.ops.gather import ScatterAdd, Take
from glassgrad.ops.loop import Scan
from glassgrad.ops.random import RandomBits
from glassgrad.ops.reduce import Reduce, reduce
from glassgrad.ops.view import Concatenate, Place, Slice, Transpose, Update, transpose

Chain = tuple["ViewOf", ...]

_VIEWS = (Broadcast, Reshape, Transpose, Slice)
_FUSED = (Elementwise, Cast, *_VIEWS, Take)
_CHEAP = frozenset(
    "add subtract multiply negative square less less_equal equal not_equal where maximum minimum "
    "relu clip abs logical_and logical_or logical_not isfinite cast sign stop_gradient".split()
)
_RECOMPUTED = 6  # at most so many cheap operations are done again rather than stored
_LARGEST = 60  # operations in one expression
_SMALL = 256  # loops over so few elements are joined whatever they read
_MOST_STORES = 12  # results of one loop
_STORED_PAIR = 65536  # elements: two functions of one operand are computed together up to here


class ViewOf:
    """A view applied on the way from a point to an element; `node` is what it shows, if any."""

    __slots__ = ("apply", "key", "node")

    def __init__(self, key: tuple, node: Node | None) -> None:
        self.key, self.node = key, node

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ViewOf) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @staticmethod
    def of(node: Node) -> ViewOf:
        """The view that a view node takes of its operand."""
        op = node.op
        kind = {Broadcast: "broadcast", Reshape: "reshape", Transpose: "transpose"}
        if isinstance(op, Slice):
            return ViewOf(("slice", op.starts, op.steps, op.lengths), node)
        return ViewOf((kind[type(op)], *op.parameters()), node)

    def on(self, x: Strided) -> Strided | None:
        """The view taken of strided elements; None where that needs a copy."""
        return getattr(x, self.key[0])(*self.key[1:])


class NeedsBuffer(Exception):
    """Raised while an expression is built: this node must be stored first."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.node = node


class CannotJoin(Exception):
    """Raised while a step is joined to another: it must stand alone."""


class Planner:
    """Builds the steps for some outputs; `inputs` are the arguments in order."""

    def __init__(
        self, outputs: Sequence[Node], inputs: Sequence[Node],
        constants: list[Buffer] | None = None,
    ) -> None:  # fmt: skip
        outputs = expanded(outputs)
        self.outputs, self.inputs = outputs, list(inputs)
        self.order = topological_order(outputs)
        self.users = consumers(self.order)
        self.steps: list[Step] = []
        self.buffers: dict[Node, Buffer] = {}
        self.made: dict[Buffer, int] = {}
        self.results: dict[Node, Buffer] = {}
        self.constants: list[Buffer] = [] if constants is None else constants
        self.fused = 0

    # -- the plan -------------------------------------------------------------

    def plan(self) -> list[Step]:
        """All steps, in order."""
        for i, node in enumerate(self.inputs):
            self.buffers[node] = Buffer("input", node.dtype, node.shape, i)
            self.made[self.buffers[node]] = -1
        for i, node in enumerate(self.outputs):
            if node not in self.results and node not in self.buffers:
                self.results[node] = Buffer("output", node.dtype, node.shape, i)
        roots = self._roots()
        for node in self.order:
            if node in roots:
                self.ensure(node)
        for i, node in enumerate(self.outputs):
            if self.results.get(node) is None or self.results[node].index != i:
                copy = Buffer("output", node.dtype, node.shape, i)
                expr = self._whole(node)
                self._append(Loop([node], [Store(expr, copy, Strided.contiguous(node.shape))]))
        self._drop_unused()
        return self.steps

    def _drop_unused(self) -> None:
        """Stores that nobody reads are not made."""
        read = {b for step in self.steps for b in step.reads()}
        for step in self.steps:
            kept = [s for s in step.stores if s.buffer.kind == "output" or s.buffer in read]
            if isinstance(step, Multiply) and not any(_holds_partial(s, step) for s in kept):
                kept = [*kept, *(s for s in step.stores if s.expr is step.seed)]
            step.stores = kept
        self.steps = [s for s in self.steps if s.stores or s.whole]

    def ensure(self, node: Node) -> Buffer:
        """The buffer of a node, computed by a step if it was not yet."""
        found = self.buffers.get(node)
        while found is None:
            try:
                found = self._compute(node)
            except NeedsBuffer as need:
                if need.node is node:
                    raise AssertionError(f"{node!r} needs itself") from None
                self.ensure(need.node)
        return found

    def _new_buffer(self, node: Node) -> Buffer:
        return self.results.get(node) or Buffer("arena", node.dtype, node.shape)

    # -- which nodes are stored -----------------------------------------------

    def _roots(self) -> set[Node]:
        """The nodes that are stored: outputs, what is not fused, and what is costly to repeat."""
        roots = {n for n in self.outputs if not isinstance(n.op, Input)}
        for node in self.order:
            if isinstance(node.op, _FUSED) or isinstance(node.op, Input | Const):
                continue
            if isinstance(node.op, Scan):
                roots.update(x for x in node.inputs if not isinstance(x.op, Input))
            if node.outputs is not None:
                continue
            if isinstance(node.op, Contract) and is_outer(node.op):
                continue
            roots.add(node)
            if isinstance(node.op, Contract) and self._is_product(node):
                roots.update(b for x in node.inputs if (b := _stripped(x)) not in self.buffers)
        roots = {r for r in roots if not isinstance(r.op, Const) or r in self.results}
        return self._with_costly(roots)

    def _with_costly(self, roots: set[Node]) -> set[Node]:
        """Adds the fused nodes that several roots need and that are costly, or that grow large."""
        roots |= self._shared_functions()
        cost = self._costs(roots)
        reached: dict[Node, set[Node]] = {}
        for node in reversed(self.order):
            if isinstance(node.op, Input | Const) or node in roots:
                continue
            found: set[Node] = set()
            for user in self.users[node]:
                found |= {user} if user in roots else reached.get(user, set())
            reached[node] = set(list(found)[:2])
            enlarged = any(
                isinstance(u.op, Broadcast | Take) and u.size > node.size > 1
                for u in self.users[node]
            )
            if isinstance(node.op, _VIEWS):
                continue
            if (len(found) > 1 or enlarged) and cost[node] > _RECOMPUTED:
                roots.add(node)
        return self._cut_large(roots)

    def _shared_functions(self) -> set[Node]:
        """Costly functions of one operand, such as tanh and its slope, that share their exp."""
        groups: dict[tuple[Node, ...], list[Node]] = {}
        for node in self.order:
            if isinstance(node.op, Elementwise) and _is_costly(node.op):
                groups.setdefault(node.inputs, []).append(node)
        return {n for g in groups.values() if 1 < len(g) and g[0].size <= _STORED_PAIR for n in g}

    def _cut_large(self, roots: set[Node]) -> set[Node]:
        size: dict[Node, int] = {}
        for node in self.order:
            inner = [0 if x in roots else size[x] for x in node.inputs]
            size[node] = 1 + sum(inner)
            if size[node] > _LARGEST and not isinstance(node.op, (Input, Const, *_VIEWS)):
                roots.add(node)
        return roots

    def _costs(self, roots: set[Node]) -> dict[Node, int]:
        cost: dict[Node, int] = {}
        for node in self.order:
            own = 0 if isinstance(node.op, (*_VIEWS, Input, Const)) else 1
            if isinstance(node.op, Elementwise) and node.op.name not in _CHEAP:
                own = _RECOMPUTED + 1 if _is_costly(node.op) else 4
            inner = sum(0 if x in roots else cost[x] for x in dict.fromkeys(node.inputs))
            cost[node] = min(own + inner, 1000)
        return cost

    def _is_product(self, node: Node) -> bool:
        op = node.op
        assert isinstance(op, Contract)
        groups = label_groups(op)
        size = _sizes(node)
        return all(int(np.prod([size[i] for i in g], dtype=np.int64)) > 1 for g in groups[1:3])

    # -- expressions ----------------------------------------------------------

    def _whole(self, node: Node) -> Expr:
        """The expression of a node over its own shape, stored nodes read from their buffers."""
        return self._build({}, {}, node, ())

    def _build(
        self, local: dict[Node, Expr], memo: dict[tuple[Node, Chain], Expr], node: Node,
        chain: Chain,
    ) -> Expr:  # fmt: skip
        key = (node, chain)
        if key not in memo:
            memo[key] = self._built(local, memo, node, chain)
        return memo[key]

    def _built(
        self, local: dict[Node, Expr], memo: dict[tuple[Node, Chain], Expr], node: Node,
        chain: Chain,
    ) -> Expr:  # fmt: skip
        if node in local:
            if all(v.key[0] == "reshape" and v.key[1] == node.shape for v in chain):
                return local[node]
            raise CannotJoin
        if node in self.buffers:
            return self._load(self.buffers[node], chain)
        op = node.op
        if isinstance(op, Const):
            return self._constant(node, chain)
        if isinstance(op, _VIEWS):
            return self._build(local, memo, node.inputs[0], (*chain, ViewOf.of(node)))
        if isinstance(op, Elementwise | Cast):
            args = tuple(self._build(local, memo, x, chain) for x in node.inputs)
            return Apply(op, args, node.dtype)
        if isinstance(op, Take):
            return self._gather(local, memo, node, chain)
        if isinstance(op, Contract) and is_outer(op):
            sides = self._spread(node, [op.out] * 2, chain)
            args = tuple(self._build(local, memo, x, c) for x, c in sides)
            return Apply(REGISTRY["multiply"], args, node.dtype)
        raise NeedsBuffer(node)

    def _spread(
        self, node: Node, labels: Sequence[tuple[int, ...]], chain: Chain = ()
    ) -> list[tuple[Node, Chain]]:
        """Both operands of a contraction, seen over the axes of `labels`."""
        op = node.op
        assert isinstance(op, Contract)
        size = _sizes(node)
        found: list[tuple[Node, Chain]] = []
        for x, own, wanted in zip(node.inputs, (op.lhs, op.rhs), labels):
            perm = tuple(own.index(i) for i in wanted if i in own)
            ones = tuple(size[i] if i in own else 1 for i in wanted)
            full = tuple(size[i] for i in wanted)
            views = [("broadcast", full), ("reshape", ones), ("transpose", perm)]
            found.append((x, (*chain, *(ViewOf(v, None) for v in views))))
        return found

    def _load(self, buffer: Buffer, chain: Chain) -> Load:
        return Load(buffer, self._seen(Strided.contiguous(buffer.shape), chain))

    def _seen(self, view: Strided, chain: Chain) -> Strided:
        for step in reversed(chain):
            seen = step.on(view)
            if seen is None:
                if step.node is None:
                    raise CannotJoin
                raise NeedsBuffer(step.node)
            view = seen
        return view

    def _constant(self, node: Node, chain: Chain) -> Expr:
        op = node.op
        assert isinstance(op, Const)
        value = op.value
        flat = value.reshape(-1)
        if flat.size == 0 or (flat.tobytes() == flat[:1].tobytes() * flat.size):
            number = flat[0].item() if flat.size else 0
            return Uniform(number, node.dtype)
        return self._load(self._store_constant(node), chain)

    def _gather(
        self, local: dict[Node, Expr], memo: dict[tuple[Node, Chain], Expr], node: Node,
        chain: Chain,
    ) -> Expr:  # fmt: skip
        """A take: the operand must be stored; the indices are expressions of their own."""
        x, *indices = node.inputs
        buffer, source = self._stored_view(x, local)
        return self._gather_from(local, memo, node, chain, buffer, source, indices)

    def _stored_view(self, x: Node, local: dict[Node, Expr]) -> tuple[Buffer, Strided]:
        """Where the elements of a node lie; below its views it must be stored."""
        base, chain = x, ()
        while base in local or base not in self.buffers:
            if base in local:
                raise CannotJoin
            if isinstance(base.op, Const):
                self._store_constant(base)
            elif isinstance(base.op, _VIEWS):
                chain = (*chain, ViewOf.of(base))
                base = base.inputs[0]
            else:
                raise NeedsBuffer(base)
        return self.buffers[base], self._seen(Strided.contiguous(base.shape), chain)

    def _store_constant(self, node: Node) -> Buffer:
        """A constant that is read from memory."""
        assert isinstance(node.op, Const)
        buffer = Buffer("const", node.dtype, node.shape, len(self.constants))
        buffer.value = node.op.value
        self.constants.append(buffer)
        self.buffers[node] = buffer
        self.made[buffer] = -1
        return buffer

    def _gather_from(
        self, local: dict[Node, Expr], memo: dict[tuple[Node, Chain], Expr], node: Node,
        chain: Chain, buffer: Buffer, source: Strided, indices: Sequence[Node],
    ) -> Expr:  # fmt: skip
        """`source` is the operand's strided form; node.op is a Take or a ScatterAdd."""
        op = node.op
        assert isinstance(op, Take | ScatterAdd)
        a, c = op.axis, len(indices)
        shape = indices[0].shape
        value_shape = (*source.shape[:a], *shape, *source.shape[a + c :])
        still = (*source.strides[:a], *[0] * len(shape), *source.strides[a + c :])
        view = self._seen(Strided(value_shape, still, source.offset), chain)
        lifted = (*[1] * a, *shape, *[1] * (len(source.shape) - a - c))
        spread = (ViewOf(("broadcast", value_shape), None), ViewOf(("reshape", lifted), None))
        exprs = tuple(self._build(local, memo, i, (*chain, *spread)) for i in indices)
        extents = source.shape[a : a + c]
        return Gather(buffer, view, exprs, extents, source.strides[a : a + c])

    # -- steps ----------------------------------------------------------------

    def _append(self, step: Step) -> None:
        self.steps.append(step)
        for store in step.writes():
            self.made[store] = len(self.steps) - 1

    def _compute(self, node: Node) -> Buffer:
        """Plans the step (or joins one) that stores a node."""
        op = node.op
        if isinstance(op, Const):
            buffer = self._new_buffer(node)
            expr = self._constant_copy(node)
            self._append(Loop([node], [Store(expr, buffer, Strided.contiguous(node.shape))]))
        elif isinstance(op, _FUSED) or (isinstance(op, Contract) and is_outer(op)):
            return self._fused(node)
        elif isinstance(op, Item):
            return self._item(node)
        else:
            plan = _PLANS.get(type(op))
            if plan is None:
                raise unsupported(node, "it has no machine code yet")
            buffer = self._new_buffer(node)
            plan(self, node, buffer)
        self.buffers[node] = buffer
        return buffer

    def _constant_copy(self, node: Node) -> Expr:
        known = self.buffers.pop(node, None)
        expr = self._constant(node, ())
        self.buffers.pop(node, None)
        if known is not None:
            self.buffers[node] = known
        return expr

    def _fused(self, node: Node) -> Buffer:
        """A loop for an elementwise node, joined to the step that its latest operand comes from."""
        inner = node
        while isinstance(inner.op, Reshape):  # the elements in order are the operand's
            inner = inner.inputs[0]
        shape = inner.shape
        loop = Loop([node], [])
        expr = self._build({}, loop.memo, inner, ())
        buffer = self._new_buffer(node)
        loop.stores.append(Store(expr, buffer, Strided.contiguous(shape)))
        at = self._latest(expr)
        if not (self._join(inner, loop, at) or self._join_beside(inner, loop, at)):
            self._append(loop)
        self.buffers[node] = buffer
        return buffer

    def _latest(self, expr: Expr) -> int:
        return max((self.made.get(x.buffer, -1) for x in loads([expr])), default=-1)

    def _join_beside(self, inner: Node, loop: Loop, latest: int) -> bool:
        """Joins a later loop over the same points that reads some of the same memory."""
        (store,) = loop.stores
        read = {x.buffer for x in loads([store.expr])}
        for at in range(max(latest + 1, 0), len(self.steps)):
            step = self.steps[at]
            if isinstance(step, Loop) and step.shape == loop.shape:
                shared = not read.isdisjoint(x.buffer for x in loads(step.roots()))
                if (shared or store.buffer.size <= _SMALL) and self._join(inner, loop, at):
                    return True
        return False

    def _join(self, inner: Node, loop: Loop, at: int) -> bool:
        """Adds the store of a loop to an earlier step, where that is allowed and pays."""
        step = self.steps[at] if at >= 0 else loop
        (store,) = loop.stores
        if step is loop or step.shape != loop.shape or 0 in loop.shape:
            return False
        if not self._pays(step, store.expr):
            return False
        try:
            expr = self._build(self._local(step), step.memo, inner, ())
        except (CannotJoin, NeedsBuffer):
            return False
        if self._latest(expr) >= at:
            return False
        if not isinstance(step, Loop) and any(isinstance(x, Gather) for x in loads([expr])):
            return False
        step.stores.append(Store(expr, store.buffer, store.view))
        step.nodes.extend(loop.nodes)
        self.made[store.buffer] = at
        self.fused += 1
        return True

    def _pays(self, step: Step, expr: Expr) -> bool:
        """Whether an expression may be evaluated where the step finishes its values.

        Costly functions are kept out of the tiles of a product (they would be written out for each
        row) and out of reductions that finish one number at a time.
        """
        if isinstance(step, Loop):
            return len(step.stores) < _MOST_STORES
        if isinstance(step, Multiply) and step.batch:
            return False
        if isinstance(step, Multiply) or (
            isinstance(step, Reduction) and len(step.space) - 1 in step.axes
        ):
            return not any(isinstance(x, Apply) and _is_costly(x.op) for x in walk([expr]))
        return isinstance(step, Reduction)

    def _local(self, step: Step) -> dict[Node, Expr]:
        """The nodes whose values a step has at hand."""
        by_buffer = {s.buffer: s.expr for s in step.stores if _plain(s, step.shape)}
        return {
            node: by_buffer[buffer]
            for node, buffer in self.buffers.items()
            if buffer in by_buffer and node.shape == step.shape
        }

    def _reduce(self, node: Node, buffer: Buffer) -> None:
        op, x = node.op, node.inputs[0]
        assert isinstance(op, Reduce)
        expr = self._whole(x)
        if not op.axes and op.kind not in ("any", "all"):
            self._append(Loop([node], [Store(expr, buffer, Strided.contiguous(node.shape))]))
            return
        self._reduction(node, buffer, x.shape, op.axes, op.kind, expr)

    def _reduction(
        self, node: Node, buffer: Buffer, space: tuple[int, ...], axes: tuple[int, ...],
        kind: str, expr: Expr,
    ) -> None:  # fmt: skip
        if kind in ("any", "all") and expr.dtype != np.dtype(bool):
            expr = Apply(Cast(np.dtype(bool)), (expr,), np.dtype(bool))
        if not reducible(space, axes, [x.view for x in loads([expr])]):
            raise NeedsBuffer(node.inputs[0])
        seed = Seed(expr.dtype)
        store = Store(seed, buffer, Strided.contiguous(node.shape))
        self._append(Reduction([node], [store], space, axes, kind, expr, seed))

    def _contract(self, node: Node, buffer: Buffer) -> None:
        op = node.op
        assert isinstance(op, Contract)
        if not self._is_product(node):
            self._contract_by_sum(node, buffer)
            return
        batch, rows, columns, summed = label_groups(op)
        out = op.out
        size = _sizes(node)
        sides = [(0, op.lhs, rows), (1, op.rhs, columns)]
        if out == (*batch, *columns, *rows):
            sides = [sides[1], sides[0]]
            rows, columns = columns, rows
        else:
            assert out == (*batch, *rows, *columns), "put in order by expanded()"
        left = self._matrix(node, *sides[0][:2], batch, rows, summed, size)
        right = self._matrix(node, *sides[1][:2], batch, summed, columns, size)
        m, n, k = (_product(size[i] for i in g) for g in (rows, columns, summed))
        seed = Seed(node.dtype)
        shape = tuple(size[i] for i in batch)
        store = Store(seed, buffer, Strided.contiguous((m, n)))
        self._append(Multiply([node], [store], left, right, shape, m, n, k, seed))

    def _matrix(
        self, node: Node, which: int, labels: tuple[int, ...], batch: tuple[int, ...],
        rows: tuple[int, ...], columns: tuple[int, ...], size: dict[int, int],
    ) -> Matrix:  # fmt: skip
        """An operand as a matrix for each batch point; copied where its strides do not allow it."""
        x = node.inputs[which]
        buffer, view = self._stored_view(x, {})
        view = view.transpose([labels.index(i) for i in (*batch, *rows, *columns)])
        b = len(batch)
        m, n = (_product(size[i] for i in g) for g in (rows, columns))
        flat = view.reshape((*view.shape[:b], m, n))
        if flat is None:
            buffer, view = self._copied(node, buffer, view)
            flat = view.reshape((*view.shape[:b], m, n))
            assert flat is not None
        strides = flat.strides
        return Matrix(buffer, flat.offset, strides[:b], strides[b], strides[b + 1])

    def _copied(self, node: Node, buffer: Buffer, view: Strided) -> tuple[Buffer, Strided]:
        """A view written out in its own order."""
        copy, whole = Buffer("arena", buffer.dtype, view.shape), Strided.contiguous(view.shape)
        self._append(Loop([node], [Store(Load(buffer, view), copy, whole)]))
        return copy, whole

    def _contract_by_sum(self, node: Node, buffer: Buffer) -> None:
        """A dot, or a matrix by a vector: products, summed."""
        op = node.op
        assert isinstance(op, Contract)
        _, _, _, summed = label_groups(op)
        size = _sizes(node)
        labels, axes = self._sum_order(node, summed)
        memo: dict[tuple[Node, Chain], Expr] = {}
        args = tuple(self._build({}, memo, x, c) for x, c in self._spread(node, [labels] * 2))
        expr = Apply(REGISTRY["multiply"], args, node.dtype)
        space = tuple(size[i] for i in labels)
        if not reducible(space, axes, [x.view for x in loads([expr])]):
            args = tuple(self._ordered(node, i, labels) for i in (0, 1))
            expr = Apply(REGISTRY["multiply"], args, node.dtype)
        seed = Seed(node.dtype)
        store = Store(seed, buffer, Strided.contiguous(node.shape))
        self._append(Reduction([node], [store], space, axes, "sum", expr, seed))

    def _ordered(self, node: Node, which: int, labels: tuple[int, ...]) -> Load:
        """An operand of a contraction, copied into the order of `labels`."""
        op, size = node.op, _sizes(node)
        assert isinstance(op, Contract)
        own = (op.lhs, op.rhs)[which]
        buffer, view = self._stored_view(node.inputs[which], {})
        order = [own.index(i) for i in labels if i in own]
        copy, whole = self._copied(node, buffer, view.transpose(order))
        lifted = whole.reshape([size[i] if i in own else 1 for i in labels])
        assert lifted is not None
        return Load(copy, lifted.broadcast([size[i] for i in labels]))

    def _sum_order(
        self, node: Node, summed: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The axes of the products: summed ones last if that walks through memory in order."""
        op = node.op
        assert isinstance(op, Contract)
        big = op.lhs if node.inputs[0].size >= node.inputs[1].size else op.rhs
        if not op.out or (big and big[-1] in summed):
            return (*op.out, *summed), tuple(range(len(op.out), len(op.out) + len(summed)))
        return (*summed, *op.out), tuple(range(len(summed)))

    def _concatenate(self, node: Node, buffer: Buffer) -> None:
        op = node.op
        assert isinstance(op, Concatenate)
        whole = Strided.contiguous(node.shape)
        stores = [
            Store(self._whole(x), buffer, whole.slice(p.starts, p.steps, p.lengths))
            for x, p in zip(node.inputs, op.parts(node))
        ]
        for store in stores:
            self._append(Loop([node], [store]))

    def _place(self, node: Node, buffer: Buffer) -> None:
        op, v = node.op, node.inputs[-1]
        assert isinstance(op, Place | Update)
        base = self._whole(node.inputs[0]) if isinstance(op, Update) else Uniform(0, node.dtype)
        written = Slice(op.starts, op.steps, v.shape)
        whole = Strided.contiguous(node.shape)
        part = whole.slice(written.starts, written.steps, written.lengths)
        expr = self._whole(v)
        self._append(Loop([node], [Store(base, buffer, whole)]))
        self._append(Loop([node], [Store(expr, buffer, part)]))

    def _draw(self, node: Node, buffer: Buffer) -> None:
        op = node.op
        assert isinstance(op, RandomBits)
        key = Load(*self._stored_view(node.inputs[0], {}))
        self._append(Draw([node], [], key, buffer, op.stream, op.shape))

    def _item(self, node: Node) -> Buffer:
        """A result of a node with several: all of them are computed at once."""
        owner = node.inputs[0]
        op = owner.op
        if not isinstance(op, Scan) or owner.outputs is None:
            raise unsupported(owner, "it has no machine code yet")
        items = {n.op.index: n for n in self.users[owner] if isinstance(n.op, Item)}
        results = [
            self._new_buffer(items[i]) if i in items else Buffer("arena", dtype, shape)
            for i, (shape, dtype) in enumerate(owner.outputs)
        ]
        self._repeat(owner, op, results)
        for i, item in items.items():
            self.buffers[item] = results[i]
        return self.buffers[node]

    def _repeat(self, node: Node, op: Scan, results: list[Buffer]) -> None:
        operands = [self._contiguous(x) for x in node.inputs]
        if not op.length:
            for x, result in zip(node.inputs[: op.carries], results):
                whole = Strided.contiguous(x.shape)
                self._append(Loop([node], [Store(self._whole(x), result, whole)]))
            return
        body = Planner(op.body.outputs, op.body.params, self.constants)
        spare = [Buffer("arena", b.dtype, b.shape) for b in results[: op.carries]]
        block = Buffer("arena", np.dtype(np.uint8), (0,))
        self._append(
            Repeat(
                [node], [], body.plan(), operands, results, spare, op.length, op.carries, op.rows,
                list(op.body.params), block,
            )
        )  # fmt: skip

    def _contiguous(self, node: Node) -> Buffer:
        """A node's elements in order; every operand of a loop is a root or an input."""
        if isinstance(node.op, Const) and node not in self.buffers:
            return self._store_constant(node)
        return self.ensure(node)

    def _scatter(self, node: Node, buffer: Buffer) -> None:
        base, values, *indices = node.inputs
        whole = Strided.contiguous(node.shape)
        memo: dict[tuple[Node, Chain], Expr] = {}
        start, added = self._whole(base), self._build({}, memo, values, ())
        target = self._gather_from({}, memo, node, (), buffer, whole, indices)
        assert isinstance(target, Gather)
        self._append(Loop([node], [Store(start, buffer, whole)]))
        self._append(Scatter([node], [], target, added, values.shape))


def _is_costly(op: object) -> bool:
    return isinstance(op, Elementwise) and op.name not in _CHEAP | {"divide", "sqrt", "floor"}


def _plain(store: Store, shape: tuple[int, ...]) -> bool:
    return store.view == Strided.contiguous(shape)


def _holds_partial(store: Store, step: Multiply) -> bool:
    """Whether sums of a part of k may be kept in the store's buffer."""
    return store.buffer.dtype == step.seed.dtype and _plain(store, step.shape)


def _product(sizes) -> int:  # pyright: ignore
    return int(np.prod(list(sizes), dtype=np.int64))


def _stripped(node: Node) -> Node:
    """The node below all views."""
    while isinstance(node.op, _VIEWS):
        node = node.inputs[0]
    return node


def is_outer(op: Contract) -> bool:
    """Whether nothing is summed: the products stand side by side."""
    return not label_groups(op)[3]


def expanded(outputs: Sequence[Node]) -> list[Node]:
    """The outputs with composite nodes written out: logsumexp is max, exp, sum and log, a product
    whose result interleaves its axes is an ordered one, transposed."""
    if not any(_is_composite(n) for n in topological_order(outputs)):
        return list(outputs)
    new = rebuild(outputs, {}, _expand, rule="lowering")
    return [new[y] for y in outputs]


def _is_composite(node: Node) -> bool:
    op = node.op
    if isinstance(op, Contract):
        return not is_outer(op) and _in_order(op) != op.out
    return isinstance(op, Reduce) and op.kind == "logsumexp"


def _in_order(op: Contract) -> tuple[int, ...]:
    """The labels of the result as a product gives them: batch, then rows and columns."""
    batch, rows, columns, _ = label_groups(op)
    turned = (*batch, *columns, *rows)
    return turned if op.out == turned else (*batch, *rows, *columns)


def _expand(old: Node, node: Node) -> Node:
    """A composite node in terms of simpler ones; any other as it is."""
    op = node.op
    if isinstance(op, Contract) and _is_composite(node):
        order = _in_order(op)
        return transpose(make(Contract(op.lhs, op.rhs, order), *node.inputs),
                         [order.index(i) for i in op.out])  # fmt: skip
    if not isinstance(op, Reduce) or op.kind != "logsumexp":
        return node
    x = node.inputs[0]
    if x.size == 0:
        return full_like(make(Reduce("sum", op.axes), x), float("-inf"))
    top = reduce(x, "max", op.axes)
    shift = k.where(k.isfinite(top), top, 0)
    return k.log(reduce(k.exp(x - op.spread(shift, x)), "sum", op.axes)) + shift


def label_groups(op: Contract) -> tuple[tuple[int, ...], ...]:
    """The labels of batch, rows, columns and summed axes."""
    shared = set(op.lhs) & set(op.rhs)
    return (
        tuple(i for i in op.out if i in shared),
        tuple(i for i in op.out if i in op.lhs and i not in shared),
        tuple(i for i in op.out if i in op.rhs and i not in shared),
        tuple(i for i in op.lhs if i not in op.out),
    )


def _sizes(node: Node) -> dict[int, int]:
    op = node.op
    assert isinstance(op, Contract)
    x, y = node.inputs
    return dict(zip(op.lhs, x.shape)) | dict(zip(op.rhs, y.shape))


def reducible(
    space: tuple[int, ...], axes: tuple[int, ...], views: Sequence[Strided]
) -> bool:
    """Whether neighbouring reduced axes merge in every view, so that the tree is the shape's own."""
    last = None
    for i, n in enumerate(space):
        if n == 1:
            continue
        if last is not None and last in axes and i in axes:
            if any(v.strides[last] != v.strides[i] * n for v in views):
                return False
        last = i
    return True


_PLANS = {
    Reduce: Planner._reduce,
    Contract: Planner._contract,
    Concatenate: Planner._concatenate,
    Place: Planner._place,
    Update: Planner._place,
    ScatterAdd: Planner._scatter,
    RandomBits: Planner._draw,
}
