"""From a graph to steps: what is stored, what is fused, and in which order.

Values are pulled: a node that must be stored (a root) is computed by one step whose expression
reaches up to other stored nodes. Elementwise nodes that several roots need are recomputed when that
is cheap and stored when it is not. A step whose latest operand is the result of a matrix product, a
reduction or a loop over the same points joins that step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from glassgrad.engines.native.builder import Builder, CannotJoin, NeedsBuffer, no_rule
from glassgrad.engines.native.contraction import plan_contract
from glassgrad.engines.native.expand import expanded
from glassgrad.engines.native.expression import (
    Apply,
    Buffer,
    Expr,
    Gather,
    Load,
    Store,
    loads,
    walk,
)
from glassgrad.engines.native.extents import NONE, Extents
from glassgrad.engines.native.families import (
    plan_concatenate,
    plan_draw,
    plan_item,
    plan_later,
    plan_numbers,
    plan_place,
    plan_reduce,
    plan_scatter,
)
from glassgrad.engines.native.labels import is_outer
from glassgrad.engines.native.later import Later, put_through
from glassgrad.engines.native.matrix_plans import plan_matrix
from glassgrad.engines.native.roots import FUSED, Roots, is_costly
from glassgrad.engines.native.sparse_rows import RowNumbers
from glassgrad.engines.native.step import Loop, Multiply, Reduction, Step
from glassgrad.engines.native.strided import Strided
from glassgrad.graph.family import Reshape
from glassgrad.graph.node import Const, Item, Node
from glassgrad.graph.op import Op
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.contract import Contract
from glassgrad.ops.division import any_may_fault
from glassgrad.ops.factor import Cholesky
from glassgrad.ops.gather import Scatter, ScatterAdd
from glassgrad.ops.linear_system import Inverse, Solve, SolveTriangular
from glassgrad.ops.random import RandomBits
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.view import Concatenate, Place, Update

_SMALL = 256  # loops over so few elements are joined whatever they read
_MOST_STORES = 12  # results of one loop
_NEAR = 48  # so many of the latest steps are looked at for one to join


class Planner(Builder):
    """Builds the steps for some outputs; `inputs` are the arguments in order."""

    def __init__(
        self, outputs: Sequence[Node], inputs: Sequence[Node],
        constants: list[Buffer] | None = None, extents: Extents = NONE,
    ) -> None:  # fmt: skip
        super().__init__(constants)
        self.extents = extents  # those that are known at run time
        self.outputs, self.inputs = expanded(outputs, extents), list(inputs)
        self.order = topological_order(self.outputs)
        self.divides = any_may_fault(self.order)
        self.roots = Roots(self.order, self.outputs, extents, self.divides)
        self.steps: list[Step] = []
        self.results: dict[Node, Buffer] = {}
        self.fused = 0
        self.aliases: dict[Buffer, Buffer] = {}
        self._reads: dict[Step, set[Buffer]] = {}
        self._open: dict[tuple[int, ...], list[int]] = {}  # loops with room, by shape

    def plan(self) -> list[Step]:
        """All steps, in order."""
        for i, node in enumerate(self.inputs):
            self.buffers[node] = Buffer("input", node.dtype, node.shape, i)
            self.made[self.buffers[node]] = -1
        for i, node in enumerate(self.outputs):
            if node not in self.results and node not in self.buffers:
                self.results[node] = Buffer("output", node.dtype, node.shape, i)
        roots = self.roots.find()
        for node in self.order:
            if node in roots:
                self.ensure(node)
        for i, node in enumerate(self.outputs):
            if self.results.get(node) is None or self.results[node].index != i:
                copy = Buffer("output", node.dtype, node.shape, i)
                expr = self.whole(node)
                self.append(Loop([node], [Store(expr, copy, Strided.contiguous(node.shape))]))
        put_through(self.steps, self.aliases)
        self._drop_unused()
        return self.steps

    def inside(self, outputs: Sequence[Node], inputs: Sequence[Node]) -> Planner:
        """The planner of a program inside this one, with the same constants."""
        return Planner(outputs, inputs, self.constants, self.extents)

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

    def new_buffer(self, node: Node) -> Buffer:
        """Where a node is to be stored: a result, or a part of the arena."""
        return self.results.get(node) or Buffer("arena", node.dtype, node.shape)

    def append(self, step: Step) -> None:
        """Enters a step after all others."""
        at = len(self.steps)
        self.steps.append(step)
        for store in step.writes():
            self.made[store] = at
        if isinstance(step, Loop):
            self._open.setdefault(step.shape, []).append(at)

    def _compute(self, node: Node) -> Buffer:
        """Plans the step (or joins one) that stores a node."""
        op = node.op
        if isinstance(op, Const):
            buffer = self.new_buffer(node)
            expr = self._constant_copy(node)
            self.append(Loop([node], [Store(expr, buffer, Strided.contiguous(node.shape))]))
        elif isinstance(op, FUSED) or (isinstance(op, Contract) and is_outer(op)):
            return self._fused(node)
        elif isinstance(op, Item):
            return plan_item(self, node)
        else:
            plan = _PLANS.get(type(op))
            if plan is None:
                raise no_rule(node)
            buffer = self.new_buffer(node)
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
        expr = self.build({}, loop.memo, inner, ())
        buffer = self.new_buffer(node)
        loop.stores.append(Store(expr, buffer, Strided.contiguous(shape)))
        read = loads([expr])
        at = self._last(read)
        if not (self._join(inner, loop, at) or self._join_beside(inner, loop, at, read)):
            self.append(loop)
        self.buffers[node] = buffer
        return buffer

    def latest(self, expr: Expr) -> int:
        """The last step that an expression reads from, -1 for none."""
        return self._last(loads([expr]))

    def _last(self, read: Sequence[Load | Gather]) -> int:
        return max((self.made.get(x.buffer, -1) for x in read), default=-1)

    def _join_beside(
        self, inner: Node, loop: Loop, latest: int, accesses: Sequence[Load | Gather]
    ) -> bool:
        """Joins a later loop over the same points that reads some of the same memory."""
        (store,) = loop.stores
        read = {x.buffer for x in accesses}
        first = max(latest + 1, len(self.steps) - _NEAR)
        near = [i for i in self._open.get(loop.shape, ()) if i >= len(self.steps) - _NEAR]
        near = [i for i in near if self._has_room(self.steps[i])]
        self._open[loop.shape] = near
        for at in near:
            if at >= first:
                shared = not read.isdisjoint(self._read_by(self.steps[at]))
                if (shared or store.buffer.size <= _SMALL) and self._join(inner, loop, at):
                    return True
        return False

    def _has_room(self, step: Step) -> bool:
        return len(step.stores) < _MOST_STORES

    def _read_by(self, step: Step) -> set[Buffer]:
        """The buffers that a step reads so far."""
        if step not in self._reads:
            self._reads[step] = {x.buffer for x in loads(step.roots())}
        return self._reads[step]

    def _join(self, inner: Node, loop: Loop, at: int) -> bool:
        """Adds the store of a loop to an earlier step, where that is allowed and pays."""
        step = self.steps[at] if at >= 0 else loop
        (store,) = loop.stores
        if step is loop or step.shape != loop.shape or 0 in loop.shape:
            return False
        if not self._pays(step, store.expr):
            return False
        try:
            expr = self.build(self._local(step), step.memo, inner, ())
        except (CannotJoin, NeedsBuffer):
            return False
        read = loads([expr])
        if self._last(read) >= at:
            return False
        if not isinstance(step, Loop) and any(isinstance(x, Gather) for x in read):
            return False
        step.stores.append(Store(expr, store.buffer, store.view))
        step.nodes.extend(loop.nodes)
        if step in self._reads:
            self._reads[step].update(x.buffer for x in read)
        self.made[store.buffer] = at
        self.fused += 1
        return True

    def _pays(self, step: Step, expr: Expr) -> bool:
        """Whether an expression may be evaluated where the step finishes its values.

        Costly functions are kept out of the tiles of a product (they would be written out for each
        row) and out of reductions that finish one number at a time.
        """
        if isinstance(step, Loop):
            return self._has_room(step)
        if isinstance(step, Multiply) and step.batch:
            return False
        if isinstance(step, Multiply) or (
            isinstance(step, Reduction) and len(step.space) - 1 in step.axes
        ):
            return not any(isinstance(x, Apply) and is_costly(x.op) for x in walk([expr]))
        return isinstance(step, Reduction)

    def _local(self, step: Step) -> dict[Node, Expr]:
        """The nodes whose values a step has at hand."""
        found: dict[Node, Expr] = {}
        shown, shape = self.buffers.shown, step.shape
        for store in step.stores:
            if store.buffer in shown and plain(store, shape):
                for node in shown[store.buffer]:
                    if node.shape == shape and self.buffers.get(node) is store.buffer:
                        found[node] = store.expr
        return found

    def contiguous(self, node: Node) -> Buffer:
        """A node's elements in order; every operand of a loop is a root or an input."""
        if isinstance(node.op, Const) and node not in self.buffers:
            return self.store_constant(node)
        return self.ensure(node)


def plain(store: Store, shape: tuple[int, ...]) -> bool:
    """Whether a store fills a buffer in order."""
    view = Strided.contiguous(shape)
    return store.view is view or store.view == view


def _holds_partial(store: Store, step: Multiply) -> bool:
    """Whether sums of a part of k may be kept in the store's buffer."""
    return store.buffer.dtype == step.seed.dtype and plain(store, step.shape)


_PLANS: dict[type[Op], Callable[[Planner, Node, Buffer], None]] = {
    Reduce: plan_reduce,
    Contract: plan_contract,
    Concatenate: plan_concatenate,
    Place: plan_place,
    Update: plan_place,
    ScatterAdd: plan_scatter,
    Scatter: plan_scatter,
    RandomBits: plan_draw,
    RowNumbers: plan_numbers,
    Later: plan_later,
    **dict.fromkeys((Solve, SolveTriangular, Inverse, Cholesky), plan_matrix),
}
