"""A graph as one line of mathematics, or as a listing where parts are shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassgrad.graph.family import Elementwise
from glassgrad.graph.node import Const, Input, Node
from glassgrad.graph.traverse import consumers, topological_order

Piece = tuple[str, int]  # a text, and how tightly its outermost operator binds
ATOM = 100
LINE = 12  # an expression of up to so many ops is one line

_SILENT = {"broadcast", "cast", "alias"}


def _number(value: Any) -> str:
    """A number as it would be written: 2 for 2.0, and all digits that tell it from others."""
    if value.dtype.kind == "f" and np.isfinite(value) and value == int(value) and abs(value) < 1e16:
        return "-0.0" if value == 0 and np.signbit(value) else str(int(value))
    return str(value.item())


def _const(node: Node) -> Piece:
    assert isinstance(node.op, Const)
    value = node.op.value
    if value.size == 1:
        text = _number(value.reshape(()))
        return text, 14 if text.startswith("-") else ATOM
    if value.ndim == 2 and len(value) > 1 and np.array_equal(value, np.eye(len(value))):
        return f"eye({len(value)})", ATOM
    return f"const{list(value.shape)}" if value.size > 6 else str(value.tolist()), ATOM


def _wrap(piece: Piece, binds: int) -> str:
    text, tightness = piece
    return text if tightness >= binds else f"({text})"


def _elementwise(op: Elementwise, xs: Sequence[Piece]) -> Piece:
    if op.binds >= ATOM:
        return op.form.format(*(text for text, _ in xs)), ATOM
    sides = [_wrap(x, op.binds + _stricter(op, i)) for i, x in enumerate(xs)]
    return op.form.format(*sides), op.binds


def _stricter(op: Elementwise, i: int) -> int:
    """a - (b - c), a/(b*c) and (a**b)**c keep their parentheses; a + b + c and a*b*c need none."""
    if op.name in ("power", "square"):
        return 1 if i == 0 else 0
    return 1 if i == 1 and op.name in ("subtract", "divide") else 0


def _call(name: str, *arguments: str) -> Piece:
    return f"{name}({', '.join(a for a in arguments if a)})", ATOM


def _axes(node: Node) -> str:
    axes = node.op.parameters()[1]
    whole = len(axes) == node.inputs[0].ndim
    return "" if whole else f"axis={axes[0] if len(axes) == 1 else axes}"


def _contract(node: Node, xs: Sequence[Piece]) -> Piece:
    kind = getattr(node.op, "kind", "")
    if kind == "matmul":
        return f"{_wrap(xs[0], 20)} @ {_wrap(xs[1], 21)}", 20
    if kind in ("dot", "outer") and all(x.ndim == 1 for x in node.inputs):
        _, rhs, out = node.op.parameters()
        first, second = reversed(xs) if out and out[:1] == rhs else xs  # (x yᵀ)ᵀ is y xᵀ
        return _call(kind, first[0], second[0])
    spec = repr(node.op).partition("(")[2][:-1]
    return _call("einsum", f'"{spec}"', xs[0][0], xs[1][0])


def _slice(node: Node, xs: Sequence[Piece]) -> Piece:
    starts, steps, lengths = node.op.parameters()
    parts: list[str] = []
    for start, step, length, n in zip(starts, steps, lengths, node.inputs[0].shape):
        if (start, step, length) == (0, 1, n):
            parts.append(":")
        else:
            stop = start + step * length
            end = "" if stop < 0 else str(stop)
            parts.append(f"{start}:{end}" + ("" if step == 1 else f":{step}"))
    return f"{_wrap(xs[0], ATOM)}[{', '.join(parts)}]", ATOM


def _reshape(node: Node, xs: Sequence[Piece]) -> Piece:
    """An index by integers is a slice and a reshape: it prints as the index."""
    x = node.inputs[0]
    if x.name == "slice" and len(x.shape) > len(node.shape) and x.size == node.size:
        starts, _, lengths = x.op.parameters()
        lead = len(x.shape) - len(node.shape)
        if x.shape[lead:] == node.shape and lengths[lead:] == x.inputs[0].shape[lead:]:
            base = xs[0][0].rpartition("[")[0]
            return f"{base}[{', '.join(map(str, starts[:lead]))}]", ATOM
    return _call("reshape", xs[0][0], str(node.shape))


_FORMS: dict[str, Callable[[Node, Sequence[Piece]], Piece]] = {
    "reduce": lambda n, xs: _call(n.op.parameters()[0], xs[0][0], _axes(n)),
    "contract": _contract,
    "slice": _slice,
    "reshape": _reshape,
    "transpose": lambda n, xs: (
        (f"{_wrap(xs[0], ATOM)}.T", ATOM)
        if n.ndim == 2
        else _call("transpose", xs[0][0], str(n.op.parameters()[0]))
    ),
    "item": lambda n, xs: (f"{xs[0][0]}[{n.op.parameters()[0]}]", ATOM),
    "take": lambda n, xs: (f"{_wrap(xs[0], ATOM)}[{', '.join(x for x, _ in xs[1:])}]", ATOM),
}


def _piece(node: Node, known: dict[Node, Piece]) -> Piece:
    if isinstance(node.op, Input):
        return node.trace.root().names.get(node, node.op.label), ATOM
    if isinstance(node.op, Const):
        return _const(node)
    xs = [known[x] for x in node.inputs]
    if node.name in _SILENT:
        return xs[0]
    if isinstance(node.op, Elementwise):
        return _elementwise(node.op, xs)
    form = _FORMS.get(node.name)
    return form(node, xs) if form else _call(node.name, *(text for text, _ in xs))


def text(node: Node) -> str:
    """The node as mathematics: one line, or a listing with a name for each shared part.

    >>> from glassgrad.graph.node import Trace, new_input
    >>> import glassgrad.ops
    >>> a = new_input(Trace(), "a", (), "f8")
    >>> text((a + 1) * 2)
    '(a + 1)*2'
    """
    order = topological_order([node])
    users = consumers(order)
    ops = [n for n in order if n.inputs and n.name not in _SILENT]
    shared = len(ops) > LINE
    known: dict[Node, Piece] = {}
    lines: list[str] = []
    for n in order:
        piece = _piece(n, known)
        if shared and n is not node and n in ops and (len(users[n]) > 1 or len(piece[0]) > 60):
            name = f"t{len(lines) + 1}"
            lines.append(f"{name} = {piece[0]}")
            piece = (name, ATOM)
        known[n] = piece
    return "\n".join([*lines, known[node][0]])
