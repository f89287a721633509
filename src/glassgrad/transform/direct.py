"""Compiled functions as builtins: how machine code takes arguments apart and builds results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from glassgrad.engines.program import Program
from glassgrad.graph.node import Guard, Node
from glassgrad.transform.tree import Tree

if TYPE_CHECKING:
    from glassgrad.engines.native.call import Signature

CONTAINERS = {"tuple": tuple, "list": list, "dict": dict}


def takes(leaves: Sequence[Any]) -> list[str]:
    """What the builtin may take in these places: a Python number is weak, an array is not."""
    kinds = {float: "float", int: "never"}
    return [kinds.get(type(x), "array") for x in leaves if not isinstance(x, bool)]


def direct_call(
    leaves: Sequence[Any], tree: Tree, result: Tree, guards: Sequence[Guard]
) -> tuple[Any, ...] | None:
    """What a builtin must know to take arguments apart itself and to build the result.

    The arguments' and the result's structure, the names of those given by keyword, and what the
    guards must be; None where only Python can do it.
    """
    from glassgrad.engines.native.call import Fixed

    args, kwargs = tree.children
    number = count()
    given = [Fixed(leaf) if isinstance(leaf, bool) else next(number) for leaf in leaves]
    every = iter(given)
    taken, named = _parts(args, every), _parts(kwargs, every)
    outputs = count()
    made = _parts(result, outputs)
    if taken is None or named is None or made is None:
        return None
    bits = (np.asarray(g.value, g.node.dtype).tobytes() for g in guards)
    expected = tuple(zip(outputs, bits))
    return (*taken.children, *named.children), made, kwargs.label, expected


def _parts(tree: Tree, leaves: Iterator[Any]) -> Any:
    """A structure as the builtin knows it; None where only Python can build it."""
    from glassgrad.engines.native.call import Fixed, is_named_tuple, is_record
    from glassgrad.engines.native.call import Tree as CallTree

    if tree.kind == "leaf":
        return next(leaves)
    if tree.kind == "static":
        return Fixed(tree.label.value)
    kind, keys = CONTAINERS.get(tree.kind), ()
    if tree.kind == "dict":
        keys = tree.label
    elif tree.kind == "dataclass":
        kind, keys = tree.label
    elif tree.label is not None:
        kind = tree.label
    known = kind in (tuple, list, dict)
    if kind is None or not (known or is_named_tuple(kind) or is_record(kind, keys)):
        return None
    children = tuple(_parts(child, leaves) for child in tree.children)
    return None if None in children else CallTree(kind, children, keys)


def native_call(
    outputs: Sequence[Node],
    inputs: Sequence[Node],
    call: tuple[Any, ...],
    takes: Sequence[str],
    receiver: Callable[..., Any],
    donated: dict[int, int],
    budget: int | None,
    raw: int,
) -> tuple[Program, Callable[..., Any]]:
    """The program, and its builtin, which gives calls of another signature to the receiver.

    The outputs are not finished, and the first `raw` of them not stable.
    """
    from glassgrad.engines.native.program import NativeProgram

    program = NativeProgram(
        outputs, inputs, signature=signature_of(outputs, inputs, call, takes), receiver=receiver,
        donated=donated, budget=budget, raw=raw,
    )  # fmt: skip
    return program, program.fast


def signature_of(
    outputs: Sequence[Node], inputs: Sequence[Node], call: tuple[Any, ...], takes: Sequence[str]
) -> Signature:
    """All that a builtin knows of its calls."""
    from glassgrad.engines.native.call import ArraySpec, Signature

    return Signature(
        tuple(ArraySpec(n.shape, n.dtype, takes=t) for n, t in zip(inputs, takes)),
        tuple(ArraySpec(n.shape, n.dtype, scalar=n.shape == ()) for n in outputs),
        *call,
    )
