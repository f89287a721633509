"""The algebra of machine code: the functions of scalar bodies, as vector instructions.

`LLVMAlgebra` computes on `Lanes`. Every operation is remembered for as long as its block lasts, so
that a value that is asked for twice (the exp that tanh and its derivative share) is computed once.

Signed zeros: to `maximum` and `minimum` +0 and -0 are equal, and either may come out (as in NumPy);
everything else follows IEEE and C.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassgrad.engines.integer_division import Fault
from glassgrad.engines.native import (
    math_erf,
    math_exp,
    math_log,
    math_power,
    math_round,
    math_tanh,
    math_trig,
)
from glassgrad.engines.native.emit import I32, Function, Type, Value, of_dtype
from glassgrad.engines.native.faults import bit_of
from glassgrad.engines.native.lanes import Lanes, Operand
from glassgrad.engines.native.math_format import FORMATS, Format
from glassgrad.engines.native.math_normal import NormalDistribution
from glassgrad.engines.native.math_tanh import SoftGates
from glassgrad.engines.native.outline import Rule, results
from glassgrad.engines.native.whole_division import WholeDivision
from glassgrad.graph.algebra import Algebra
from glassgrad.graph.dtype import BOOL, DType
from glassgrad.graph.node import Node
from glassgrad.ops.division import may_fault


class LLVMAlgebra(WholeDivision, NormalDistribution, SoftGates, Algebra):
    """Functions on `Lanes`, emitted into the current block of a function.

    >>> from glassgrad.engines.native.emit import F32, VOID, Module
    >>> from glassgrad.engines.native.target import Target
    >>> f = Module(Target.baseline()).function("f", VOID, [F32.vector(4)])
    >>> k = LLVMAlgebra(f)
    >>> x = k.wrap(f.params[0], np.float32)
    >>> k.exp(-k.abs(x)) is k.exp(-k.abs(x))
    True
    """

    def __init__(self, function: Function, status: Value | None = None) -> None:
        self.function, self.status = function, status
        self.mask: Value | None = None  # the lanes that count
        self.node: Node | None = None  # whose values are computed, if there may be faults to tell
        self.fused = function.target.fma
        self._memo: dict[Any, Any] = {}
        self._negated: dict[str, Lanes] = {}
        self._sizes: set[str] = set()
        self._block = function.block

    # -- values and memory of what was computed ---------------------------------------------

    def wrap(self, value: Value, dtype: Any) -> Lanes:
        """An emitted value as a value of this algebra (a boolean must be an i1 mask)."""
        return Lanes(self, value, np.dtype(dtype))

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gave for this key before in this block, else what it gives now."""
        if self.function.block != self._block:
            self._memo.clear()
            self._block = self.function.block
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    def shared(self, name: str, x: Lanes, rule: Callable[[LLVMAlgebra, Lanes], Lanes]) -> Lanes:
        """`rule(self, x)`, computed once for the value `x`."""
        return self.once((name, x.dtype, x.value.type, x.value.text), lambda: rule(self, x))

    def costly(self, name: str, rule: Rule, *operands: Lanes) -> list[Lanes]:
        """`rule(self, *operands)`, once for these values, by a call where there are many uses."""
        key = (name, *((x.dtype, x.value.type, x.value.text) for x in operands))
        return self.once(key, lambda: results(self, name, rule, operands))

    def _emit(self, name: str, dtype: DType, make: Callable[..., Value], *operands: Value) -> Lanes:
        key = (name, dtype, *((v.type, v.text) for v in operands))
        return self.once(key, lambda: Lanes(self, make(*operands), dtype))

    def lift(self, x: Operand, like: Lanes) -> Lanes:
        """A Python number as lanes of the same type as `like`; lanes as they are."""
        if isinstance(x, Lanes):
            return x
        return Lanes(self, self.function.const(like.value.type, x), like.dtype)

    def _lifted(self, *operands: Operand) -> list[Lanes]:
        like = next((x for x in operands if isinstance(x, Lanes)), None)
        if like is None:
            raise TypeError("an operation of the algebra needs a value among its operands")
        return [self.lift(x, like) for x in operands]

    def format(self, x: Lanes) -> Format:
        """The floating-point format of `x`."""
        return FORMATS[x.dtype]

    def rarely(
        self, mask: Lanes, slow: Callable[[], Sequence[Lanes]], fast: Sequence[Lanes]
    ) -> list[Lanes]:
        """`slow()` if any lane of the mask is set, else `fast`: a jump that is seldom taken."""
        self.once(None, lambda: None)
        before, like = dict(self._memo), list(fast)
        found = self.function.branch(
            self._any(mask.value),
            lambda: [x.value for x in slow()],
            lambda: [x.value for x in like],
        )
        # what stood before the jump still holds after the join
        self._memo, self._block = before, self.function.block
        return [Lanes(self, v, x.dtype) for v, x in zip(found, like)]

    def fault(self, kind: str, bad: Callable[[], Lanes]) -> None:
        """Says in the status that a division goes wrong in a lane of a mask, if it may."""
        if self.node is None or kind not in may_fault(self.node):
            return
        f, status, found = self.function, self.status, bad().value
        assert status is not None, "a division whose faults are told has a status"
        bit = bit_of(f.module.faults, Fault(self.node, kind))

        def note() -> list[Lanes]:
            f.store(f.load(I32, status) | bit, status)
            return []

        self.rarely(self.wrap(self._counting(found), BOOL), note, [])

    def report(self, bad: Value) -> None:
        """Says in the status that a lane of a mask is refused, if it is one that counts."""
        f, status = self.function, self.status
        assert status is not None, "a step that may fail has a status"
        bad = self._counting(bad)
        f.store(f.load(I32, status) | f.cast("zext", self._any(bad), I32), status)

    def _counting(self, mask: Value) -> Value:
        """A mask without the lanes that do not count."""
        return mask & self.mask if self.mask is not None and mask.type.lanes else mask

    def _any(self, mask: Value) -> Value:
        if not mask.type.lanes:
            return mask
        result = mask.type.element
        return self.function.intrinsic("llvm.vector.reduce.or", result, mask, overloads=[mask.type])

    # -- arithmetic ---------------------------------------------------------------------------

    def _arithmetic(self, name: str, x: Operand, y: Operand) -> Lanes:
        a, b = self._lifted(x, y)
        if a.dtype == BOOL:
            return self.integer({"add": "or", "mul": "and"}[name], a, b)
        f = self.function
        return self._emit(name, a.dtype, lambda p, q: f.arithmetic(name, p, q), a.value, b.value)

    def add(self, x: Operand, y: Operand) -> Lanes:
        """x + y."""
        return self._arithmetic("add", x, y)

    def subtract(self, x: Operand, y: Operand) -> Lanes:
        """x - y."""
        return self._arithmetic("sub", x, y)

    def multiply(self, x: Operand, y: Operand) -> Lanes:
        """x * y."""
        return self._arithmetic("mul", x, y)

    def divide(self, x: Operand, y: Operand) -> Lanes:
        """x / y, of floats."""
        return self._arithmetic("div", x, y)

    def negative(self, x: Lanes) -> Lanes:
        """-x."""
        found = self._emit("neg", x.dtype, self.function.negate, x.value)
        self._negated[found.value.text] = x
        return found

    def fma(self, x: Operand, y: Operand, z: Operand) -> Lanes:
        """x*y + z: rounded once where the target has FMA hardware (`fused`), else twice."""
        a, b, c = self._lifted(x, y, z)
        return self._emit("fma", a.dtype, self.function.fma, a.value, b.value, c.value)

    def horner(self, x: Lanes, coefficients: Sequence[float]) -> Lanes:
        """The polynomial with these coefficients, lowest power first."""
        total: Operand = coefficients[-1]
        for c in reversed(coefficients[:-1]):
            total = self.fma(total, x, c)
        return self.lift(total, x)

    def integer(self, op: str, x: Operand, y: Operand) -> Lanes:
        """An integer or mask instruction by its LLVM name."""
        a, b = self._lifted(x, y)
        f = self.function
        return self._emit(op, a.dtype, lambda p, q: f.binary(op, p, q), a.value, b.value)

    def _intrinsic(self, name: str, x: Lanes, *rest: Lanes) -> Lanes:
        values = [x.value, *(r.value for r in rest)]
        f = self.function
        return self._emit(name, x.dtype, lambda *v: f.intrinsic(name, x.value.type, *v), *values)

    # -- bits -----------------------------------------------------------------------------------

    def bits(self, x: Lanes) -> Lanes:
        """The bit patterns of floats, as signed integers."""
        return self.convert("bitcast", x, self.format(x).integer)

    def floats(self, i: Lanes) -> Lanes:
        """The floats with these bit patterns."""
        dtype = np.dtype(f"f{i.dtype.itemsize}")
        return self.convert("bitcast", i, dtype)

    def convert(self, op: str, x: Lanes, dtype: Any) -> Lanes:
        """A conversion by its LLVM name, to the machine type of `dtype`."""
        to = self.type(dtype, x)
        f = self.function
        return self._emit(op, np.dtype(dtype), lambda v: f.cast(op, v, to), x.value)

    def type(self, dtype: Any, like: Lanes) -> Type:
        """The machine type of `dtype` with as many lanes as `like` (a mask for bool)."""
        lanes = like.value.type.lanes
        return like.value.type.mask() if dtype == BOOL else of_dtype(dtype).vector(lanes)

    # -- comparisons and choices ----------------------------------------------------------------

    def compare(self, predicate: str, x: Operand, y: Operand) -> Lanes:
        """A mask by LLVM's predicate: ``olt``, ``une``, ``slt``, ``ult`` …"""
        a, b = self._lifted(x, y)
        f = self.function
        return self._emit(
            predicate, BOOL, lambda p, q: f.compare(predicate, p, q), a.value, b.value
        )

    def _ordered(self, word: str, x: Operand, y: Operand) -> Lanes:
        a, b = self._lifted(x, y)
        return self.compare({"f": "o", "i": "s"}.get(a.dtype.kind, "u") + word, a, b)

    def less(self, x: Operand, y: Operand) -> Lanes:
        """x < y; false where either is NaN."""
        return self._ordered("lt", x, y)

    def less_equal(self, x: Operand, y: Operand) -> Lanes:
        """x <= y; false where either is NaN."""
        return self._ordered("le", x, y)

    def equal(self, x: Operand, y: Operand) -> Lanes:
        """x == y; false where either is NaN."""
        a, b = self._lifted(x, y)
        return self.compare("oeq" if a.dtype.kind == "f" else "eq", a, b)

    def not_equal(self, x: Operand, y: Operand) -> Lanes:
        """x != y; true where either is NaN."""
        a, b = self._lifted(x, y)
        return self.compare("une" if a.dtype.kind == "f" else "ne", a, b)

    def isfinite(self, x: Lanes) -> Lanes:
        """Neither infinite nor NaN."""
        if x.dtype.kind != "f":
            return self.equal(x, x)
        return self.less(self.abs(x), float("inf"))

    def isnan(self, x: Lanes) -> Lanes:
        """Not a number."""
        return self.compare("uno" if x.dtype.kind == "f" else "ne", x, x)

    def where(self, condition: Lanes, x: Operand, y: Operand) -> Lanes:
        """x where the condition holds, y elsewhere."""
        a, b = self._lifted(x, y)
        if a.value.text == b.value.text:
            return a
        values = (condition.value, a.value, b.value)
        return self._emit("select", a.dtype, self.function.select, *values)

    def logical_and(self, x: Operand, y: Operand) -> Lanes:
        """Both."""
        return self.integer("and", x, y)

    def logical_or(self, x: Operand, y: Operand) -> Lanes:
        """Either."""
        return self.integer("or", x, y)

    def logical_not(self, x: Lanes) -> Lanes:
        """The other truth value."""
        return self.integer("xor", x, 1)

    def maximum(self, x: Operand, y: Operand) -> Lanes:
        """The larger; NaN where either is NaN."""
        return self._extreme("gt", x, y)

    def minimum(self, x: Operand, y: Operand) -> Lanes:
        """The smaller; NaN where either is NaN."""
        return self._extreme("lt", x, y)

    def _extreme(self, word: str, x: Operand, y: Operand) -> Lanes:
        a, b = self._lifted(x, y)
        if isinstance(a.value.number, int | float):
            a, b = b, a
        chosen = self.where(self._ordered(word, b, a), b, a)  # a where either is NaN
        known = b.value.number
        if a.dtype.kind != "f" or (isinstance(known, int | float) and known == known):
            return chosen
        return self.where(self.isnan(b), b, chosen)

    # -- functions ------------------------------------------------------------------------------

    def abs(self, x: Lanes) -> Lanes:
        """|x|; of the most negative integer, itself."""
        if x.dtype.kind == "f":  # |-x| is |x|, and so is whatever is computed from it
            found = self._intrinsic("llvm.fabs", self._negated.get(x.value.text, x))
            self._sizes.add(found.value.text)
            return found
        return x if x.dtype.kind in "ub" else self.where(self.less(x, 0), -x, x)

    def is_minus_a_size(self, x: Lanes) -> bool:
        """Whether it is known that x is -|y| of some y."""
        size = self._negated.get(x.value.text)
        return size is not None and size.value.text in self._sizes

    def sign(self, x: Lanes) -> Lanes:
        """-1, 0 (also of -0.0) or 1; NaN of NaN."""
        if x.dtype.kind in "ub":
            return self.where(self.equal(x, 0), x, 1)
        rest = self.where(self.equal(x, 0), 0, x) if x.dtype.kind == "f" else x
        return self.where(self.less(0, x), 1, self.where(self.less(x, 0), -1, rest))

    def copysign(self, x: Lanes, sign: Lanes) -> Lanes:
        """|x| with the sign bit of `sign`."""
        return self._intrinsic("llvm.copysign", x, sign)

    def sqrt(self, x: Lanes) -> Lanes:
        """The square root, correctly rounded."""
        return self._intrinsic("llvm.sqrt", x)

    def floor(self, x: Lanes) -> Lanes:
        """The largest integer not above x."""
        if x.dtype.kind != "f":
            return x
        # without FMA there may be no rounding instruction either, and llvm.floor would be a call
        return self._intrinsic("llvm.floor", x) if self.fused else math_round.floor(self, x)

    def exp(self, x: Lanes) -> Lanes:
        """e to the x."""
        return self.costly("exp", lambda k, x: [math_exp.exp(k, x)], x)[0]

    def expm1(self, x: Lanes) -> Lanes:
        """e to the x, less 1."""
        return self.costly("expm1", lambda k, x: [math_exp.expm1(k, x)], x)[0]

    def log(self, x: Lanes) -> Lanes:
        """The natural logarithm."""
        return self.costly("log", lambda k, x: [math_log.log(k, x)], x)[0]

    def log1p(self, x: Lanes) -> Lanes:
        """The natural logarithm of 1 + x."""
        return self.costly("log1p", lambda k, x: [math_log.log1p(k, x)], x)[0]

    def sin(self, x: Lanes) -> Lanes:
        """The sine of radians."""
        return self.costly("circle", math_trig.sine_and_cosine, x)[0]

    def cos(self, x: Lanes) -> Lanes:
        """The cosine of radians."""
        return self.costly("circle", math_trig.sine_and_cosine, x)[1]

    def tanh(self, x: Lanes) -> Lanes:
        """The hyperbolic tangent; shares exp(-2|x|) with its derivative."""
        return self.shared("tanh", x, math_tanh.tanh)

    def sigmoid(self, x: Lanes) -> Lanes:
        """1/(1 + exp(-x)); shares exp(-|x|) with its derivative."""
        return self.shared("sigmoid", x, math_tanh.sigmoid)

    def erf(self, x: Lanes) -> Lanes:
        """The error function."""
        return self.costly("erf", lambda k, x: [math_erf.erf(k, x)], x)[0]

    def power(self, x: Operand, y: Operand) -> Lanes:
        """x to the y, with the special cases of C's pow; integers wrap.

        NumPy refuses integers to negative powers: where there is a status it says so.
        """
        a, b = self._lifted(x, y)
        known = isinstance(b.value.number, int) and b.value.number >= 0
        if a.dtype.kind == "i" and self.status is not None and not known:
            self.report(self.less(b, 0).value)
        rule = math_power.power if a.dtype.kind == "f" else math_power.integer_power
        return self.costly("power", lambda k, x, y: [rule(k, x, y)], a, b)[0]


__all__ = ["LLVMAlgebra", "Lanes", "Operand"]
