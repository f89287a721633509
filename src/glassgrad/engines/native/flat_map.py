"""A function of the algebra, run over flat arrays: to test it, and to measure it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra
from glassgrad.engines.native.convert import from_memory, to_memory
from glassgrad.engines.native.emit import I64, PTR, VOID, Function, Module, Value, of_dtype
from glassgrad.engines.native.link import Linked
from glassgrad.engines.native.target import Target, assemble

Array = np.ndarray[Any, Any]


class FlatMap:
    """``out[i] = rule(k, *operands[i])`` as machine code, for operands of these dtypes.

    `lanes` is the vector width in elements (0: scalars; default: what fills a register).

    >>> double = FlatMap(lambda k, x: x + x, [np.float32])
    >>> double(np.arange(5, dtype=np.float32))
    array([0., 2., 4., 6., 8.], dtype=float32)
    """

    def __init__(
        self,
        rule: Callable[..., Lanes],
        dtypes: Sequence[Any],
        target: Target | None = None,
        lanes: int | None = None,
    ) -> None:
        self.rule, self.target = rule, target or Target.host()
        self.dtypes = [np.dtype(d) for d in dtypes]
        widest = max((of_dtype(d) for d in self.dtypes), key=lambda t: t.bits)
        self.lanes = self.target.lanes(widest) if lanes is None else lanes
        self.dtype = self.dtypes[-1]
        self.text = self._module().text()
        self._linked = Linked(assemble(self.text, self.target), self.target, ["run"], {})
        signature = [ctypes.c_void_p] * (1 + len(self.dtypes))
        self._run = ctypes.CFUNCTYPE(None, *signature, ctypes.c_int64)(self._linked.address["run"])

    def __call__(self, *operands: Array, out: Array | None = None) -> Array:
        """The results; operands are contiguous, of equal length and of the stated dtypes."""
        return self.bind(*operands, out=out)()

    def bind(self, *operands: Array, out: Array | None = None) -> Callable[[], Array]:
        """The call with its addresses prepared, so that running it costs next to nothing more."""
        result = np.empty(operands[0].shape, self.dtype) if out is None else out
        arrays = (result, *operands)
        if any(not a.flags.c_contiguous or a.size != result.size for a in arrays):
            raise ValueError("a flat map takes contiguous arrays of one length")
        if [a.dtype for a in arrays] != [self.dtype, *self.dtypes]:
            raise TypeError(f"this flat map takes {self.dtypes} and gives {self.dtype}")
        addresses = [ctypes.c_void_p(a.ctypes.data) for a in arrays]
        size = ctypes.c_int64(result.size)

        def run() -> Array:
            self._run(*addresses, size)
            return arrays[0]

        return run

    def _module(self) -> Module:
        module = Module(self.target)
        f = module.function("run", VOID, [PTR] * (1 + len(self.dtypes)) + [I64])
        count, step = f.params[-1], max(self.lanes, 1)
        whole = f.binary("sub", count, f.binary("urem", count, step))
        f.loop(0, whole, step, lambda i: self._turn(f, i, None))
        if step > 1:
            mask = f.tail_mask(step, f.binary("sub", count, whole))
            f.branch(f.compare("slt", whole, count), lambda: self._turn(f, whole, mask))
        f.ret()
        return module

    def _turn(self, f: Function, i: Value, mask: Value | None) -> None:
        k = LLVMAlgebra(f)
        operands: list[Lanes] = []
        for pointer, dtype in zip(f.params[1:-1], self.dtypes):
            type_ = of_dtype(dtype).vector(self.lanes)
            loaded = f.load(type_, f.at(pointer, type_.element, i), mask=mask)
            operands.append(from_memory(k, loaded, dtype))
        found = self.rule(k, *operands)
        self.dtype = found.dtype
        stored = to_memory(k, found)
        f.store(stored, f.at(f.params[0], stored.type.element, i), mask=mask)
