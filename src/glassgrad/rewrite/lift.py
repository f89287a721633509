"""Constants that become operands, those in the bodies of loops, branches and calls too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glassgrad.graph.function import Function
from glassgrad.graph.node import Const, Node, Trace, make, new_input
from glassgrad.graph.traverse import rebuild
from glassgrad.ops.loop import Call, Cond, Custom, Scan, While


def lift(outputs: Sequence[Node], given: Mapping[Node, Node]) -> list[Node]:
    """The outputs with others in the place of some constants.

    A body has nothing but what it is given: a constant inside is given to it as one more operand.
    Rules of calculus are used up: a function that brings its own is called like any other.

    >>> from glassgrad.graph.node import constant
    >>> trace = Trace()
    >>> x, c = new_input(trace, "x", (), "f8"), new_input(trace, "c", (), "f8")
    >>> half = constant(trace, 0.5)
    >>> lift([x], {half: c}) == [x]
    True
    """
    return _Lifting(given).outputs(outputs, given)


class _Lifting:
    """What lies in which body, found once."""

    def __init__(self, given: Mapping[Node, Node]) -> None:
        self._given = given
        self._inside: dict[int, list[Node]] = {}  # by identity: equal bodies have other nodes

    def outputs(self, outputs: Sequence[Node], places: Mapping[Node, Node]) -> list[Node]:
        """The outputs where `places` are what stands for the constants here."""
        new = rebuild(outputs, places, lambda _, node: self._lifted(node, places), rule="lifted")
        return [new[y] for y in outputs]

    def _lifted(self, node: Node, places: Mapping[Node, Node]) -> Node:
        op = node.op
        constants = list(dict.fromkeys(c for f in functions(op) for c in self._constants(f)))
        if not constants:
            return node
        late = op.late if isinstance(op, Call) else 0
        at = len(node.inputs) - late
        operands = [*node.inputs[:at], *(places[c] for c in constants), *node.inputs[at:]]

        def wider(f: Function) -> Function:
            return self._wider(f, constants, len(f.params) - late)

        with node.trace.making("rewrite", node, "lifted"):
            match op:
                case Scan():
                    new = Scan(wider(op.body), op.carries, op.rows, op.length)
                case While():
                    new = While(wider(op.test), wider(op.body), op.carries)
                case Cond():
                    new = Cond(wider(op.yes), wider(op.no))
                case Call() | Custom():
                    new = Call(wider(op.body), late)
                case _:
                    raise TypeError(f"{op!r} holds functions in a way that is not known")
            return make(new, *operands)

    def _wider(self, f: Function, constants: Sequence[Node], at: int) -> Function:
        """The function with parameters, from number `at` on, for constants in or outside of it."""
        trace = Trace()
        labels = [str(getattr(p.op, "label", "x")) for p in f.params]
        params = [new_input(trace, n, p.shape, p.dtype) for n, p in zip(labels, f.params)]
        more = {c: new_input(trace, "constant", c.shape, c.dtype) for c in constants}
        places = dict(zip(f.params, params)) | more
        places |= {
            n: trace.make(n.op) for n in f.order if isinstance(n.op, Const) and n not in more
        }
        outputs = self.outputs(f.outputs, places)
        return Function([*params[:at], *more.values(), *params[at:]], outputs)

    def _constants(self, f: Function) -> list[Node]:
        """Those of the constants that lie in a body, or in one inside it."""
        if id(f) not in self._inside:
            inner = (c for n in f.order for g in functions(n.op) for c in self._constants(g))
            found = [n for n in f.order if n in self._given]
            self._inside[id(f)] = list(dict.fromkeys([*found, *inner]))
        return self._inside[id(f)]


def functions(op: object) -> list[Function]:
    """The functions that an op computes."""
    match op:
        case Scan() | Call() | Custom():
            return [op.body]
        case While():
            return [op.test, op.body]
        case Cond():
            return [op.yes, op.no]
        case _:
            return []


__all__ = ["lift"]
