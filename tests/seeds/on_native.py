"""The native engine in the place of the interpreter: what is computed for a value or a gradient."""

from __future__ import annotations

import numpy as np

from glassgrad.engines.native.program import NativeProgram
from glassgrad.graph.function import Function
from glassgrad.graph.node import Trace, new_input
from glassgrad.graph.traverse import rebuild
from glassgrad.rewrite.pipeline import finish

PROGRAMS = {}
"""Every graph that was compiled, by its structure."""


CACHE = None
"""Where code is kept between runs: the user's cache, as for anyone."""


def run(order, known, dying):
    """Computes the nodes of `order` that nobody drops, as `reference._run` does."""
    dropped = {x for xs in dying.values() for x in xs}
    compute([n for n in order if n not in dropped], order, known)


def interpret(order, known):
    """Computes the last node of `order`, and yields nothing of the way."""
    compute(order[-1:], order, known)
    return iter(())


def compute(nodes, order, known):
    """Values of nodes by machine code, into `known`."""
    wanted = [n for n in nodes if n not in known and n.outputs is None]
    if not wanted:
        return
    used = list(dict.fromkeys(x for n in order for x in n.inputs if x in known))
    trace = Trace()
    given = {x: new_input(trace, "x", np.shape(known[x]), x.dtype) for x in used}
    given |= {n: trace.make(n.op) for n in order if not n.inputs and n not in given}
    new = rebuild(wanted, given)
    body = Function([given[x] for x in used], [new[n] for n in wanted])
    program = PROGRAMS.get(body)
    if program is None:
        program = PROGRAMS[body] = NativeProgram(finish(body.outputs), body.params, cache=CACHE)
    known.update(zip(wanted, program([np.asarray(known[x]) for x in used])))
