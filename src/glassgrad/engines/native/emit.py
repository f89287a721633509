"""A small, dense emitter of LLVM IR text: typed values, blocks, structured loops, vectors.

No middle-end passes run over what is emitted here, so the text is already what the machine should
do: loop-carried values are phi nodes (never stack slots), vectors are explicit, integer arithmetic
on constants is folded as it is built. No fast-math flag is ever written and nothing is contracted:
`Function.fma` is the only fused operation, and without FMA hardware it is a product and a sum.

A `Value` overloads ``+ - * /``, unary ``-`` and (integers, masks) ``& | ^ << >> ~`` with other
values of the same type and with Python numbers, which are splatted. ``>>`` is logical. Everything
else is a method of `Function`.

>>> from glassgrad.engines.native.target import Target
>>> module = Module(Target.baseline())
>>> f = module.function("scale", VOID, [PTR, F32])
>>> data, factor = f.params
>>> vector = F32.vector(4)
>>> def body(i):
...     p = f.at(data, F32, i)
...     f.store(f.load(vector, p) * f.splat(factor, vector) + 1.0, p)
>>> _ = f.loop(0, 64, 4, body)
>>> f.ret()
>>> print(module.text().splitlines()[-1])
attributes #0 = { nounwind "no-builtins" "prefer-vector-width"="128" }
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING

from glassgrad.engines.native.extents import NONE, Extents
from glassgrad.engines.native.function import Function
from glassgrad.engines.native.irtype import (
    F32,
    F64,
    I1,
    I8,
    I16,
    I32,
    I64,
    PTR,
    VOID,
    Type,
    constant_text,
    of_dtype,
    scalar_text,
    type_of,
)
from glassgrad.engines.native.value import Value

if TYPE_CHECKING:
    from glassgrad.engines.integer_division import Fault
    from glassgrad.engines.native.target import Target

__all__ = [
    "F32", "F64", "I1", "I8", "I16", "I32", "I64", "PTR", "VOID",
    "Function", "Module", "Type", "Value", "constant_text", "of_dtype", "scalar_text", "type_of",
]  # fmt: skip


class Module:
    """One compile unit: functions, declarations and constant data for a `Target`."""

    def __init__(self, target: Target, extents: Extents = NONE) -> None:
        self.target = target
        self.extents = extents  # those that are known at run time
        self.interruptible = False  # whether its code looks for signals
        self.divides = False  # whether an integer division in it may go wrong
        self.faults: list[Fault] = []  # those of its divisions, in the order of their bits
        self.functions: dict[str, Function] = {}
        self.outlined: dict[str, tuple[Function, int]] = {}  # and the number of results
        self.uses: dict[str, int] = {}
        self._declared: dict[str, str] = {}
        self._data: list[str] = []
        self._known: set[str] = set()
        self._outside: list[str] = []

    def function(
        self, name: str, result: Type, parameters: Sequence[Type], linkage: str = ""
    ) -> Function:
        """Starts a function; linkage "" exports it, "internal" keeps it inside."""
        if name in self.functions:
            raise ValueError(f"the function {name} is defined already")
        made = Function(self, name, result, parameters, linkage)
        self.functions[name] = made
        return made

    def declare(self, name: str, result: Type, parameters: Sequence[Type]) -> str:
        """Declares an outside function once; gives its name back."""
        if name not in self._declared and name not in self.functions:
            types = ", ".join(t.text for t in parameters)
            self._declared[name] = f"declare {result} @{name}({types})"
        return name

    def data(self, content: bytes, align: int = 64) -> str:
        """Read-only bytes inside the object; gives the global's name (use with `address`)."""
        name = f"data{len(self._data)}"
        escaped = "".join(f"\\{byte:02X}" for byte in content)
        self._data.append(
            f'@{name} = private unnamed_addr constant [{len(content)} x i8] c"{escaped}", '
            f"align {align}"
        )
        self._known.add(name)
        return name

    def outside(self, name: str) -> str:
        """Declares data that the linker is given the address of."""
        if name not in self._known:
            self._known.add(name)
            self._outside.append(name)
            self._data.append(f"@{name} = external global i8")
        return name

    def foreign(self) -> list[str]:
        """The names that the linker must be given: functions and data outside, no intrinsics."""
        inside = {*self.functions}
        called = [n for n in self._declared if not n.startswith("llvm.") and n not in inside]
        return called + self._outside

    def table(self, name: str, count: int) -> str:
        """An exported, writable array of `count` null pointers."""
        self._data.append(f"@{name} = global [{count} x ptr] zeroinitializer, align 8")
        self._known.add(name)
        return name

    def variable(self, name: str, type_: Type, linkage: str = "") -> str:
        """A writable global, zero at first; exported unless `linkage` says "internal"."""
        zero = "null" if type_.kind == "p" else "zeroinitializer"
        prefix = f"{linkage} " if linkage else ""
        self._data.append(f"@{name} = {prefix}global {type_} {zero}, align {type_.itemsize}")
        self._known.add(name)
        return name

    def merged(self) -> dict[str, str]:
        """The text of every function, of equal inner ones the first alone."""
        texts = {f.name: f.text() for f in self.functions.values()}
        while True:
            first: dict[str, str] = {}
            same: dict[str, str] = {}
            for name, text in texts.items():
                if self.functions[name].linkage == "internal":
                    kept = first.setdefault(text.replace(f"@{name}(", "@(", 1), name)
                    if kept != name:
                        same[name] = kept
            if not same:
                return texts
            called = re.compile(rf"@({'|'.join(same)})\b")
            texts = {
                name: called.sub(lambda m, same=same: "@" + same[m[1]], text)
                for name, text in texts.items()
                if name not in same
            }

    def text(self, bodies: Iterable[str] | None = None, called: Container[str] = ()) -> str:
        """The whole module as LLVM reads it; or these functions, and what they call of the rest."""
        width = 8 * self.target.vector_bytes
        attributes = f'{{ nounwind "no-builtins" "prefer-vector-width"="{width}" }}'
        parts = [
            f'target triple = "{self.target.triple}"',
            *(x for x in self._data if bodies is None or x[1 : x.index(" ")] in called),
            *(self.merged().values() if bodies is None else bodies),
            *(x for name, x in self._declared.items() if bodies is None or name in called),
            f"attributes #0 = {attributes}",
        ]
        return "\n".join(parts) + "\n"
