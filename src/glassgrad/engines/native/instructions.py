"""What a function is made of: constants, arithmetic, lanes, memory, calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from glassgrad.engines.native.extents import SIZES, FixedSizeError
from glassgrad.engines.native.irtype import (
    I1,
    I8,
    I32,
    I64,
    PTR,
    VOID,
    Type,
    constant_text,
    type_of,
)
from glassgrad.engines.native.value import Number, Value

if TYPE_CHECKING:
    from glassgrad.engines.native.emit import Module
    from glassgrad.engines.native.function import Function

_FOLDED: dict[str, Callable[[int, int], int]] = {
    "add": int.__add__, "sub": int.__sub__, "mul": int.__mul__,
}  # fmt: skip
_NEUTRAL = {"add": 0, "sub": 0, "mul": 1}


class Instructions:
    """The instructions of one function, appended to the current block."""

    def __init__(
        self, module: Module, name: str, result: Type, parameters: Sequence[Type], linkage: str
    ) -> None:
        self.module = module
        self.target = module.target
        self.name = name
        self.result = result
        self.parameter_types = tuple(parameters)
        self.linkage = linkage
        self.params = [Value(self, f"%p{i}", t) for i, t in enumerate(parameters)]
        self.noalias: set[int] = set()
        self.block = "entry"
        self.depth = 0  # loops around the current block
        self.sizes: Value | None = None  # where the extents lie that are known at run time
        self.glue = False  # only calls others, so seldom that its own speed does not matter
        self.extents: dict[int, Value] = {}  # those that it knows
        self._lines: list[str] = []
        self._first: list[str] = []  # lines whose results every block may use
        self._count = 0

    # -- constants and splats -------------------------------------------------

    def const(self, type_: Type, number: Any) -> Value:
        """A constant; a number fills all lanes, a list gives them one by one."""
        return Value(self, constant_text(type_, number), type_, number)

    def index(self, number: int) -> Value:
        """An i64 constant, for addresses and loop bounds; or what varies, as it is in this call."""
        varying = self.varying(number)
        return Value(self, str(number), I64, number) if varying is None else varying

    def varying(self, number: Value | int) -> Value | None:
        """A number that holds extents known at run time, as an i64; None for any other."""
        if isinstance(number, Value) or not self.module.extents.primes:
            return None
        found = self.module.extents.factors(number)
        if found is None:
            return None
        coefficient, powers = found
        result = self.const(I64, coefficient)
        for i, power in enumerate(powers):
            for _ in range(power):
                result = result * self._extent(i)
        return result

    def _extent(self, i: int) -> Value:
        """An extent that varies, loaded where the function begins."""
        if i not in self.extents:
            if self.sizes is None:
                raise FixedSizeError(f"{self.name} is not told of extents")
            name, place = f"%n{i}", f"%at_n{i}"
            start = f"getelementptr i64, ptr {self.sizes.text}, i64 {SIZES // 8 + i}"
            self._first += [f"  {place} = {start}", f"  {name} = load i64, ptr {place}, align 8"]
            self.extents[i] = Value(self, name, I64)
        return self.extents[i]

    def coerce(self, x: Value | Number, type_: Type) -> Value:
        """`x` as a value of `type_`: Python numbers and scalar constants are splatted."""
        if isinstance(x, Value):
            if x.type is type_:
                return x
            if x.type is type_.element:
                return self.splat(x, type_)
            raise TypeError(f"a {x.type} was given where a {type_} is needed")
        if isinstance(x, int) and type_.element is I64 and (found := self.varying(x)) is not None:
            return self.splat(found, type_)
        return self.const(type_, x)

    def splat(self, x: Value, type_: Type) -> Value:
        """The scalar `x` in every lane of `type_` (which may be the scalar's own type)."""
        if x.type is type_:
            return x
        if isinstance(x.number, (int, float)):
            return self.const(type_, x.number)
        first = self._emit(type_, f"insertelement {type_} poison, {x.type} {x.text}, i64 0")
        return self._emit(
            type_,
            f"shufflevector {type_} {first.text}, {type_} poison, "
            f"<{type_.lanes} x i32> zeroinitializer",
        )

    def tail_mask(self, lanes: int, active: Value | int) -> Value:
        """The mask with its first `active` lanes set (a number, or an i64 known at run time)."""
        if isinstance(active, int):
            return self.const(I1.vector(lanes), [int(i < active) for i in range(lanes)])
        steps = self.const(I64.vector(lanes), list(range(lanes)))
        return self.compare("ult", steps, self.splat(active, I64.vector(lanes)))

    # -- arithmetic -----------------------------------------------------------

    def _emit(self, type_: Type, text: str) -> Value:
        name = f"%v{self._count}"
        self._count += 1
        self._lines.append(f"  {name} = {text}")
        return Value(self, name, type_)

    def made(self, type_: Type, text: str) -> Value:
        """The result of an instruction that has no method of its own."""
        return self._emit(type_, text)

    def line(self, text: str) -> None:
        """An instruction without a result that has no method of its own."""
        self._lines.append(f"  {text}")

    def address_of(self, function: Function) -> Value:
        """A function of this module as a pointer."""
        return Value(self, f"@{function.name}", PTR)

    def _pair(self, a: Value | Number, b: Value | Number) -> tuple[Value, Value]:
        if not isinstance(a, Value):
            assert isinstance(b, Value)
            return self.coerce(a, b.type), b
        if not isinstance(b, Value):
            return a, self.coerce(b, a.type)
        wide = a.type if a.type.lanes >= b.type.lanes else b.type
        return self.coerce(a, wide), self.coerce(b, wide)

    def arithmetic(self, name: str, a: Value | Number, b: Value | Number) -> Value:
        """``add``, ``sub``, ``mul`` or ``div`` (floats only), by the operands' type."""
        x, y = self._pair(a, b)
        if x.type.is_float:
            return self._emit(x.type, f"f{name} {x.type} {x.text}, {y.text}")
        if name == "div":
            raise TypeError("integer division has no operator: use binary('sdiv' or 'udiv', ...)")
        return self._integer(name, x, y)

    def _integer(self, name: str, x: Value, y: Value) -> Value:
        if isinstance(x.number, int) and isinstance(y.number, int):
            return self.const(x.type, _FOLDED[name](x.number, y.number))
        if y.number == _NEUTRAL[name]:
            return x
        if x.number == _NEUTRAL[name] and name != "sub":
            return y
        return self._emit(x.type, f"{name} {x.type} {x.text}, {y.text}")

    def binary(self, op: str, a: Value | Number, b: Value | Number) -> Value:
        """Any two-operand instruction by its LLVM name: and, or, shl, ashr, sdiv, urem, frem …"""
        x, y = self._pair(a, b)
        return self._emit(x.type, f"{op} {x.type} {x.text}, {y.text}")

    def negate(self, x: Value) -> Value:
        """Minus `x` (a float keeps the sign of zero and the bits of a NaN but the sign)."""
        if x.type.is_float:
            return self._emit(x.type, f"fneg {x.type} {x.text}")
        return self._integer("sub", self.const(x.type, 0), x)

    def fma(self, a: Value | Number, b: Value | Number, c: Value | Number) -> Value:
        """``a*b + c``, rounded once where the target has FMA hardware, twice where it has not."""
        type_ = max((x for x in (a, b, c) if isinstance(x, Value)), key=lambda x: x.type.lanes).type
        x, y, z = (self.coerce(v, type_) for v in (a, b, c))
        if not (self.target.fma and type_.is_float):
            return x * y + z
        return self.intrinsic("llvm.fma", type_, x, y, z)

    def compare(self, predicate: str, a: Value | Number, b: Value | Number) -> Value:
        """A mask: floats take ``olt une uno …``, integers ``eq ne slt ult …``."""
        x, y = self._pair(a, b)
        op = "fcmp" if x.type.is_float else "icmp"
        return self._emit(x.type.mask(), f"{op} {predicate} {x.type} {x.text}, {y.text}")

    def select(self, mask: Value, a: Value | Number, b: Value | Number) -> Value:
        """`a` where the mask is set, `b` elsewhere (a scalar i1 chooses whole vectors)."""
        x, y = self._pair(a, b)
        return self._emit(
            x.type,
            f"select {mask.type} {mask.text}, {x.type} {x.text}, {y.type} {y.text}",
        )

    # -- conversions and lanes ------------------------------------------------

    def cast(self, op: str, x: Value, to: Type) -> Value:
        """A conversion by its LLVM name: fpext, fptrunc, sitofp, uitofp, sext, zext, trunc …"""
        if x.type is to:
            return x
        return self._emit(to, f"{op} {x.type} {x.text} to {to}")

    def bitcast(self, x: Value, to: Type) -> Value:
        """The same bits read as another type of the same size."""
        return self.cast("bitcast", x, to)

    def extract(self, x: Value, lane: int) -> Value:
        """One lane of a vector."""
        return self._emit(x.type.element, f"extractelement {x.type} {x.text}, i64 {lane}")

    def insert(self, x: Value, lane: int, scalar: Value) -> Value:
        """`x` with one lane replaced."""
        return self._emit(
            x.type,
            f"insertelement {x.type} {x.text}, {scalar.type} {scalar.text}, i64 {lane}",
        )

    def shuffle(self, a: Value, b: Value | None, lanes: Sequence[int]) -> Value:
        """The chosen lanes of `a` followed by `b` (numbers from ``a.lanes`` on mean `b`)."""
        other = "poison" if b is None else b.text
        chosen = ", ".join(f"i32 {i}" for i in lanes)
        return self._emit(
            a.type.vector(len(lanes)),
            f"shufflevector {a.type} {a.text}, {a.type} {other}, <{len(lanes)} x i32> <{chosen}>",
        )

    def fold(self, x: Value, combine: Callable[[Value, Value], Value]) -> Value:
        """All lanes combined by halving (lane i with i + n/2), always in this order."""
        lanes = x.type.lanes
        while lanes > 1:
            lanes //= 2
            low = self.shuffle(x, None, range(lanes))
            high = self.shuffle(x, None, range(lanes, 2 * lanes))
            x = combine(low, high)
        return self.extract(x, 0) if x.type.lanes else x

    # -- memory ---------------------------------------------------------------

    def at(self, pointer: Value, element: Type, index: Value | int) -> Value:
        """The address of element number `index` counted from `pointer`."""
        where = self.index(index) if isinstance(index, int) else index
        if where.number == 0:
            return pointer
        stored = type_of("i", 8) if element.bits == 1 else element.element
        return self._emit(
            PTR, f"getelementptr {stored}, ptr {pointer.text}, {where.type} {where.text}"
        )

    def addresses(self, pointer: Value, element: Type, indices: Value) -> Value:
        """A vector of addresses, one for each lane of `indices`."""
        stored = I8 if element.bits == 1 else element.element
        return self._emit(
            PTR.vector(indices.type.lanes),
            f"getelementptr {stored}, ptr {pointer.text}, {indices.type} {indices.text}",
        )

    def load(self, type_: Type, pointer: Value, align: int = 0, mask: Value | None = None) -> Value:
        """A load; `align` 0 means the element's own size; lanes outside `mask` read as zero."""
        align = align or type_.itemsize
        if mask is None:
            return self._emit(type_, f"load {type_}, ptr {pointer.text}, align {align}")
        name = self.module.declare(
            f"llvm.masked.load.{type_.mangled}.p0", type_, [PTR, I32, mask.type, type_]
        )
        return self._emit(
            type_,
            f"call {type_} @{name}(ptr {pointer.text}, i32 {align}, {mask.type} {mask.text}, "
            f"{type_} zeroinitializer)",
        )

    def store(self, x: Value, pointer: Value, align: int = 0, mask: Value | None = None) -> None:
        """A store; only the lanes inside `mask` are written."""
        align = align or x.type.itemsize
        if mask is not None and isinstance(mask.number, list):
            count = sum(mask.number)
            if count.bit_count() <= 2 and mask.number == [1] * count + [0] * (x.type.lanes - count):
                self._store_pieces(x, pointer, align, count)
                return
        if mask is None:
            line = f"  store {x.type} {x.text}, ptr {pointer.text}, align {align}"
        else:
            name = self.module.declare(
                f"llvm.masked.store.{x.type.mangled}.p0", VOID, [x.type, PTR, I32, mask.type]
            )
            line = (
                f"  call void @{name}({x.type} {x.text}, ptr {pointer.text}, i32 {align}, "
                f"{mask.type} {mask.text})"
            )
        self._lines.append(line)

    def _store_pieces(self, x: Value, pointer: Value, align: int, count: int) -> None:
        """The first lanes in stores of a power of two each: a masked store is slow, and what was
        stored under a mask cannot be forwarded to a load that follows."""
        start = 0
        while start < count:
            lanes = 1 << ((count - start).bit_length() - 1)
            part = (
                self.shuffle(x, None, range(start, start + lanes))
                if lanes > 1
                else (self.extract(x, start))
            )
            self.store(part, self.at(pointer, x.type, start), align)
            start += lanes

    def stack(self, type_: Type, count: int = 1, align: int = 64) -> Value:
        """A stack buffer; use it in the entry block only, and never inside a loop."""
        return self._emit(PTR, f"alloca {type_}, i64 {count}, align {align}")

    # -- calls ----------------------------------------------------------------

    def call(self, callee: Function | str, result: Type, *args: Value) -> Value:
        """A call of a function of this module, or of a declared name."""
        name = callee if isinstance(callee, str) else callee.name
        text = ", ".join(f"{a.type} {a.text}" for a in args)
        if result is VOID:
            self._lines.append(f"  call void @{name}({text})")
            return Value(self, "void", VOID)
        return self._emit(result, f"call {result} @{name}({text})")

    def call_all(self, callee: Function, results: Sequence[Type], *args: Value) -> list[Value]:
        """A call of a function that ends in `ret_all`; its results."""
        if len(results) == 1:
            return [self.call(callee, results[0], *args)]
        together = self.call(callee, callee.result, *args)
        return [
            self._emit(t, f"extractvalue {callee.result} {together.text}, {i}")
            for i, t in enumerate(results)
        ]

    def call_pointer(self, pointer: Value, result: Type, *args: Value) -> Value:
        """A call through a function pointer."""
        text = ", ".join(f"{a.type} {a.text}" for a in args)
        if result is VOID:
            self._lines.append(f"  call void {pointer.text}({text})")
            return Value(self, "void", VOID)
        return self._emit(result, f"call {result} {pointer.text}({text})")

    def symbol(self, name: str) -> Value:
        """The address of a global of this module, or of one that the linker is told of."""
        return Value(self, f"@{self.module.outside(name)}", PTR)

    def intrinsic(
        self, name: str, result: Type, *args: Value, overloads: Sequence[Type] | None = None
    ) -> Value:
        """A call of ``llvm.*``; `overloads` are the types in its name (default: the result)."""
        types = (result,) if overloads is None else overloads
        full = ".".join([name, *(t.mangled for t in types)])
        self.module.declare(full, result, [a.type for a in args])
        return self.call(full, result, *args)
