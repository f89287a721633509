"""Constants that become operands, those in the bodies of loops, branches and calls too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glassgrad.graph.function import Function
from glassgrad.graph.node import Const, Node, Trace, make, new_input
from glassgrad.graph.traverse import rebuild
from glassgrad.ops.loop import Call, Custom, functions_of, place_of_one_more, with_functions


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
        constants = list(dict.fromkeys(c for f in functions_of(node) for c in self._constants(f)))
        if not constants:
            return node
        op = Call(node.op.body) if isinstance(node.op, Custom) else node.op
        at = place_of_one_more(node)
        late = len(node.inputs) - at
        wide = with_functions(op, lambda f: self._wider(f, constants, len(f.params) - late))
        with node.trace.making("rewrite", node, "lifted"):
            operands = *node.inputs[:at], *(places[c] for c in constants), *node.inputs[at:]
            return make(wide, *operands)

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
            inner = (c for n in f.order for g in functions_of(n) for c in self._constants(g))
            found = [n for n in f.order if n in self._given]
            self._inside[id(f)] = list(dict.fromkeys([*found, *inner]))
        return self._inside[id(f)]


__all__ = ["lift"]
