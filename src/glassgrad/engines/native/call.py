"""The fast call path: a Python builtin in machine code, from argument objects to result objects.

The generated function checks each argument (exactly an ndarray of this dtype and shape, contiguous
and aligned; or a float for a 0-d float64), takes result arrays, runs the kernel, and builds the
result. What does not fit, and every error of the kernel, goes to the *receiver*: a Python callable
that gets the same arguments, converts them or raises.

Result arrays are fresh: the caller never sees an array change that it still holds. The two latest
results are remembered, and one that nobody else refers to any more is filled again instead of
allocating, which saves an allocation, and the page faults of large ones, in every step of a loop.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glassgrad.engines.native import pyabi
from glassgrad.engines.native.emit import F64, I1, I8, I32, I64, PTR, VOID, Function, Module, Value

_KEPT = 2  # results remembered for each output


@dataclass(frozen=True)
class ArraySpec:
    """The shape and dtype of one argument or result.

    `scalar`: returned as a NumPy scalar. `takes`: "array", "float" (a Python float, exactly) or
    "both".
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scalar: bool = False
    takes: str = "both"

    @property
    def nbytes(self) -> int:
        """The bytes of its elements."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


@dataclass(frozen=True)
class Tree:
    """A container of leaves: `kind` is tuple, list or dict; children are numbers or trees.

    A number is the index of an `ArraySpec`. A dict has its `keys` in the order of the children.
    """

    kind: type
    children: tuple[int | Tree, ...]
    keys: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Signature:
    """All that is known of a program's calls. `result` may be one number: a bare result."""

    inputs: tuple[ArraySpec, ...]
    outputs: tuple[ArraySpec, ...]
    arguments: tuple[int | Tree, ...]
    result: int | Tree
    objects: list[Any] = field(default_factory=list)  # dict keys, by their index in the table

    @staticmethod
    def flat(inputs: Sequence[ArraySpec], outputs: Sequence[ArraySpec]) -> Signature:
        """Arrays in, a tuple of arrays out."""
        return Signature(
            tuple(inputs), tuple(outputs), tuple(range(len(inputs))),
            Tree(tuple, tuple(range(len(outputs)))),
        )  # fmt: skip


POOL, OBJECTS, ARENA, ENTRY = "result_pool", "key_objects", "arena_address", "call"


def emit_call(module: Module, signature: Signature, kernel: Function) -> None:
    """Adds the builtin's code; `kernel` is ``i32 (arena, inputs, outputs)``, 0 meaning success."""
    for name in (POOL, OBJECTS):
        count = len(signature.outputs) * _KEPT if name == POOL else _count_keys(signature)
        module.table(name, max(1, count))
    module.variable(ARENA, PTR)
    _Caller(module, signature, kernel).emit()


def _count_keys(signature: Signature) -> int:
    def count(tree: int | Tree) -> int:
        if isinstance(tree, int):
            return 0
        return len(tree.keys) + sum(map(count, tree.children))

    return sum(map(count, (*signature.arguments, signature.result)))


class _Caller:
    def __init__(self, module: Module, signature: Signature, kernel: Function) -> None:
        self.module, self.signature, self.kernel = module, signature, kernel
        self.f = module.function(ENTRY, PTR, [PTR, PTR, I64])
        self.miss = self.f.label("miss")
        self.failed = self.f.label("failed")

    # -- small pieces ---------------------------------------------------------

    def _field(self, pointer: Value, offset: int, type_: Any = PTR) -> Value:

        return self.f.load(type_, self.f.at(pointer, I8, offset))

    def _symbol(self, name: str) -> Value:
        return self.f.symbol(name)

    def _python(self, name: str, result: Any, *args: Value) -> Value:
        self.module.declare(name, result, [a.type for a in args])
        return self.f.call(name, result, *args)

    def _need(self, condition: Value) -> None:
        """Leaves for the slow path unless the condition holds."""
        fine = self.f.label("fine")
        self.f.jump_if(condition, fine, self.miss)
        self.f.begin(fine)

    def _is_type(self, x: Value, name: str) -> Value:
        return self.f.compare("eq", self._field(x, pyabi.TYPE), self._symbol(name))

    # -- arguments ------------------------------------------------------------

    def emit(self) -> None:
        """The whole function."""
        f, s = self.f, self.signature
        inputs = f.stack(PTR, max(1, len(s.inputs)))
        outputs = f.stack(PTR, max(1, len(s.outputs)))
        arrays = f.stack(PTR, max(1, len(s.outputs)))
        self._need(f.compare("eq", f.params[2], len(s.arguments)))
        for i, tree in enumerate(s.arguments):
            self._match(tree, self._field(f.params[1], 8 * i), inputs)
        for i in range(len(s.outputs)):
            f.store(f.const(PTR, 0), f.at(arrays, PTR, i))
        for i, spec in enumerate(s.outputs):
            array = self._result_array(i, spec)
            f.store(array, f.at(arrays, PTR, i))
            f.store(self._field(array, pyabi.DATA), f.at(outputs, PTR, i))
        arena = f.load(PTR, self._symbol(ARENA))
        status = f.call(self.kernel, I32, arena, inputs, outputs)
        bad, good = f.label("bad"), f.label("good")
        f.jump_if(f.compare("eq", status, 0), good, bad)
        f.begin(good)
        f.ret(self._build(s.result, arrays))
        f.begin(bad)
        self._release(arrays)
        f.jump(self.miss)
        f.begin(self.failed)
        self._release(arrays)
        f.ret(f.const(PTR, 0))
        f.begin(self.miss)
        null = f.const(PTR, 0)
        f.ret(self._python("PyObject_Vectorcall", PTR, *f.params, null))

    def _release(self, arrays: Value) -> None:
        f = self.f

        def drop(i: Value) -> None:
            array = f.load(PTR, f.at(arrays, PTR, i))
            f.branch(
                f.compare("ne", array, f.const(PTR, 0)),
                lambda: self._python("Py_DecRef", VOID, array) and None,
            )

        f.loop(0, len(self.signature.outputs), 1, drop)

    def _match(self, tree: int | Tree, x: Value, inputs: Value) -> None:
        if isinstance(tree, int):
            data = self._argument_data(self.signature.inputs[tree], x)
            self.f.store(data, self.f.at(inputs, PTR, tree))
            return
        name = {tuple: "PyTuple_Type", list: "PyList_Type", dict: "PyDict_Type"}[tree.kind]
        self._need(self._is_type(x, name))
        size = self._field(x, pyabi.SIZE, I64)
        self._need(self.f.compare("eq", size, len(tree.children)))
        items = self._field(x, pyabi.LIST_ITEMS) if tree.kind is list else x
        for i, child in enumerate(tree.children):
            if tree.kind is dict:
                item = self._python("PyDict_GetItemWithError", PTR, x, self._key(tree.keys[i]))
                self._need(self.f.compare("ne", item, self.f.const(PTR, 0)))
            else:
                start = pyabi.TUPLE_ITEMS if tree.kind is tuple else 0
                item = self._field(items, start + 8 * i)
            self._match(child, item, inputs)

    def _key(self, key: Any) -> Value:
        objects = self.signature.objects
        objects.append(key)
        return self.f.load(PTR, self.f.at(self._symbol(OBJECTS), PTR, len(objects) - 1))

    def _argument_data(self, spec: ArraySpec, x: Value) -> Value:
        """The address of the argument's elements."""
        f = self.f
        if spec.takes == "float":
            self._need(self._is_type(x, "PyFloat_Type"))
            return f.at(x, I8, pyabi.FLOAT_VALUE)
        if spec.shape or spec.dtype != np.float64:
            self._check_array(spec, x, pyabi.C_CONTIGUOUS | pyabi.ALIGNED)
            return self._field(x, pyabi.DATA)
        is_float = self._is_type(x, "PyDoubleScalar_Type")
        if spec.takes == "both":
            is_float = is_float | self._is_type(x, "PyFloat_Type")

        def array() -> list[Value]:
            self._check_array(spec, x, pyabi.C_CONTIGUOUS | pyabi.ALIGNED)
            return [self._field(x, pyabi.DATA)]


        return f.branch(is_float, lambda: [f.at(x, I8, pyabi.FLOAT_VALUE)], array)[0]

    def _check_array(self, spec: ArraySpec, x: Value, flags: int) -> None:
        f = self.f
        self._need(self._is_type(x, "PyArray_Type"))
        self._need(self._describes(spec, x, flags))
        if spec.shape:
            self._need(self._has_shape(spec, x))

    def _describes(self, spec: ArraySpec, x: Value, flags: int) -> Value:
        f = self.f
        same = self._has_dtype(spec, self._field(x, pyabi.DESCR))
        same = same & f.compare("eq", self._field(x, pyabi.NDIM, I32), len(spec.shape))
        found = self._field(x, pyabi.FLAGS, I32) & flags
        return same & f.compare("eq", found, flags)

    def _has_dtype(self, spec: ArraySpec, descr: Value) -> Value:
        """The dtype's usual object, or another of the same scalar type and byte order."""
        f = self.f
        usual = f.compare("eq", descr, self._symbol(pyabi.descr(spec.dtype)))

        def equal() -> list[Value]:
            type_ = self._field(descr, pyabi.DESCR_TYPE)
            order = self._field(descr, pyabi.DESCR_ORDER, I8)
            same = f.compare("eq", type_, self._symbol(pyabi.scalar_type(spec.dtype)))
            return [same & f.compare("eq", order, ord(spec.dtype.byteorder))]

        return f.branch(usual, lambda: [f.const(I1, 1)], equal)[0]

    def _has_shape(self, spec: ArraySpec, x: Value) -> Value:
        f = self.f
        dims = self._field(x, pyabi.DIMS)
        same = f.compare("eq", self._field(dims, 0, I64), spec.shape[0])
        for i, n in enumerate(spec.shape[1:], 1):
            same = same & f.compare("eq", self._field(dims, 8 * i, I64), n)
        return same

    # -- results --------------------------------------------------------------

    def _result_array(self, index: int, spec: ArraySpec) -> Value:
        """A new reference to an array that nobody else holds."""
        f = self.f
        pool = self._symbol(POOL)
        found, done = f.label("found"), f.label("have")
        picked: list[tuple[Value, str]] = []
        for k in range(_KEPT):
            slot = f.at(pool, PTR, index * _KEPT + k)
            old = f.load(PTR, slot)
            again = f.label("next")
            self._reusable(spec, old, again)
            picked.append((old, f.block))
            f.jump(found)
            f.begin(again)
        fresh = self._new_array(spec)
        self._remember(index, fresh)
        fresh_block = f.block
        f.jump(done)
        f.begin(found)
        old = f.phi(PTR, picked)
        self._python("Py_IncRef", VOID, old)
        f.jump(done)
        f.begin(done)
        return f.phi(PTR, [(old, found), (fresh, fresh_block)])

    def _reusable(self, spec: ArraySpec, old: Value, otherwise: str) -> None:
        """Goes on when the remembered array is ours alone and as it was; else jumps."""
        f = self.f

        def need(condition: Value) -> None:
            fine = f.label("still")
            f.jump_if(condition, fine, otherwise)
            f.begin(fine)

        null = f.const(PTR, 0)
        need(f.compare("ne", old, null))
        need(f.compare("eq", self._field(old, 0, I32), 1))
        flags = pyabi.C_CONTIGUOUS | pyabi.OWNDATA | pyabi.ALIGNED | pyabi.WRITEABLE
        same = self._describes(spec, old, flags)
        same = same & f.compare("eq", self._field(old, pyabi.BASE), null)
        same = same & f.compare("eq", self._field(old, pyabi.WEAKREFS), null)
        need(same)
        if spec.shape:
            need(self._has_shape(spec, old))

    def _new_array(self, spec: ArraySpec) -> Value:
        f = self.f
        descr = self._symbol(pyabi.descr(spec.dtype))
        self._python("Py_IncRef", VOID, descr)
        dims = np.array(spec.shape or (0,), np.int64).tobytes()
        null = f.const(PTR, 0)
        made = self._python(
            "PyArray_NewFromDescr", PTR, self._symbol("PyArray_Type"), descr,
            f.const(I32, len(spec.shape)), self._symbol(self.module.data(dims)), null, null,
            f.const(I32, 0), null,
        )  # fmt: skip
        fine = f.label("made")
        f.jump_if(f.compare("ne", made, null), fine, self.failed)
        f.begin(fine)
        return made

    def _remember(self, index: int, array: Value) -> None:
        """The newest comes first; the oldest is let go."""
        f = self.f
        pool = self._symbol(POOL)
        slots = [f.at(pool, PTR, index * _KEPT + k) for k in range(_KEPT)]
        held = [f.load(PTR, slot) for slot in slots]
        self._python("Py_IncRef", VOID, array)
        for slot, x in zip(slots, [array, *held[:-1]]):
            f.store(x, slot)
        f.branch(
            f.compare("ne", held[-1], f.const(PTR, 0)),
            lambda: self._python("Py_DecRef", VOID, held[-1]) and None,
        )

    def _build(self, tree: int | Tree, arrays: Value) -> Value:
        """The result object; takes over the references in `arrays`."""
        f = self.f
        if isinstance(tree, int):
            return self._leaf(tree, f.load(PTR, f.at(arrays, PTR, tree)))
        new, set_ = ("PyList_New", "PyList_SetItem")
        if tree.kind is tuple:
            new, set_ = ("PyTuple_New", "PyTuple_SetItem")
        if tree.kind is dict:
            made = self._python("PyDict_New", PTR)
            for key, child in zip(tree.keys, tree.children):
                item = self._build(child, arrays)
                self._python("PyDict_SetItem", I32, made, self._key(key), item)
                self._python("Py_DecRef", VOID, item)
            return made
        made = self._python(new, PTR, f.index(len(tree.children)))
        for i, child in enumerate(tree.children):
            self._python(set_, I32, made, f.index(i), self._build(child, arrays))
        return made

    def _leaf(self, index: int, array: Value) -> Value:
        spec = self.signature.outputs[index]
        if not spec.scalar:
            return array
        data = self._field(array, pyabi.DATA)
        descr = self._symbol(pyabi.descr(spec.dtype))
        made = self._python("PyArray_Scalar", PTR, data, descr, self.f.const(PTR, 0))
        self._python("Py_DecRef", VOID, array)
        return made


class FastCall:
    """A linked program's builtin, and the objects that its code holds."""

    def __init__(
        self, addresses: dict[str, int], signature: Signature, arena: int,
        receiver: Callable[..., Any], name: str,
    ) -> None:  # fmt: skip
        self._pool = (ctypes.c_void_p * (len(signature.outputs) * _KEPT)).from_address(
            addresses[POOL]
        )
        self._objects = list(signature.objects)
        table = (ctypes.c_void_p * max(1, len(self._objects))).from_address(addresses[OBJECTS])
        for i, key in enumerate(self._objects):
            table[i] = id(key)
        ctypes.c_void_p.from_address(addresses[ARENA]).value = arena
        self.builtin = pyabi.builtin(addresses[ENTRY], receiver, name)

    def release(self) -> None:
        """Lets go of the remembered results."""
        release = ctypes.pythonapi.Py_DecRef
        release.argtypes = [ctypes.c_void_p]
        for i, held in enumerate(self._pool):
            if held:
                self._pool[i] = None
                release(held)


__all__ = ["ARENA", "ENTRY", "F64", "OBJECTS", "POOL", "ArraySpec", "FastCall", "Signature", "Tree"]
