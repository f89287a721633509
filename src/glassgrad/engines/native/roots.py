"""Which nodes of a graph are stored; all others are computed where they are needed.

Stored are results; what is not elementwise; operands of matrix products and of loops. For other
elementwise values it is a choice between storing, which costs a write and a read of memory, and
computing again, which costs instructions:

- up to six cheap operations are computed again wherever they are needed, since a pass over memory
  costs more than they do; with a costly function (exp and the like) among them the value is stored
  as soon as two steps need it, or one step shows it several times (broadcast, gather, outer
  product);
- costly functions of one operand (tanh and its slope, a gate and its derivative, or one of x and
  one of -x) are stored by one step, in which their common exp is computed once: up to 65536
  elements, or where rows are computed one after the other, so that the derivative stays in the
  cache until the backward pass reads it; or, in their place, what cheap operations make of them at
  once. Of larger arrays the derivative is computed again in the backward pass: its exp costs less
  than reading the array from main memory would;
- an integer division of which a slice shows a part, and which may be by zero, is stored whole;
- an expression of more than 60 operations is cut, so that its values stay in registers.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from glassgrad.engines.native.extents import NONE, Extents
from glassgrad.engines.native.labels import is_outer, is_product
from glassgrad.engines.native.later import Later
from glassgrad.graph.family import Broadcast, Cast, Elementwise, Reshape
from glassgrad.graph.node import Const, Input, Node
from glassgrad.graph.traverse import consumers
from glassgrad.ops.contract import Contract
from glassgrad.ops.division import may_fault
from glassgrad.ops.gather import Take
from glassgrad.ops.loop import Cond, Scan, While
from glassgrad.ops.reduce import Reduce
from glassgrad.ops.view import Slice, Transpose

VIEWS = (Broadcast, Reshape, Transpose, Slice)
FUSED = (Elementwise, Cast, *VIEWS, Take)
_CHEAP = frozenset(
    [
        "abs", "add", "cast", "clip", "equal", "isfinite", "less", "less_equal", "logical_and",
        "logical_not", "logical_or", "maximum", "minimum", "multiply", "negative", "not_equal",
        "relu", "sign", "square", "stop_gradient", "subtract", "where",
    ]
)  # fmt: skip
_RECOMPUTED = 6  # at most so many cheap operations are done again rather than stored
_LARGEST = 60  # operations in one expression
_STORED_PAIR = 65536  # elements: two functions of one operand are computed together up to here
_ROW = 16384  # bytes: what is computed row by row may be larger than that, if its rows are not


class Roots:
    """Finds the stored nodes of a graph, given in topological order."""

    def __init__(
        self, order: Sequence[Node], outputs: Sequence[Node], extents: Extents = NONE,
        divides: bool = False,
    ) -> None:  # fmt: skip
        self.order, self.outputs, self.extents, self.divides = order, outputs, extents, divides
        self.users = consumers(order)

    def find(self) -> set[Node]:
        """The nodes that are stored: outputs, what is not fused, and what is costly to repeat."""
        roots = {n for n in self.outputs if not isinstance(n.op, Input)}
        for node in self.order:
            if isinstance(node.op, (*FUSED, Input, Const)):
                continue
            if isinstance(node.op, Scan | Cond | While):
                roots.update(x for x in node.inputs if not isinstance(x.op, Input))
            if isinstance(node.op, Later):
                roots.update(x for x in node.inputs if not isinstance(x.op, Input))
            if node.outputs is not None:
                continue
            if isinstance(node.op, Contract) and is_outer(node.op):
                continue
            roots.add(node)
            if isinstance(node.op, Contract) and is_product(node):
                roots.update(b for x in node.inputs if not isinstance((b := stripped(x)).op, Input))
        roots |= self._partly_shown(roots)
        roots = {r for r in roots if not isinstance(r.op, Const) or r in self.outputs}
        return self._with_costly(roots)

    def _with_costly(self, roots: set[Node]) -> set[Node]:
        """Adds the fused nodes that several roots need and that are costly, or that grow large."""
        roots |= self._shared_functions() | self._finished_products()
        cost = self._costs(roots)
        reached: dict[Node, set[Node]] = {}
        for node in reversed(self.order):
            if isinstance(node.op, Input | Const) or node in roots:
                continue
            found: set[Node] = set()
            for user in self.users[node]:
                found |= {user} if user in roots else reached.get(user, set())
            reached[node] = set(list(found)[:2])
            enlarged = any(_repeats(u) and u.size > node.size > 1 for u in self.users[node])
            if isinstance(node.op, VIEWS) or node.outputs is not None:
                continue
            if (len(found) > 1 or enlarged) and cost[node] > _RECOMPUTED:
                roots.add(node)
        return self._cut_large(roots)

    def _partly_shown(self, roots: Set[Node]) -> set[Node]:
        """The divisions that may go wrong under slices: all their elements are to be told of."""
        found: set[Node] = set()
        seen: set[Node] = set()
        todo = [n for n in self.order if isinstance(n.op, Slice)] if self.divides else []
        while todo:
            for x in todo.pop().inputs:
                if x not in roots and x not in seen and isinstance(x.op, FUSED):
                    seen.add(x)
                    todo.append(x)
                    found.update([x] if may_fault(x) else [])
        return found

    def _finished_products(self) -> set[Node]:
        """The cheap functions that alone use a product: they are stored in its place."""
        found: set[Node] = set()
        for node in self.order:
            users = self.users[node]
            if not isinstance(node.op, Contract) or node in self.outputs or len(users) != 1:
                continue
            (user,) = users
            plain = isinstance(user.op, Elementwise) and not is_costly(user.op)
            if plain and user.dtype == node.dtype and is_product(node):
                found.add(user)
        return found

    def _shared_functions(self) -> set[Node]:
        """Costly functions of one operand, such as tanh and its slope, that share their exp."""
        groups: dict[tuple[Node, ...], list[Node]] = {}
        for node in self.order:
            if isinstance(node.op, Elementwise) and is_costly(node.op):
                groups.setdefault(tuple(map(_unsigned, node.inputs)), []).append(node)
        by_rows = self._summed_by_rows()
        return {
            n
            for g in groups.values()
            if len(g) > 1 and (self._fits(g[0]) or g[0].shape in by_rows)
            for n in self._carried_on(g)
        }

    def _carried_on(self, group: Sequence[Node]) -> Sequence[Node]:
        """What is made of a group at once by cheap operations, where that is no more to store.

        Of a gate and the two functions that its derivative is made of, the derivative is stored.
        """
        operands = {_unsigned(x) for node in group for x in node.inputs}
        made = dict.fromkeys(group)
        queue = list(group)
        for node in queue:
            for user in self.users[node]:
                alike = (user.shape, user.dtype) == (group[0].shape, group[0].dtype)
                cheap = isinstance(user.op, Elementwise) and user.op.name in _CHEAP
                if user in made or not (alike and cheap):
                    continue
                if all(x in made or x in operands or _is_given(x) for x in user.inputs):
                    made[user] = None
                    queue.append(user)
        shown = [n for n in made if n in self.outputs or not made.keys() >= {*self.users[n]}]
        return shown if len(shown) <= len(group) else group

    def _fits(self, node: Node) -> bool:
        """Whether an array stays in the cache; one whose size varies is taken to."""
        return node.size <= _STORED_PAIR or self.extents.varies(node.size)

    def _summed_by_rows(self) -> set[tuple[int, ...]]:
        """The shapes of matrices whose short rows are reduced: they are computed row by row."""
        return {
            x.shape
            for node in self.order
            if isinstance(node.op, Reduce) and 0 not in node.op.axes
            for x in node.inputs
            if x.ndim and x.size * x.dtype.itemsize <= _ROW * x.shape[0]
        }

    def _cut_large(self, roots: set[Node]) -> set[Node]:
        size: dict[Node, int] = {}
        for node in self.order:
            inner = [0 if x in roots else size[x] for x in node.inputs]
            size[node] = 1 + sum(inner)
            plain = node.outputs is None and not isinstance(node.op, (Input, Const, *VIEWS))
            if size[node] > _LARGEST and plain:
                roots.add(node)
        return roots

    def _costs(self, roots: set[Node]) -> dict[Node, int]:
        cost: dict[Node, int] = {}
        for node in self.order:
            own = 0 if isinstance(node.op, (*VIEWS, Input, Const)) else 1
            if isinstance(node.op, Elementwise) and node.op.name not in _CHEAP:
                own = _RECOMPUTED + 1 if is_costly(node.op) else 4
            inner = sum(0 if x in roots else cost[x] for x in dict.fromkeys(node.inputs))
            cost[node] = min(own + inner, 1000)
        return cost


def _unsigned(node: Node) -> Node:
    """x, of -x too: what is computed from |x| is the same."""
    return node.inputs[0] if node.name == "negative" else node


def _is_given(node: Node) -> bool:
    """Whether a node is known before anything is computed."""
    return isinstance(stripped(node).op, Input | Const)


def _repeats(node: Node) -> bool:
    """Whether a node shows elements of its operands several times."""
    op = node.op
    return isinstance(op, Broadcast | Take) or (isinstance(op, Contract) and is_outer(op))


def is_costly(op: object) -> bool:
    """Whether it takes many instructions an element, as exp does."""
    return isinstance(op, Elementwise) and op.name not in _CHEAP | {"divide", "sqrt", "floor"}


def stripped(node: Node) -> Node:
    """The node below all views."""
    while isinstance(node.op, VIEWS):
        node = node.inputs[0]
    return node
