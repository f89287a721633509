"""Steps that are cut into parts, which the crew takes.

A part is a call of the step's function with the number of the part. How a step is cut depends on
its shape and cost alone, never on the number of threads: the code is the same for all, and, since a
cut leaves each element's computation as it is, so are the bits.
"""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.engines.native import atomic, cost
from glassgrad.engines.native.emit import I1, I32, I64, PTR, VOID, Function, Module, Value
from glassgrad.engines.native.extents import hand_on
from glassgrad.engines.native.interrupt import stop_if
from glassgrad.engines.native.renewal_step import Renewal
from glassgrad.engines.native.step import Draw, Loop, Multiply, Reduction


def wanted_parts(f: Function, step: Loop | Reduction | Multiply | Draw | Renewal) -> Value:
    """In how many parts a step should be cut whose extents are known at run time."""
    each, points = cost.per_point(step)
    nanoseconds = f.binary("lshr", f.index(points) * max(1, round(each * 1024)), 10)
    parts = f.binary("udiv", nanoseconds, int(cost.PART))
    parts = f.select(f.compare("slt", parts, cost.MOST_PARTS), parts, cost.MOST_PARTS)
    return f.select(f.compare("slt", nanoseconds, int(cost.SHARED)), 1, parts)


def emit_share(
    f: Function, function: Function, parts: Value | int, pointers: Sequence[Value], arena: Value,
    table: Value, checked: bool,
) -> None:  # fmt: skip
    """The call of a step's function ``(*pointers, status, part)`` for each part."""
    for i, pointer in enumerate((*pointers, arena)):
        f.store(pointer, f.at(table, PTR, i))
    count = f.index(parts) if isinstance(parts, int) else parts
    f.module.declare("gg_share", I1, [PTR, PTR, I64])
    job = _job(f.module, function, len(pointers), checked)
    stop_if(f, f.call("gg_share", I1, f.address_of(job), table, count), arena)


def _job(module: Module, function: Function, count: int, checked: bool) -> Function:
    """The function ``(table, part)`` that finds the buffers in a table."""
    name = f"{function.name}_part"
    if name in module.functions:
        return module.functions[name]
    f = module.function(name, VOID, [PTR, I64], "internal")
    f.glue = True
    table, part = f.params
    *pointers, arena = (f.load(PTR, f.at(table, PTR, i)) for i in range(count + 1))
    if not checked:
        f.call(function, VOID, *pointers, arena, part)
        f.ret()
        return f
    own = f.stack(I64, 8)  # several threads would overwrite each other's status
    f.store(f.const(I32, 0), own)
    hand_on(f, arena, own)
    f.call(function, VOID, *pointers, own, part)
    found = f.load(I32, own)
    f.branch(f.compare("ne", found, 0), lambda: atomic.join(f, arena, found) and None)
    f.ret()
    return f
