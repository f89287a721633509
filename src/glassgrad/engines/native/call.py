"""The fast call path: a Python builtin in machine code, from argument objects to result objects.

The generated entry takes the arguments' containers and modules apart, checks each leaf (exactly an
ndarray of this dtype and shape, contiguous and aligned; or a float for a 0-d float64), takes result
arrays, runs the kernel, and builds the result. What does not fit, and every error of the kernel,
goes to the *receiver*: a Python callable that gets the same arguments, converts them or raises.

Result arrays are fresh: the caller never sees an array change that it still holds. The two latest
results are remembered, and one that nobody else refers to any more is filled again instead of
allocating, which saves an allocation, and the page faults of large ones, in every step of a loop.
A result that takes a donated argument's memory is that argument, handed back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from glassgrad.engines.native import pyabi, runtime
from glassgrad.engines.native.crew import CREW, READY
from glassgrad.engines.native.emit import I1, I8, I16, I32, I64, PTR, VOID, Module, Value
from glassgrad.engines.native.faults import FAILED
from glassgrad.engines.native.interrupt import STOPPED
from glassgrad.engines.native.records import FIELDS
from glassgrad.engines.native.runtime import field, need, python
from glassgrad.engines.native.signature import (
    ArraySpec,
    Fixed,
    Part,
    Signature,
    Tree,
    handed_back,
    is_named_tuple,
    is_record,
)

ENTRY, KERNEL = "call", "kernel"
TABLES = ("argument_records", "result_records", "arena_slots")
POOL, APART, KEPT = "result_pool", "last_apart", "kept_result"
KEYS, ARENA, NOW = "dict_keys", "arena_address", "tables_now"


class Entry:
    """Emits the builtin's code for a function ``kernel``, linked to it, of the form
    ``i32 (arena, inputs, outputs)``, where 0 means success.

    A short program has one arena and keeps the interpreter; a `long` one lets others run meanwhile.
    One that has `shared` steps goes the general way until there are workers. The kernel of a
    program for every size takes `more` inputs besides, which come with the tables of a size.
    One whose integer divisions may go wrong hands its status to a `teller`.
    """

    def __init__(
        self, module: Module, signature: Signature, long: bool = False, shared: bool = False,
        more: int | None = None, teller: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self.module, self.signature, self.teller = module, signature, teller
        self.long, self.shared, self.more = long, shared, more
        self.kernel = module.declare(KERNEL, I32, [PTR] * 3)
        self.keys: list[Any] = []
        self.f = module.function(ENTRY, PTR, [PTR, PTR, I64, PTR])
        self.miss = self.f.label("miss")
        self._emit()

    def _emit(self) -> None:
        f, s = self.f, self.signature
        n, m = len(s.inputs), len(s.outputs)
        wide = n + (self.more or 0)
        inputs, outputs, arrays = (f.stack(PTR, max(1, k)) for k in (wide, m, m))
        self.few = f.stack(PTR, 2)
        self.back = handed_back(s)
        self.places = {id(tree): f.stack(PTR, 1) for tree in self.back.values()}
        leaves = f.params[1]
        if s.arguments != tuple(range(n)):
            leaves = f.stack(PTR, max(1, n))
        receiver, args, count, names = f.params
        need(f, f.compare("eq", count, len(s.arguments) - len(s.names)), self.miss)
        self._match_names(names)
        if leaves is not args:
            for i, tree in enumerate(s.arguments):
                self._match(tree, field(f, args, 8 * i), leaves)
        records, results, self.slots = self._tables(inputs, n)
        need(f, self._shared("gg_arguments", I1, leaves, records, f.index(n), inputs), self.miss)
        if any(spec.written for spec in s.inputs):
            apart = self._shared("gg_apart", I1, inputs, records, f.index(n), f.symbol(APART))
            need(f, apart, self.miss)
        arena = self._arena()
        taken = self._shared(
            "gg_results", I1, f.symbol(POOL), results, f.index(m), arrays, outputs, leaves, inputs
        )
        failed, bad = f.label("failed"), f.label("bad")
        need(f, taken, failed)
        status = self._run(arena, inputs, outputs, leaves)
        failure = status if self.teller is None else status & FAILED
        need(f, f.compare("eq", failure, 0), bad)
        for o, bits in s.expected:
            word = I64 if len(bits) == 8 else I32 if len(bits) == 4 else I16 if bits[1:] else I8
            found = f.load(word, f.at(arrays, PTR, o))
            number = int.from_bytes(bits, sys.byteorder, signed=True)
            need(f, f.compare("eq", found, number), bad)
        if self.teller is not None:
            self._tell(status, arrays, results)
        f.ret(self._result(arrays, results))
        f.begin(failed)
        self._give(arena)
        f.ret(f.const(PTR, 0))
        f.begin(bad)
        if self.long:
            self._stopped(status, arrays, results)
        self._shared("gg_release", VOID, arrays, results, f.index(m))
        f.jump(self.miss)
        f.begin(self.miss)
        f.ret(python(f, "PyObject_Vectorcall", PTR, receiver, args, count, names))

    def _tables(self, inputs: Value, count: int) -> list[Value]:
        """Records of arguments and results, and arenas; further inputs follow the arguments."""
        f = self.f
        if self.more is None:
            return [f.symbol(name) for name in TABLES]
        tables = f.load(PTR, f.symbol(NOW))  # once: another thread may turn to another size
        *known, first = (f.at(tables, PTR, i) for i in range(len(TABLES) + 1))
        for i in range(self.more):
            f.store(f.load(PTR, f.at(first, PTR, i)), f.at(inputs, PTR, count + i))
        return [f.load(PTR, place) for place in known]

    def _match_names(self, names: Value) -> None:
        """The keywords of the call are those of the signature, in their order."""
        f, wanted = self.f, self.signature.names
        if not wanted:
            need(f, f.compare("eq", names, f.const(PTR, 0)), self.miss)
            return
        need(f, f.compare("ne", names, f.const(PTR, 0)), self.miss)
        need(f, f.compare("eq", field(f, names, pyabi.SIZE, I64), len(wanted)), self.miss)
        for i, name in enumerate(wanted):
            found = field(f, names, pyabi.TUPLE_ITEMS + 8 * i)
            need(f, f.compare("eq", found, self._key(sys.intern(name))), self.miss)

    def _tell(self, status: Value, arrays: Value, records: Value) -> None:
        """Hands a status that is not 0 to the teller; where that raises there is no result."""
        f, none = self.f, self.f.const(PTR, 0)

        def told() -> None:
            number = python(f, "PyLong_FromLongLong", PTR, f.cast("sext", status, I64))
            f.store(number, f.at(self.few, PTR, 0))
            teller = self._key(self.teller)
            said = python(f, "PyObject_Vectorcall", PTR, teller, self.few, f.index(1), none)
            python(f, "Py_DecRef", VOID, number)
            f.guard(f.compare("ne", said, none), lambda: self._leave(arrays, records))
            python(f, "Py_DecRef", VOID, said)

        f.branch(f.compare("ne", status, 0), told)

    def _leave(self, arrays: Value, records: Value) -> None:
        """The end of a call without a result: Python has been told of an error."""
        f = self.f
        self._shared("gg_release", VOID, arrays, records, f.index(len(self.signature.outputs)))
        f.ret(f.const(PTR, 0))

    def _stopped(self, status: Value, arrays: Value, records: Value) -> None:
        """A call that was told to stop raises what the handler of the signal has raised."""
        going = self.f.compare("eq", status & STOPPED, 0)
        self.f.guard(going, lambda: self._leave(arrays, records))

    def _arena(self) -> Value:
        f = self.f
        if not self.long:
            return f.load(PTR, f.symbol(ARENA))
        if self.shared:
            need(f, f.compare("ne", field(f, f.symbol(CREW), READY, I64), 0), self.miss)
        arena = self._shared("gg_take", PTR, self.slots)
        need(f, f.compare("ne", arena, f.const(PTR, 0)), self.miss)
        return arena

    def _give(self, arena: Value) -> None:
        if self.long:
            self._shared("gg_give", I1, self.slots, arena)

    def _run(self, arena: Value, inputs: Value, outputs: Value, leaves: Value) -> Value:
        f, count = self.f, len(self.signature.inputs)
        if not self.long:
            return f.call(self.kernel, I32, arena, inputs, outputs)
        kernel = Value(f, f"@{self.kernel}", PTR)
        status = self._shared("gg_run", I32, kernel, arena, inputs, outputs, leaves, f.index(count))
        self._give(arena)
        return status

    def _shared(self, name: str, result: Any, *args: Value) -> Value:
        return python(self.f, name, result, *args)

    def _match(self, tree: Part, x: Value, leaves: Value) -> None:
        """Takes a container apart; its leaves go to their places in the table."""
        f = self.f
        if id(tree) in self.places:
            f.store(x, self.places[id(tree)])
        if isinstance(tree, int):
            f.store(x, f.at(leaves, PTR, tree))
            return
        if isinstance(tree, Fixed):
            need(f, f.compare("eq", x, self._key(tree.value)), self.miss)
            return
        name = {tuple: "PyTuple_Type", list: "PyList_Type", dict: "PyDict_Type"}.get(tree.kind)
        own = self._key(tree.kind) if name is None else f.symbol(name)
        need(f, f.compare("eq", field(f, x, pyabi.TYPE), own), self.miss)
        if not issubclass(tree.kind, tuple | list | dict):
            for key, child in zip(tree.keys, tree.children):
                self._match(child, self._attribute(x, key), leaves)
            return
        size = field(f, x, pyabi.SIZE, I64)
        need(f, f.compare("eq", size, len(tree.children)), self.miss)
        items = field(f, x, pyabi.LIST_ITEMS) if tree.kind is list else x
        for i, child in enumerate(tree.children):
            if tree.kind is dict:
                item = python(f, "PyDict_GetItemWithError", PTR, x, self._key(tree.keys[i]))
                need(f, f.compare("ne", item, f.const(PTR, 0)), self.miss)
            else:
                start = 0 if tree.kind is list else pyabi.TUPLE_ITEMS
                item = field(f, items, start + 8 * i)
            self._match(child, item, leaves)

    def _attribute(self, x: Value, name: str) -> Value:
        """A field of a record, which the record goes on holding."""
        f = self.f
        item = python(f, "PyObject_GetAttr", PTR, x, self._key(name))
        missing = f.compare("eq", item, f.const(PTR, 0))
        f.branch(missing, lambda: python(f, "PyErr_Clear", VOID) and None)
        need(f, f.compare("ne", item, f.const(PTR, 0)), self.miss)
        python(f, "Py_DecRef", VOID, item)
        return item

    def _key(self, key: Any) -> Value:
        self.keys.append(key)
        return self.f.load(PTR, self.f.at(self.f.symbol(KEYS), PTR, len(self.keys) - 1))

    def _result(self, arrays: Value, records: Value) -> Value:
        """The result object; one that is all scalars is the last one, if nobody else holds it.

        It is taken away from its place meanwhile: what Python does when memory is allocated may
        call this very program.
        """
        f, result = self.f, self.signature.result
        if not _only_scalars(result, self.signature.outputs):
            return self._build(result, arrays, records)
        kept, holder = f.symbol(KEPT), f.at(self.few, PTR, 0)
        f.store(f.load(PTR, kept), holder)
        f.store(f.const(PTR, 0), kept)
        full = f.label("full")
        self._refill(result, holder, arrays, records, full)
        made = f.load(PTR, holder)
        runtime.hold(f, made)
        runtime.drop(f, f.load(PTR, kept))
        f.store(made, kept)
        f.ret(made)
        f.begin(full)
        return f.const(PTR, 0)

    def _refill(self, tree: Part, holder: Value, arrays: Value, records: Value, full: str) -> None:
        """Puts new numbers into what a place holds, or something new into the place."""
        f = self.f
        if isinstance(tree, int):
            record = f.at(records, I8, tree * 8 * FIELDS)
            need(f, self._shared("gg_renew", I1, holder, f.at(arrays, PTR, tree), record), full)
            return
        assert isinstance(tree, Tree)
        made = self._shared("gg_retuple", PTR, holder, f.index(len(tree.children)))
        need(f, f.compare("ne", made, f.const(PTR, 0)), full)
        for i, child in enumerate(tree.children):
            item = f.at(made, I8, pyabi.TUPLE_ITEMS + 8 * i)
            self._refill(child, item, arrays, records, full)

    def _build(self, tree: Part, arrays: Value, records: Value) -> Value:
        """The result object; takes over the references in `arrays`."""
        f = self.f
        if isinstance(tree, int):
            place = f.at(arrays, PTR, tree)
            return self._shared("gg_leaf", PTR, place, f.at(records, I8, tree * 8 * FIELDS))
        if isinstance(tree, Fixed):
            python(f, "Py_IncRef", VOID, held := self._key(tree.value))
            return held
        if id(tree) in self.back:
            given = f.load(PTR, self.places[id(self.back[id(tree)])])
            runtime.hold(f, given)
            return given
        if not issubclass(tree.kind, tuple | list | dict):
            return self._build_record(tree, arrays, records)
        if tree.kind not in (tuple, list, dict):
            inner = self._build(Tree(tuple, tree.children), arrays, records)
            made = self._new(tuple, tree.kind, inner)
            python(f, "Py_DecRef", VOID, inner)
            return made
        n = len(tree.children)
        first = tree.children[0] if n and isinstance(tree.children[0], int) else 0
        if tree.kind is tuple and n and tree.children == tuple(range(first, first + n)):
            some = f.at(arrays, PTR, first), f.at(records, I8, first * 8 * FIELDS)
            return self._shared("gg_tuple", PTR, *some, f.index(n))
        if tree.kind is dict:
            return self._build_dict(tree, arrays, records)
        new, set_ = ("PyList_New", "PyList_SetItem")
        if tree.kind is tuple:
            new, set_ = ("PyTuple_New", "PyTuple_SetItem")
        made = python(f, new, PTR, f.index(n))
        for i, child in enumerate(tree.children):
            python(f, set_, I32, made, f.index(i), self._build(child, arrays, records))
        return made

    def _new(self, base: type, kind: type, *rest: Value) -> Value:
        """``base.__new__(kind, *rest)``."""
        f = self.f
        for i, x in enumerate((self._key(kind), *rest)):
            f.store(x, f.at(self.few, PTR, i))
        new, count = self._key(base.__new__), f.index(1 + len(rest))
        return python(f, "PyObject_Vectorcall", PTR, new, self.few, count, f.const(PTR, 0))

    def _build_record(self, tree: Tree, arrays: Value, records: Value) -> Value:
        f = self.f
        made = self._new(object, tree.kind)
        for name, child in zip(tree.keys, tree.children):
            item = self._build(child, arrays, records)
            python(f, "PyObject_GenericSetAttr", I32, made, self._key(name), item)
            python(f, "Py_DecRef", VOID, item)
        return made

    def _build_dict(self, tree: Tree, arrays: Value, records: Value) -> Value:
        f = self.f
        made = python(f, "PyDict_New", PTR)
        for key, child in zip(tree.keys, tree.children):
            item = self._build(child, arrays, records)
            python(f, "PyDict_SetItem", I32, made, self._key(key), item)
            python(f, "Py_DecRef", VOID, item)
        return made


def _only_scalars(tree: Part, outputs: Sequence[ArraySpec]) -> bool:
    """Whether a result is a scalar, or a tuple of such and of such tuples."""
    if isinstance(tree, int):
        return outputs[tree].scalar
    if not isinstance(tree, Tree) or tree.kind is not tuple or not tree.children:
        return False
    return all(_only_scalars(child, outputs) for child in tree.children)


__all__ = [
    "ENTRY", "TABLES", "ArraySpec", "Entry", "Fixed", "Part", "Signature", "Tree",
    "is_named_tuple", "is_record",
]  # fmt: skip
