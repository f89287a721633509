"""The sum of the terms of a cotangent.

A loop that reads x[0], x[1], … gives a term for each read: the cotangent of one row among zeros. To
add n of these one by one would cost n²; rows that do not overlap are put side by side instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from glassgrad.graph.family import full_like
from glassgrad.graph.node import Node
from glassgrad.ops.view import Place, concatenate, rows

FEW = 3  # up to so many placements are added as they are


def total(terms: Sequence[Node]) -> Node:
    """The sum of the terms, in order; many placements of rows are joined first."""
    placed = [t for t in terms if _is_rows(t)]
    if len(placed) > FEW:
        joined = set(placed)
        terms = [t for t in terms if t not in joined] + _side_by_side(placed)
    found = terms[0]
    for term in terms[1:]:
        found = found + term
    return found


def _is_rows(term: Node) -> bool:
    """Whether a term is a block of whole rows among zeros."""
    op = term.op
    if not isinstance(op, Place) or not op.shape:
        return False
    whole = term.inputs[0].shape[1:] == op.shape[1:] and not any(op.starts[1:])
    return (
        whole
        and all(s == 1 for s in op.steps[1:])
        and (op.steps[0] == 1 or term.inputs[0].shape[0] == 1)
    )


def _side_by_side(placed: Sequence[Node]) -> list[Node]:
    """The same sum in as few terms as the overlaps allow."""
    blocks: dict[tuple[int, int], Node] = {}
    for term in placed:
        assert isinstance(term.op, Place)
        block = term.inputs[0]
        key = (term.op.starts[0], block.shape[0])
        blocks[key] = blocks[key] + block if key in blocks else block
    layers: list[list[tuple[int, Node]]] = []
    for (start, length), block in sorted(blocks.items(), key=lambda entry: entry[0]):
        if not length:
            continue
        for layer in layers:
            end, last = layer[-1]
            if end + last.shape[0] <= start:
                layer.append((start, block))
                break
        else:
            layers.append([(start, block)])
    like = placed[0]
    return [_join(layer, like) for layer in layers] or [placed[0]]


def _join(layer: Sequence[tuple[int, Node]], like: Node) -> Node:
    zeros = full_like(like, 0)
    parts: list[Node] = []
    at = 0
    for start, block in layer:
        if start > at:
            parts.append(rows(zeros, at, start))
        parts.append(block)
        at = start + block.shape[0]
    if at < like.shape[0]:
        parts.append(rows(zeros, at, like.shape[0]))
    return concatenate(parts)
