"""Costly functions as functions of their own, called where a program writes them out too often.

A long formula of scalars uses exp or sin a thousand times. Written out each time that is a hundred
instructions each; so after the first few uses outside loops the code is emitted once, and called:
the same instructions, hence the same bits. Inside loops a function is always written out, since
there a call would cost time at every turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra

WRITTEN_OUT = 4  # uses of one function outside loops, before it is called

Rule = Callable[..., Sequence["Lanes"]]


def results(k: LLVMAlgebra, name: str, rule: Rule, operands: Sequence[Lanes]) -> list[Lanes]:
    """What `rule(k, *operands)` gives: its instructions, or a call of them.

    >>> from glassgrad.engines.native.algebra import LLVMAlgebra
    >>> from glassgrad.engines.native.emit import F64, VOID, Module
    >>> from glassgrad.engines.native.target import Target
    >>> f = Module(Target.baseline()).function("f", VOID, [F64])
    >>> k = LLVMAlgebra(f)
    >>> y = k.wrap(f.params[0], "f8")
    >>> for _ in range(20):
    ...     y = k.exp(y)
    >>> f.text().count("call double @exp_f64"), sorted(f.module.functions)
    (16, ['exp_f64', 'f'])
    """
    f, values = k.function, [x.value for x in operands]
    type_, dtype = values[0].type, operands[0].dtype
    full = f"{name}_{type_.mangled}{'_unsigned' * (dtype.kind == 'u')}"
    f.module.uses[full] = f.module.uses.get(full, 0) + (not f.depth)
    if f.depth or f.module.uses[full] <= WRITTEN_OUT:
        return list(rule(k, *operands))
    made = f.module.outlined.get(full)
    if made is None:
        g = f.module.function(full, type_, [type_] * len(operands), "internal")
        inner = type(k)(g)
        found = rule(inner, *(inner.wrap(p, dtype) for p in g.params))
        g.ret_all([r.value for r in found])
        made = f.module.outlined[full] = (g, len(found))
    g, count = made
    return [k.wrap(v, dtype) for v in f.call_all(g, [type_] * count, *values)]
