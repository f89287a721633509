"""Expressions of nodes: views become strides, stored nodes become loads."""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.engines.native.expression import Apply, Buffer, Expr, Gather, Load, Uniform
from glassgrad.engines.native.labels import is_outer, sizes
from glassgrad.engines.native.roots import VIEWS
from glassgrad.engines.native.strided import Strided
from glassgrad.graph.errors import GraphError
from glassgrad.graph.family import Broadcast, Cast, Elementwise, Reshape
from glassgrad.graph.node import Const, Node, at_site
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.contract import Contract
from glassgrad.ops.division import may_fault
from glassgrad.ops.gather import Scatter, ScatterAdd, Take
from glassgrad.ops.view import Slice, Transpose

Chain = tuple["ViewOf", ...]
Memo = dict[tuple[Node, Chain], Expr]


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


def no_rule(node: Node) -> GraphError:
    """The error for an op that no family knows, which the reference engine would refuse too."""
    return GraphError(f"the native engine has no rule for {node.op!r}{at_site(node)}")


class CannotJoin(Exception):
    """Raised while a step is joined to another: it must stand alone."""


class Stored(dict[Node, Buffer]):
    """Where nodes are stored; `shown` are the nodes of each buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[Buffer, list[Node]] = {}

    def __setitem__(self, node: Node, buffer: Buffer) -> None:
        super().__setitem__(node, buffer)
        self.shown.setdefault(buffer, []).append(node)


class Builder:
    """Builds expressions; `buffers` says where stored nodes are, `made` by which step."""

    def __init__(self, constants: list[Buffer] | None) -> None:
        self.buffers = Stored()
        self.made: dict[Buffer, int] = {}
        self.constants: list[Buffer] = [] if constants is None else constants
        self.factors: dict[Node, list[Buffer]] = {}  # of matrices, with their row exchanges

    def whole(self, node: Node) -> Expr:
        """The expression of a node over its own shape, stored nodes read from their buffers."""
        return self.build({}, {}, node, ())

    def build(self, local: dict[Node, Expr], memo: Memo, node: Node, chain: Chain) -> Expr:
        """The expression of a node seen through a chain of views, outermost first.

        `local` are nodes whose values the step itself has at hand.
        """
        key = (node, chain)
        if key not in memo:
            memo[key] = self._built(local, memo, node, chain)
        return memo[key]

    def _built(self, local: dict[Node, Expr], memo: Memo, node: Node, chain: Chain) -> Expr:
        if node in local:
            if all(v.key[0] == "reshape" and v.key[1] == node.shape for v in chain):
                return local[node]
            raise CannotJoin
        if node in self.buffers:
            return self.load(self.buffers[node], chain)
        op = node.op
        if isinstance(op, Const):
            return self._constant(node, chain)
        if isinstance(op, VIEWS):
            return self.build(local, memo, node.inputs[0], (*chain, ViewOf.of(node)))
        if isinstance(op, Elementwise | Cast):
            args = tuple(self.build(local, memo, x, chain) for x in node.inputs)
            return Apply(op, args, node.dtype, node if may_fault(node) else None)
        if isinstance(op, Take):
            return self._gather(local, memo, node, chain)
        if isinstance(op, Contract) and is_outer(op):
            sides = self.spread(node, [op.out] * 2, chain)
            args = tuple(self.build(local, memo, x, c) for x, c in sides)
            return Apply(REGISTRY["multiply"], args, node.dtype)
        raise NeedsBuffer(node)

    def spread(
        self, node: Node, labels: Sequence[tuple[int, ...]], chain: Chain = ()
    ) -> list[tuple[Node, Chain]]:
        """Both operands of a contraction, seen over the axes of `labels`."""
        op = node.op
        assert isinstance(op, Contract)
        size = sizes(node)
        found: list[tuple[Node, Chain]] = []
        for x, own, wanted in zip(node.inputs, (op.lhs, op.rhs), labels):
            perm = tuple(own.index(i) for i in wanted if i in own)
            ones = tuple(size[i] if i in own else 1 for i in wanted)
            full = tuple(size[i] for i in wanted)
            views = [("broadcast", full), ("reshape", ones), ("transpose", perm)]
            found.append((x, (*chain, *(ViewOf(v, None) for v in views))))
        return found

    def load(self, buffer: Buffer, chain: Chain) -> Load:
        """A read of a stored node, seen through views."""
        return Load(buffer, self.seen(Strided.contiguous(buffer.shape), chain))

    def seen(self, view: Strided, chain: Chain) -> Strided:
        """Strided elements seen through views; NeedsBuffer where that takes a copy."""
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
        return self.load(self.store_constant(node), chain)

    def _gather(
        self, local: dict[Node, Expr], memo: Memo, node: Node,
        chain: Chain,
    ) -> Expr:  # fmt: skip
        """A take: the operand must be stored; the indices are expressions of their own."""
        x, *indices = node.inputs
        buffer, source = self.stored_view(x, local)
        return self.gather_from(local, memo, node, chain, buffer, source, indices)

    def stored_view(self, x: Node, local: dict[Node, Expr]) -> tuple[Buffer, Strided]:
        """Where the elements of a node lie; below its views it must be stored."""
        base, chain = x, ()
        while base in local or base not in self.buffers:
            if base in local:
                raise CannotJoin
            if isinstance(base.op, Const):
                self.store_constant(base)
            elif isinstance(base.op, VIEWS):
                chain = (*chain, ViewOf.of(base))
                base = base.inputs[0]
            else:
                raise NeedsBuffer(base)
        return self.buffers[base], self.seen(Strided.contiguous(base.shape), chain)

    def store_constant(self, node: Node) -> Buffer:
        """A constant that is read from memory."""
        assert isinstance(node.op, Const)
        buffer = Buffer("const", node.dtype, node.shape, len(self.constants))
        buffer.value = node.op.value
        self.constants.append(buffer)
        self.buffers[node] = buffer
        self.made[buffer] = -1
        return buffer

    def gather_from(
        self, local: dict[Node, Expr], memo: Memo, node: Node,
        chain: Chain, buffer: Buffer, source: Strided, indices: Sequence[Node],
    ) -> Expr:  # fmt: skip
        """`source` is the operand's strided form; node.op is a Take or a scatter."""
        op = node.op
        assert isinstance(op, Take | ScatterAdd | Scatter)
        a, c = op.axis, len(indices)
        shape = indices[0].shape
        value_shape = (*source.shape[:a], *shape, *source.shape[a + c :])
        still = (*source.strides[:a], *[0] * len(shape), *source.strides[a + c :])
        view = self.seen(Strided(value_shape, still, source.offset), chain)
        lifted = (*[1] * a, *shape, *[1] * (len(source.shape) - a - c))
        spread = (ViewOf(("broadcast", value_shape), None), ViewOf(("reshape", lifted), None))
        exprs = tuple(self.build(local, memo, i, (*chain, *spread)) for i in indices)
        extents = source.shape[a : a + c]
        return Gather(buffer, view, exprs, extents, source.strides[a : a + c])
