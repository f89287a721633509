"""Mutants: what is changed in a rule, and what the change does to the value that stands there."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glassgrad.diff import reverse
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import Cast, View, cast, full_like, literal
from glassgrad.graph.node import Node
from rule_source import Place, Rule, called, local_names, places, set_at, tree_of

COMMUTE = {
    "add",
    "multiply",
    "equal",
    "not_equal",
    "maximum",
    "minimum",
    "logical_and",
    "logical_or",
}
TIES = {
    "less": "less_equal",
    "less_equal": "less",
    "logical_and": "logical_or",
    "logical_or": "logical_and",
}
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)


class Hook:
    """Stands in the mutated source for an expression, and returns its value changed."""

    def __init__(self) -> None:
        self.kind = ""
        self.literal = False
        self.reached = False
        self.changed = False

    def __call__(self, *values: Any) -> Any:
        self.reached = True
        if len(values) == 2:
            self.changed = True
            left, right = values
            return left if self.kind == "left" else right
        new = _changed(values[0], self.kind, self.literal)
        self.changed = self.changed or new is not values[0]
        return new


def _of_values(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A change of nodes and numbers, taken into lists and tuples; all else stays as it is."""

    def run(v: Any) -> Any:
        if type(v) in (list, tuple) and any(isinstance(x, Node) for x in v):
            new = [run(x) if isinstance(x, Node) else x for x in v]
            return v if all(a is b for a, b in zip(new, v)) else type(v)(new)
        if isinstance(v, bool) or (isinstance(v, int | float) and v != 0):
            return change(v)
        number = isinstance(v, Node) and v.outputs is None and v.dtype.kind in "fb"
        return change(v) if number and v.size and not _is_zero(v) else v

    return run


def _is_zero(v: Node) -> bool:
    """Whether a node is zeros by its form: a zero constant, seen through views."""
    while isinstance(v.op, View):
        v = v.inputs[0]
    return literal(v) == 0


def _is_indicator(v: Any) -> bool:
    return isinstance(v, Node) and isinstance(v.op, Cast) and v.inputs[0].dtype == np.bool_


def _negate(v: Any) -> Any:
    if isinstance(v, bool):
        return not v
    if isinstance(v, Node) and v.dtype == np.bool_:
        return k.logical_not(v)
    return cast(k.logical_not(v.inputs[0]), v.dtype) if _is_indicator(v) else -v


def _times(factor: float) -> Callable[[Any], Any]:
    def change(v: Any) -> Any:
        if isinstance(v, bool) or _is_indicator(v) or (isinstance(v, Node) and v.dtype == np.bool_):
            return v
        return v * factor if isinstance(v, Node | float) or factor == 2 else v / 2

    return change


def _drop(v: Any) -> Any:
    if isinstance(v, bool) or (isinstance(v, Node) and v.dtype == np.bool_):
        return v
    return full_like(v, 0) if isinstance(v, Node) else 0


_CHANGE: dict[str, Callable[[Any], Any]] = {
    "negate": _of_values(_negate),
    "double": _of_values(_times(2)),
    "halve": _of_values(_times(0.5)),
    "drop": _of_values(_drop),
    "none": lambda v: None,
    "true": lambda v: True if isinstance(v, bool) else v,
    "false": lambda v: False if isinstance(v, bool) else v,
}


def _changed(v: Any, kind: str, literal_: bool) -> Any:
    """The value after a change; itself where the change is none."""
    place = type(v) is int and not literal_  # an index or a count, no number
    return v if place else _CHANGE[kind](v)


class Probe:
    """Stands for every value of a rule at once, and finds which changes would change something."""

    KINDS = ("negate", "double", "halve", "drop", "true", "false")

    def __init__(self) -> None:
        self.effects: dict[int, set[str]] = {}

    def __call__(self, site: int, literal_: bool, value: Any) -> Any:
        known = self.effects.setdefault(site, set())
        for kind in self.KINDS:
            if kind not in known and _changed(value, kind, literal_) is not value:
                known.add(kind)
        return value


# -- where it stands ---------------------------------------------------------------------------


class Mutant(NamedTuple):
    """A change at one place: `put` makes it in the tree, `undo` takes it back."""

    rule: Rule
    kind: str
    line: int
    text: str
    literal: bool
    site: int
    put: Callable[[], None]
    undo: Callable[[], None]

    def __str__(self) -> str:
        file = Path(self.rule.function.__code__.co_filename).name
        return f"{file}:{self.line} {self.rule.label}: {self.kind} `{self.text}`"


def mutants(rule: Rule) -> Iterator[Mutant]:
    """Every mutant of a rule."""
    _, root = tree_of(rule.function)
    looked_at = _only_looked_at(root)
    for place, node in list(places(root)):
        if node in looked_at:
            continue
        for kind, new in _changes(rule, place, node):
            line = getattr(node, "lineno", 0)
            put = _putter(place, new)
            text, fixed = ast.unparse(node)[:70], isinstance(node, ast.Constant)
            yield Mutant(rule, kind, line, text, fixed, id(node), put, _putter(place, node))


LOOKS = {"shape", "dtype", "ndim", "size", "trace", "op", "name", "inputs", "outputs"}


def _only_looked_at(root: Any) -> list[ast.AST]:
    """Values given to a name that is asked only for what no factor changes: shape, trace …"""
    assigned = [
        (n.targets[0].id, n.value)
        for n in ast.walk(root)
        if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
    ]
    bases = {
        id(n.value) for n in ast.walk(root) if isinstance(n, ast.Attribute) and n.attr in LOOKS
    }
    loads = [n for n in ast.walk(root) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    return [value for name, value in assigned if all(id(n) in bases for n in loads if n.id == name)]


def _putter(place: Place, node: ast.AST) -> Callable[[], None]:
    return lambda: set_at(place, node)


def _changes(rule: Rule, place: Place, node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    parent = place[0]
    if isinstance(node, ast.Expr | ast.AugAssign):
        yield "leave out", ast.copy_location(ast.Pass(), node)
    if not isinstance(node, ast.expr):
        return
    if is_value(rule, place, node):
        elementwise = rule.label.endswith((".partials", ".route"))
        invariant = _invariance(place)
        for kind in ("negate", "double", "drop", *["halve"] * elementwise):
            if kind not in invariant:
                yield kind, called("__mutant__", [node], node)
        if rule.function.__module__ == reverse.__name__ and not isinstance(node, ast.Constant):
            for kind in ("true", "false"):
                yield kind, called("__mutant__", [node], node)
    holds = isinstance(parent, ast.Tuple | ast.List | ast.Return | ast.Lambda)
    gives = rule.label.endswith(("vjp", "jvp", "partials", "route"))
    if holds and gives and not _is_none(node):
        yield "none", called("__mutant__", [node], node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ARITHMETIC):
        yield from _arithmetic(node)
    if isinstance(node, ast.Call):
        yield from _calls(node)


def _is_none(node: ast.AST) -> bool:
    if isinstance(node, ast.Tuple | ast.List):
        return all(_is_none(x) for x in node.elts)
    return isinstance(node, ast.Constant) and node.value is None


def _invariance(place: Place) -> tuple[str, ...]:
    """The changes of an operand that its consumer cannot see: x == 0 is 2x == 0 is -x == 0."""
    call = place[0]
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return ()
    against_zero = any(isinstance(x, ast.Constant) and x.value == 0 for x in call.args)
    if call.func.attr == "isfinite" or (against_zero and call.func.attr in ("equal", "not_equal")):
        return ("negate", "double", "halve")
    if against_zero and call.func.attr in ("less", "less_equal"):
        return ("double", "halve")
    return ("negate",) if call.func.attr == "abs" else ()


def is_value(rule: Rule, place: Place, node: ast.expr) -> bool:
    """Whether an expression may stand for a number, a node, or a truth value."""
    parent, field, _ = place
    if (isinstance(parent, ast.Call) and field == "func") or isinstance(
        parent, ast.Attribute | ast.Starred
    ):
        return False
    if isinstance(parent, ast.Subscript | ast.Compare):
        return False
    if isinstance(node, ast.Name):
        return (
            node.id in local_names(rule.function)
            and isinstance(node.ctx, ast.Load)
            and node.id != "k"
        )
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float)
    return isinstance(node, ast.Call | ast.BinOp | ast.UnaryOp | ast.Subscript | ast.BoolOp)


def _arithmetic(node: ast.BinOp) -> Iterator[tuple[str, ast.AST]]:
    yield "left", called("__mutant__", [node.left, node.right], node)
    yield "right", called("__mutant__", [node.left, node.right], node)
    if isinstance(node.op, ast.Sub | ast.Div):
        yield "swap", ast.copy_location(ast.BinOp(node.right, node.op, node.left), node)


def _calls(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    in_algebra = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "k"
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    if in_algebra and name in TIES:
        renamed = ast.Attribute(node.func.value, TIES[name], ast.Load())  # pyright: ignore
        new = ast.copy_location(ast.Call(renamed, node.args, node.keywords), node)
        yield f"{TIES[name]} for", ast.fix_missing_locations(new)
    if in_algebra and len(node.args) == 1:
        yield "argument of", node.args[0]
    if name == "apply":  # REGISTRY["equal"].apply(x, y)
        name = ast.unparse(node.func).split("'")[1] if "'" in ast.unparse(node.func) else name
    if name in COMMUTE or hasattr(builtins, name):
        return
    for i in range(len(node.args) - 1):
        a, b = node.args[i : i + 2]
        if not _equal(a, b) and not any(isinstance(x, ast.Starred) for x in (a, b)):
            args = [*node.args[:i], b, a, *node.args[i + 2 :]]
            yield "swap in", ast.copy_location(ast.Call(node.func, args, node.keywords), node)


def _equal(a: ast.AST, b: ast.AST) -> bool:
    """Whether two operands are the same text, or constants that are equal, as 0 and False are."""
    if isinstance(a, ast.Constant) and isinstance(b, ast.Constant):
        return a.value == b.value
    return ast.dump(a) == ast.dump(b)
