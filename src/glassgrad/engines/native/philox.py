"""Machine code of the counter-based random words (Philox4x32-10), several blocks at a time."""

from __future__ import annotations

from math import prod

from glassgrad.engines.native.emit import I32, I64, Function, Value
from glassgrad.engines.native.expression import Buffer
from glassgrad.engines.native.nest import Part
from glassgrad.engines.native.step import Draw

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_WORD = 0xFFFFFFFF


def emit_draw(
    f: Function, step: Draw, pointers: dict[Buffer, Value], part: Part | None = None
) -> None:  # fmt: skip
    """Writes the words of a draw, or of a part of it: word i is word i mod 4 of block i div 4."""
    blocks = max(2, f.target.lanes(I32) // 4)
    words, total = 4 * blocks, prod(step.draws)
    key = f.at(pointers[step.key.buffer], I32, step.key.view.offset)
    stride = step.key.view.strides[0]
    wide = I64.vector(blocks)
    keys = [
        f.splat(f.cast("zext", f.load(I32, f.at(key, I32, i * stride)), I64), wide) for i in (0, 1)
    ]
    lanes = f.const(wide, list(range(blocks)))

    def some(i: Value, count: Value | int) -> None:
        numbers = f.splat(f.binary("lshr", i, 2), wide) + lanes
        value = _words(f, numbers, keys, step.stream)
        mask = None if count == words else f.tail_mask(words, count)
        f.store(value, f.at(pointers[step.target], I32, i), mask=mask)

    low, high = f.index(0), f.varying(total)
    if part is not None:
        part.cut([0], [total], 0, words)
        low, high = part.low, part.high
    if high is not None:
        end = f.binary("and", high, -words)
        f.loop(low, end, words, lambda i: some(i, words))
        rest = f.compare("slt", end, high) & f.compare("sle", low, end)
        f.branch(rest, lambda: some(end, high - end))
        return
    whole = total // words * words
    f.loop(0, whole, words, lambda i: some(i, words))
    if total > whole:
        some(f.index(whole), total - whole)


def _words(f: Function, numbers: Value, keys: list[Value], stream: int) -> Value:
    """The words of some blocks, block after block."""
    wide = numbers.type
    word, zero = f.const(wide, _WORD), f.const(wide, 0)
    c = [numbers & word, f.const(wide, stream), numbers >> 32, zero]
    k0, k1 = keys
    for _ in range(10):
        p, q = (x * f.const(wide, m) for x, m in zip((c[0], c[2]), _MULTIPLIERS))
        c = [(q >> 32) ^ c[1] ^ k0, q & word, (p >> 32) ^ c[3] ^ k1, p & word]
        k0, k1 = ((k + f.const(wide, w)) & word for k, w in zip((k0, k1), _WEYL))
    narrow = [f.cast("trunc", x, I32.vector(wide.lanes)) for x in c]
    n = wide.lanes
    low, high = (f.shuffle(narrow[i], narrow[i + 1], range(2 * n)) for i in (0, 2))
    starts = (0, n, 2 * n, 3 * n)
    return f.shuffle(low, high, [start + block for block in range(n) for start in starts])
