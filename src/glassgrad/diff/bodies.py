"""The calculus of ops that hold functions: which rule differentiates which op.

A branch, a call and a rule of one's own become ops of the same kind on differentiated functions, so
every order exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from glassgrad.diff.loop import Pullback, Pushforward, scan_jvp, scan_vjp
from glassgrad.graph.dtype import is_float
from glassgrad.graph.errors import CalculusError
from glassgrad.graph.function import Function
from glassgrad.graph.node import Node, at_site, item, new_input
from glassgrad.graph.op import Op
from glassgrad.ops.loop import Call, Cond, Custom, Scan, While, results_of
from glassgrad.ops.reduce import zeros_like

Given = Sequence[Node | None]


def _reals(nodes: Sequence[Node]) -> list[int]:
    return [i for i, x in enumerate(nodes) if is_float(x.dtype)]


def _or_zero(t: Node | None, x: Node) -> Node:
    return zeros_like(x) if t is None else t


def _like(x: Node, label: str) -> Node:
    return new_input(x.trace, label, x.shape, x.dtype)


def pushed(body: Function, moving: Sequence[int], jvp: Pushforward) -> Function:
    """(*operands, tangents of the moving ones) -> tangents of the real outputs."""
    params, outputs = body.fresh()
    dots = {params[i]: _like(params[i], "t") for i in moving}
    found = jvp(outputs, dots)
    tangents = [_or_zero(found[j], outputs[j]) for j in _reals(outputs)]
    return Function([*params, *dots.values()], tangents)


def pulled(body: Function, moving: Sequence[int], vjp: Pullback) -> Function:
    """(*operands, cotangents of the real outputs) -> cotangents of the moving operands."""
    params, outputs = body.fresh()
    real = _reals(outputs)
    seeds = {j: new_input(params[0].trace, "g", outputs[j].shape, outputs[j].dtype) for j in real}
    wrt = [params[i] for i in moving]
    found = vjp(outputs, [seeds.get(j) for j in range(len(outputs))], wrt)
    cotangents = [_or_zero(g, x) for g, x in zip(found, wrt)]
    return Function([*params, *seeds.values()], cotangents)


def _placed(found: Sequence[Node], at: Sequence[int], count: int) -> list[Node | None]:
    """A list of `count` entries with the found ones at their places."""
    places = dict(zip(at, found))
    return [places.get(i) for i in range(count)]


def _real_results(node: Node) -> list[int]:
    return [i for i, (_, dtype) in enumerate(node.outputs or ()) if is_float(dtype)]


def _seeds(node: Node, gs: Given) -> list[Node]:
    """The cotangents of the real results, zeros where there is none."""
    return [zeros_like(item(node, j)) if (g := gs[j]) is None else g for j in _real_results(node)]


def _apply(
    node: Node, change: Callable[[Function], Function], extra: Sequence[Node], **options: int
) -> list[Node]:
    """The op of the same kind on changed functions, with more operands."""
    bodies = [change(f) for f in node.op.parameters() if isinstance(f, Function)]
    return results_of(type(node.op)(*bodies, **options), *node.inputs, *extra)


def _branch_jvp(node: Node, tangents: Given, jvp: Pushforward) -> list[Node | None]:
    """The same op on the pushforwards of its functions."""
    skip = 1 if isinstance(node.op, Cond) else 0
    moving = [i for i, t in enumerate(tangents) if t is not None and i >= skip]
    extra = [t for i in moving if (t := tangents[i]) is not None]
    inner = [i - skip for i in moving]
    found = _apply(node, lambda f: pushed(f, inner, jvp), extra)
    return _placed(found, _real_results(node), len(node.outputs or ()))


def _branch_vjp(node: Node, gs: Given, vjp: Pullback) -> list[Node | None]:
    """The same op on the pullbacks of its functions."""
    skip = 1 if isinstance(node.op, Cond) else 0
    moving = [i for i in _reals(node.inputs) if i >= skip]
    if not moving:
        return [None] * len(node.inputs)
    inner = [i - skip for i in moving]
    seeds = _seeds(node, gs)
    late = {"late": len(seeds)} if isinstance(node.op, Call) else {}
    found = _apply(node, lambda f: pulled(f, inner, vjp), seeds, **late)
    return _placed(found, moving, len(node.inputs))


def _while_jvp(node: Node, tangents: Given, jvp: Pushforward) -> list[Node | None]:
    """The same loop with the tangents beside the carry."""
    op = node.op
    assert isinstance(op, While)
    c = op.carries
    params, outputs = op.body.fresh()
    moving = _reals(params)
    dots = {i: _like(params[i], "t") for i in moving}
    found = jvp(outputs, {params[i]: t for i, t in dots.items()})
    moved = [_or_zero(found[j], outputs[j]) for j in _reals(outputs)]
    groups = (range(c), range(c, len(params)))
    new_params, operands = [], []
    for group in groups:
        new_params += [params[i] for i in group] + [dots[i] for i in group if i in dots]
        operands += [node.inputs[i] for i in group]
        operands += [_or_zero(tangents[i], node.inputs[i]) for i in group if i in dots]
    test = _with_params(op.test, [new_params.index(p) for p in params], new_params)
    carries = c + sum(i < c for i in dots)
    results = results_of(While(test, Function(new_params, [*outputs, *moved]), carries), *operands)
    return _placed(results[c:], _reals(outputs), c)


def _with_params(body: Function, at: Sequence[int], like: Sequence[Node]) -> Function:
    """The function with more parameters, its own ones standing at the places `at`."""
    own, outputs = body.fresh()
    places = dict(zip(at, own))
    params = [
        places.get(i) or new_input(own[0].trace, "t", p.shape, p.dtype) for i, p in enumerate(like)
    ]
    return Function(params, outputs)


def _while_vjp(node: Node, gs: Given, vjp: Pullback) -> list[Node | None]:
    """None: an error that names the ways out; forward mode runs the tangents beside the carry."""
    raise CalculusError(
        "gg.while_loop has no reverse mode: the number of its steps is not known before it runs, "
        "so the values on the way cannot be kept: use gg.scan with a fixed length, give "
        f"gg.while_loop(..., max_steps=n), or forward mode (gg.jvp){at_site(node)}"
    )


# -- rules of one's own ---------------------------------------------------------------------------


def _custom_jvp(node: Node, tangents: Given, jvp: Pushforward) -> list[Node | None]:
    """The rule that was given, or the transpose of the other one."""
    op = node.op
    assert isinstance(op, Custom)
    from glassgrad.diff.reverse import vjp  # which itself asks this table

    ahead = op.ahead or _transposed(op, vjp)
    moving = _reals(node.inputs[: op.count])
    extra = [_or_zero(tangents[i], node.inputs[i]) for i in moving]
    return _placed(_inlined(node, ahead, extra), _real_results(node), len(node.outputs or ()))


def _custom_vjp(node: Node, gs: Given, vjp: Pullback) -> list[Node | None]:
    """The rule that was given, or the transpose of the other one."""
    op = node.op
    assert isinstance(op, Custom)
    back = op.back or _transposed(op, vjp)
    moving = _reals(node.inputs[: op.count])
    return _placed(_inlined(node, back, _seeds(node, gs)), moving, len(node.inputs))


def _inlined(node: Node, rule: Function, extra: Sequence[Node]) -> list[Node]:
    results = [item(node, i) for i in range(len(node.outputs or ()))]
    return rule.inline([*node.inputs, *results, *extra])


def _transposed(op: Custom, vjp: Pullback) -> Function:
    """The other rule: both are linear in their last parameters, and each other's transposes."""
    rule = op.back or op.ahead
    assert rule is not None
    params, outputs = rule.fresh()
    known = len(op.body.params) + len(op.body.outputs)
    seeds = [_like(y, "g") for y in outputs]
    found = vjp(outputs, seeds, params[known:])
    flipped = [_or_zero(g, x) for g, x in zip(found, params[known:])]
    zero = Function([*params, *seeds], flipped)
    given, _ = zero.fresh()
    blank = [zeros_like(x) for x in given[known : len(params)]]
    results = zero.inline([*given[:known], *blank, *given[len(params) :]])
    return Function([*given[:known], *given[len(params) :]], results)


Rules = tuple[Callable[..., list[Any]], Callable[..., list[Any]]]

BODIES: dict[type[Op], Rules] = {
    Scan: (scan_jvp, scan_vjp),
    Cond: (_branch_jvp, _branch_vjp),
    While: (_while_jvp, _while_vjp),
    Call: (_branch_jvp, _branch_vjp),
    Custom: (_custom_jvp, _custom_vjp),
}
"""For each op that holds functions its rule in forward mode and the one in reverse mode."""
