"""Machine code that all programs share: checking arguments, taking results, handing them over.

It walks tables of records, one for each argument or result, so that a program's own entry stays
small whatever it takes and gives. It is compiled once for a machine and linked once in a process.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from glassgrad.engines.native import aside, pyabi
from glassgrad.engines.native.cache import ObjectCache, user_cache_folder
from glassgrad.engines.native.emit import I1, I8, I32, I64, PTR, VOID, Function, Module, Value
from glassgrad.engines.native.link import Linked
from glassgrad.engines.native.recall import found_object, shared_object
from glassgrad.engines.native.records import (
    AS_SCALAR,
    BY_US,
    BYTES,
    DESCR,
    DIMS,
    DONOR,
    FIELDS,
    HELD,
    KEPT,
    NDIM,
    NEEDS,
    ORDER,
    SCALAR_TYPE,
    TAKES,
    TAKES_ARRAY,
    TAKES_FLOAT,
    TAKES_SCALAR,
)
from glassgrad.engines.native.target import Target

_EXPORTS = (
    "gg_arguments", "gg_apart", "gg_results", "gg_release", "gg_leaf", "gg_tuple", "gg_renew",
    "gg_retuple",
)  # fmt: skip


def assembled() -> tuple[bytes, list[str]]:
    """The object of the shared functions, and the names that it takes from outside."""
    place = ObjectCache(user_cache_folder()), "runtime", Target.host()
    return _found() or shared_object(*place, _PARTS)


@cache
def _found() -> tuple[bytes, list[str]] | None:
    return found_object(ObjectCache(user_cache_folder()), "runtime", Target.host())


def begin() -> None:
    """Lets another thread make them, where no earlier process did, while a program is traced."""
    if _found() is None:
        aside.begin(assembled)


@cache
def addresses() -> dict[str, int]:
    """The addresses of the shared functions, linked at the first call."""
    obj, foreign = aside.finished(assembled)
    known = pyabi.addresses()
    linked = Linked(obj, Target.host(), _EXPORTS, {n: known[n] for n in foreign})
    linked.keep()
    return linked.address


def field(f: Function, pointer: Value, offset: int, type_: Any = PTR) -> Value:
    """A field of an object, `offset` bytes from its start."""
    return f.load(type_, f.at(pointer, I8, offset))


def python(f: Function, name: str, result: Any, *args: Value) -> Value:
    """A call of a function of Python or NumPy."""
    f.module.declare(name, result, [a.type for a in args])
    return f.call(name, result, *args)


def need(f: Function, condition: Value, otherwise: str) -> None:
    """Goes on where the condition holds, else jumps."""
    fine = f.label("fine")
    f.jump_if(condition, fine, otherwise)
    f.begin(fine)


def is_type(f: Function, x: Value, name: str) -> Value:
    """Whether an object is exactly of a type."""
    return f.compare("eq", field(f, x, pyabi.TYPE), f.symbol(name))


def _word(f: Function, record: Value, index: int, type_: Any = I64) -> Value:
    return field(f, record, 8 * index, type_)


def _emit_matches(module: Module) -> None:
    """``i1 (array, record, flags)``: the dtype, shape and flags are those of the record."""
    f = module.function("matches", I1, [PTR, PTR, I32], "internal")
    x, record, flags = f.params
    no = f.label("no")
    need(f, f.compare("eq", field(f, x, pyabi.FLAGS, I32) & flags, flags), no)
    ndim = _word(f, record, NDIM)
    need(f, f.compare("eq", f.cast("sext", field(f, x, pyabi.NDIM, I32), I64), ndim), no)
    descr = field(f, x, pyabi.DESCR)

    def equal() -> list[Value]:  # another dtype object may say the same
        type_ = field(f, descr, pyabi.DESCR_TYPE)
        order = f.cast("zext", field(f, descr, pyabi.DESCR_ORDER, I8), I64)
        same = f.compare("eq", type_, _word(f, record, SCALAR_TYPE, PTR))
        return [same & f.compare("eq", order, _word(f, record, ORDER))]

    usual = f.compare("eq", descr, _word(f, record, DESCR, PTR))
    need(f, f.branch(usual, lambda: [f.const(I1, 1)], equal)[0], no)
    dims, wanted = field(f, x, pyabi.DIMS), _word(f, record, DIMS, PTR)

    def differs(i: Value, found: Value) -> list[Value]:
        a, b = (f.load(I64, f.at(p, I64, i)) for p in (dims, wanted))
        return [found | (a ^ b)]

    (found,) = f.loop(0, ndim, 1, differs, [f.index(0)])
    f.ret(f.compare("eq", found, 0))
    f.begin(no)
    f.ret(f.const(I1, 0))


def _emit_arguments(module: Module) -> None:
    """``i1 (objects, records, count, data)``: all objects fit; their elements' addresses."""
    f = module.function("gg_arguments", I1, [PTR, PTR, I64, PTR])
    objects, records, count, data = f.params
    no = f.label("no")

    def one(i: Value) -> None:
        x = f.load(PTR, f.at(objects, PTR, i))
        record = f.at(records, I8, i * (8 * FIELDS))
        takes = _word(f, record, TAKES)
        array, number, done = f.label("array"), f.label("number"), f.label("done")
        f.jump_if(is_type(f, x, "PyArray_Type"), array, number)
        f.begin(array)
        need(f, f.compare("ne", takes & TAKES_ARRAY, 0), no)
        needs = _word(f, record, NEEDS, I32)
        need(f, f.call("matches", I1, x, record, needs), no)
        elements, array_end = field(f, x, pyabi.DATA), f.block
        f.jump(done)
        f.begin(number)
        is_float = is_type(f, x, "PyFloat_Type") & f.compare("ne", takes & TAKES_FLOAT, 0)
        kind = field(f, x, pyabi.TYPE)
        is_scalar = f.compare("eq", kind, _word(f, record, SCALAR_TYPE, PTR))
        need(f, is_float | (is_scalar & f.compare("ne", takes & TAKES_SCALAR, 0)), no)
        value, number_end = f.at(x, I8, pyabi.FLOAT_VALUE), f.block
        f.jump(done)
        f.begin(done)
        where = f.phi(PTR, [(elements, array_end), (value, number_end)])
        f.store(where, f.at(data, PTR, i))

    f.loop(0, count, 1, one)
    f.ret(f.const(I1, 1))
    f.begin(no)
    f.ret(f.const(I1, 0))


def _emit_apart(module: Module) -> None:
    """``i1 (data, records, count, last)``: no argument that is written to overlaps another.

    `last` are the addresses for which this was found before; only others are looked at.
    """
    f = module.function("gg_apart", I1, [PTR, PTR, I64, PTR])
    data, records, count, last = f.params
    no = f.label("no")

    def span(i: Value) -> tuple[Value, Value, Value]:
        record, start = f.at(records, I8, i * (8 * FIELDS)), f.load(I64, f.at(data, PTR, i))
        return start, start + _word(f, record, BYTES), _word(f, record, NEEDS)

    def one(i: Value) -> None:
        start, end, needs = span(i)

        def compare() -> None:
            def other(j: Value) -> None:
                a, b, also = span(j)
                written = f.compare("ne", (needs | also) & pyabi.WRITEABLE, 0)
                meets = f.compare("ult", start, b) & f.compare("ult", a, end)
                fine = f.compare("eq", i, j) | ~(written & meets)
                need(f, fine, no)

            f.loop(0, count, 1, other)

        f.branch(f.compare("ne", start, f.load(I64, f.at(last, PTR, i))), compare)

    f.loop(0, count, 1, one)
    f.loop(0, count, 1, lambda i: f.store(f.load(PTR, f.at(data, PTR, i)), f.at(last, PTR, i)))
    f.ret(f.const(I1, 1))
    f.begin(no)
    f.ret(f.const(I1, 0))


def _emit_obtain(module: Module) -> None:
    """``ptr (slots, record)``: a new reference to an array that nobody else holds, or null."""
    f = module.function("obtain", PTR, [PTR, PTR], "internal")
    slots, record = f.params
    null = f.const(PTR, 0)
    for k in range(KEPT):
        again = f.label("next")
        old = f.load(PTR, f.at(slots, PTR, k))
        need(f, f.compare("ne", old, null), again)
        need(f, f.compare("eq", field(f, old, 0, I32), 1), again)
        alone = f.compare("eq", field(f, old, pyabi.BASE), null)
        need(f, alone & f.compare("eq", field(f, old, pyabi.WEAKREFS), null), again)
        flags = pyabi.C_CONTIGUOUS | pyabi.OWNDATA | pyabi.ALIGNED | pyabi.WRITEABLE
        need(f, f.call("matches", I1, old, record, f.const(I32, flags)), again)
        hold(f, old)
        f.ret(old)
        f.begin(again)
    made = _new_array(f, record)
    failed = f.label("failed")
    need(f, f.compare("ne", made, null), failed)
    _remember(f, slots, made)
    f.ret(made)
    f.begin(failed)
    f.ret(null)


def _new_array(f: Function, record: Value) -> Value:
    descr, null = _word(f, record, DESCR, PTR), f.const(PTR, 0)
    python(f, "Py_IncRef", VOID, descr)
    ndim = f.cast("trunc", _word(f, record, NDIM), I32)
    return python(
        f, "PyArray_NewFromDescr", PTR, f.symbol("PyArray_Type"), descr, ndim,
        _word(f, record, DIMS, PTR), null, null, f.const(I32, 0), null,
    )  # fmt: skip


def _remember(f: Function, slots: Value, array: Value) -> None:
    """The newest comes first; the oldest is let go."""
    places = [f.at(slots, PTR, k) for k in range(KEPT)]
    held = [f.load(PTR, place) for place in places]
    hold(f, array)
    for place, x in zip(places, [array, *held[:-1]]):
        f.store(x, place)
    drop(f, held[-1])


def hold(f: Function, x: Value) -> None:
    """One more reference to an object that is not immortal."""
    f.store(f.load(I32, x) + 1, x)


def drop(f: Function, x: Value) -> None:
    """One reference less to an object, if there is one."""
    f.branch(f.compare("ne", x, f.const(PTR, 0)), lambda: python(f, "Py_DecRef", VOID, x) and None)


def _emit_results(module: Module) -> None:
    """``i1 (pool, records, count, arrays, data, objects, given)``: result arrays and addresses.

    A result that is handed out as a scalar needs no array: its place in the table takes its bits.
    One with a donor is that argument, out of `objects`; `given` are the addresses of these.
    """
    f = module.function("gg_results", I1, [PTR, PTR, I64, PTR, PTR, PTR, PTR])
    pool, records, count, arrays, data, objects, given = f.params
    failed = f.label("failed")
    f.loop(0, count, 1, lambda i: f.store(f.const(PTR, 0), f.at(arrays, PTR, i)))

    def one(i: Value) -> None:
        record, place = f.at(records, I8, i * (8 * FIELDS)), f.at(arrays, PTR, i)

        def array() -> list[Value]:
            made = f.call("obtain", PTR, f.at(pool, PTR, i * KEPT), record)
            need(f, f.compare("ne", made, f.const(PTR, 0)), failed)
            f.store(made, place)
            return [field(f, made, pyabi.DATA)]

        donor = _word(f, record, DONOR)

        def handed() -> list[Value]:
            x = f.load(PTR, f.at(objects, PTR, donor))
            held = f.compare("eq", _word(f, record, AS_SCALAR), HELD)

            def take() -> None:
                hold(f, x)
                f.store(x, place)

            f.branch(~held, take)
            return [f.load(PTR, f.at(given, PTR, donor))]

        def made_anew() -> list[Value]:
            scalar = f.compare("ne", _word(f, record, AS_SCALAR), 0)
            return f.branch(scalar, lambda: [place], array)

        fresh = f.compare("slt", donor, 0)
        f.store(f.branch(fresh, made_anew, handed)[0], f.at(data, PTR, i))

    f.loop(0, count, 1, one)
    f.ret(f.const(I1, 1))
    f.begin(failed)
    f.call("gg_release", VOID, arrays, records, count)
    f.ret(f.const(I1, 0))


def _emit_handing(module: Module) -> None:
    """Letting results go, one result as an object, and a tuple of all results."""
    f = module.function("gg_release", VOID, [PTR, PTR, I64])
    arrays, records, count = f.params

    def release(i: Value) -> None:
        scalar = _word(f, f.at(records, I8, i * (8 * FIELDS)), AS_SCALAR)
        f.branch(
            f.compare("eq", scalar, 0),
            lambda: drop(f, f.load(PTR, f.at(arrays, PTR, i))),
        )

    f.loop(0, count, 1, release)
    f.ret()

    g = module.function("gg_leaf", PTR, [PTR, PTR])
    place, record = g.params
    by_numpy, as_is, failed = g.label("by_numpy"), g.label("as_is"), g.label("failed")
    maker, null = _word(g, record, AS_SCALAR), g.const(PTR, 0)
    need(g, g.compare("eq", maker, BY_US), by_numpy)
    made = python(g, "_PyObject_New", PTR, _word(g, record, SCALAR_TYPE, PTR))
    need(g, g.compare("ne", made, null), failed)
    g.store(g.load(I64, place), g.at(made, I8, pyabi.FLOAT_VALUE))
    g.ret(made)
    g.begin(by_numpy)
    need(g, g.compare("ne", maker, 0), as_is)
    g.ret(python(g, "PyArray_Scalar", PTR, place, _word(g, record, DESCR, PTR), null))
    g.begin(as_is)
    g.ret(g.load(PTR, place))
    g.begin(failed)
    g.ret(null)

    h = module.function("gg_tuple", PTR, [PTR, PTR, I64])
    arrays, records, count = h.params
    made = python(h, "PyTuple_New", PTR, count)

    def one(i: Value) -> None:
        record = h.at(records, I8, i * (8 * FIELDS))
        leaf = h.call("gg_leaf", PTR, h.at(arrays, PTR, i), record)
        h.store(leaf, h.at(h.at(made, I8, pyabi.TUPLE_ITEMS), PTR, i))

    h.loop(0, count, 1, one)
    h.ret(made)


def _emit_again(module: Module) -> None:
    """Scalars and tuples of them that nobody else holds any more are filled again.

    ``i1 gg_renew(holder, bits, record)`` puts a scalar into the place that holds the last one;
    ``ptr gg_retuple(holder, count)`` gives the tuple to fill, which the place then holds. Both say
    false or null where there is no memory.
    """
    f = module.function("gg_renew", I1, [PTR, PTR, PTR])
    holder, bits, record = f.params
    new = f.label("new")
    old = f.load(PTR, holder)
    need(f, f.compare("eq", _word(f, record, AS_SCALAR), BY_US), new)
    _need_alone(f, old, new)
    f.store(f.load(I64, bits), f.at(old, I8, pyabi.FLOAT_VALUE))
    f.ret(f.const(I1, 1))
    f.begin(new)
    made = f.call("gg_leaf", PTR, bits, record)
    f.store(made, holder)
    drop(f, old)
    f.ret(f.compare("ne", made, f.const(PTR, 0)))

    g = module.function("gg_retuple", PTR, [PTR, I64])
    holder, count = g.params
    new = g.label("new")
    old = g.load(PTR, holder)
    _need_alone(g, old, new)
    g.ret(old)
    g.begin(new)
    made = python(g, "PyTuple_New", PTR, count)
    g.store(made, holder)
    drop(g, old)
    g.ret(made)


def _need_alone(f: Function, x: Value, otherwise: str) -> None:
    """Goes on with an object that is held by nobody but us."""
    need(f, f.compare("ne", x, f.const(PTR, 0)), otherwise)
    need(f, f.compare("eq", f.load(I64, x), 1), otherwise)


_PARTS = (
    _emit_matches, _emit_arguments, _emit_apart, _emit_obtain, _emit_results, _emit_handing,
    _emit_again,
)  # fmt: skip
