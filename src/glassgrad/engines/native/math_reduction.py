"""The exact remainder of any number by pi/2, for large arguments of sin and cos.

Payne and Hanek: the digits of 2/pi that a multiple of 4 comes from do not matter, so from a long
table only the 192 bits that count for the exponent at hand are taken, and multiplied with the
significand in integers. One scalar function a module; lanes call it one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glassgrad.engines.native.emit import F64, I8, I32, I64, PTR, Function, Module, Value, type_of
from glassgrad.engines.native.math_double import Pair, exact_sum, ordered_sum, product
from glassgrad.graph.dtype import FLOAT32, FLOAT64, INT64

if TYPE_CHECKING:
    from glassgrad.engines.native.algebra import Lanes, LLVMAlgebra

TABLE_BITS = 1168
TWO_OVER_PI = int(
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492e"
    "ea09d1921cfe1deb1cb129a73ee88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9"
    "283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d7527bac7ebe5f17b3d"
    "0739f78a5292ea6bfb5fb11f8d5d085603",
    16,
)
"""2/pi in fixed point, TABLE_BITS bits after the point."""

FRACTION = 190  # bits after the point of the product; two before it are q modulo 4
I192, I256 = type_of("i", 192), type_of("i", 256)
RESULT = F64.vector(4)
HALF_PI = (1.5707963267948966, 6.123233995736766e-17)


def reduce_exactly(k: LLVMAlgebra, x: Lanes, large: Lanes, quick: Sequence[Lanes]) -> list[Lanes]:
    """q (an integer), r and its low part for the lanes that are large, `quick` for the others."""
    f, vector = k.function, x.value.type
    callee = _remainder(f.module)
    quarter, high, low = (v.value for v in quick)
    for lane in range(max(vector.lanes, 1)):
        one = f.extract(x.value, lane) if vector.lanes else x.value
        found = f.call(callee, RESULT, f.cast("fpext", one, F64) if one.type is not F64 else one)
        q, r, rest = _narrowed(k, found, one.type.bits)
        quarter = _put(f, quarter, lane, q)
        high, low = _put(f, high, lane, r), _put(f, low, lane, rest)
    finite = k.isfinite(x)
    fresh = [k.wrap(v, old.dtype) for v, old in zip((quarter, high, low), quick)]
    fresh[1] = k.where(finite, fresh[1], float("nan"))
    return [k.where(large, new, old) for new, old in zip(fresh, quick)]


def _put(f: Function, vector: Value, lane: int, scalar: Value) -> Value:
    return f.insert(vector, lane, scalar) if vector.type.lanes else scalar


def _narrowed(k: LLVMAlgebra, found: Value, bits: int) -> tuple[Value, Value, Value]:
    """The three numbers of a `RESULT`, as integer and floats of that many bits."""
    f = k.function
    q, high, low = (k.wrap(f.extract(found, i), FLOAT64) for i in range(3))
    if bits == 64:
        return f.cast("fptosi", q.value, I64), high.value, low.value
    near = k.convert("fptrunc", high, FLOAT32)
    rest = (high - k.convert("fpext", near, FLOAT64)) + low
    return f.cast("fptosi", q.value, I32), near.value, k.convert("fptrunc", rest, FLOAT32).value


def _remainder(module: Module) -> Function:
    """The scalar function of this module: double -> (q modulo 4, high, low, 0)."""
    name = "glassgrad_remainder"
    if name not in module.functions:
        f = module.function(name, RESULT, [F64], linkage="internal")
        _emit_remainder(f, module.data(TWO_OVER_PI.to_bytes(160, "little")))
    return module.functions[name]


def _emit_remainder(f: Function, table: str) -> None:
    from glassgrad.engines.native.algebra import LLVMAlgebra

    k = LLVMAlgebra(f)
    x = k.wrap(f.params[0], FLOAT64)
    pattern = k.bits(k.abs(x))
    significand = (pattern & ((1 << 52) - 1)) | (1 << 52)
    # x = significand * 2**exponent; small ones are not used and stay inside the table
    exponent = k.maximum(pattern >> 52, 1075 - 64) - 1075
    start = k.lift(TABLE_BITS - FRACTION, exponent) - exponent
    where = f.at(Value(f, f"@{table}", PTR), I8, (start >> 3).value)
    window = f.load(I256, where, align=1) >> f.cast("zext", (start & 7).value, I256)
    digits = f.cast("trunc", window, I192) * f.cast("zext", significand.value, I192)
    rounded = digits + (1 << (FRACTION - 1))
    signed = (rounded & ((1 << FRACTION) - 1)) - (1 << (FRACTION - 1))
    negative = k.wrap(f.compare("slt", signed, 0), np.bool_)
    size = f.select(negative.value, -signed, signed)
    turned = product(k, _float_pair(k, size), Pair(*(k.lift(c, x) for c in HALF_PI)))
    r = ordered_sum(k, turned.high, turned.low)
    quarter = k.wrap(f.cast("trunc", rounded >> FRACTION, I64), INT64)
    # of a negative x everything changes its sign
    flipped = k.less(x, 0)
    turn = k.integer("xor", flipped, negative)
    q = k.convert("sitofp", k.where(flipped, -quarter, quarter), FLOAT64)
    result = f.const(RESULT, 0.0)
    for i, v in enumerate((q, k.where(turn, -r.high, r.high), k.where(turn, -r.low, r.low))):
        result = f.insert(result, i, v.value)
    f.ret(result)


def _float_pair(k: LLVMAlgebra, size: Value) -> Pair:
    """A fixed-point number with FRACTION bits after the point, read 32 bits at a time."""
    f = k.function
    parts = []
    for low in (160, 128, 96, 64, 32):
        digits = f.cast("trunc", size >> low, I32)
        number = k.wrap(f.cast("zext", digits, I64), INT64)
        parts.append(k.convert("sitofp", number, FLOAT64) * 2.0 ** (low - FRACTION))
    first = ordered_sum(k, parts[0], parts[1])
    second = exact_sum(k, first.high, parts[2])
    third = exact_sum(k, second.high, parts[3])
    return ordered_sum(k, third.high, third.low + second.low + first.low + parts[4])
