"""Break every derivative rule in every small way, and count the mutants that the oracle kills.

    python benchmarks/mutate_rules.py [--only NAME] [--list]

A mutant is one change in the source of one rule: an expression's sign turned, doubled, halved or
dropped, a summand or factor left out, operands swapped, a question reversed or its tie changed, a
statement left out. It is compiled and put in the place of the rule, in this process, while the
oracle's checks run as functions; the first check of values that fails kills it. What gives the
right values by another formula (an even function of -x) is caught by the checks of how derivatives
read, and counted apart. Exit code 1 if a mutant survives both.

Changes that change nothing are recognised as they run, not by a list: a change of sign or factor of
a value that is no number, or is zero by its form, is the same rule; operands of ops that commute
are not swapped, and what a question of zero or of finiteness cannot see is not changed; a factor on
an indicator (a truth value as 0 or 1) is none, its question is reversed instead. A rule that
returns the very same nodes in every call, such as one that only looks at the shape of what was
changed, is the same rule. A change in code that no check reaches counts as a survivor.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import dis
import signal
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import numpy as np

from glassgrad.diff import finite, forward, loop, reverse, total
from glassgrad.graph import family
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import Cast, Elementwise, cast, full_like, literal
from glassgrad.graph.node import Const, Node
from glassgrad.graph.op import REGISTRY
from oracle.checks import Check, all_checks, all_forms

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
SECONDS = 60  # a mutant that runs longer is killed

# -- which rules ------------------------------------------------------------------------------


class Rule(NamedTuple):
    """A function that is part of a derivative rule, and the ops that it is about."""

    label: str
    function: types.FunctionType
    ops: frozenset[str]


def rules() -> list[Rule]:
    """Rules of elementwise ops, VJP and JVP of structural ones, loops, both modes; with their
    helpers.
    """
    found: dict[types.FunctionType, tuple[str, set[str]]] = {}
    for name, op in REGISTRY.items():
        if isinstance(op, Elementwise) and op.result == "bool":
            continue  # a question carries no derivative
        if isinstance(op, Elementwise):
            for part in ("partials", "route"):
                if (function := getattr(op, part)) is not None:
                    _reach(function, f"{name}.{part}", name, found)
        else:
            for part in ("vjp", "jvp"):
                if part in op.__dict__:
                    _reach(op.__dict__[part], f"{name}.{part}", name, found, op)
    _reach(family.Linear.jvp, "linear.jvp", "reshape", found)
    for function in (family.scaled, Elementwise.local, Elementwise.routed):
        _reach(function, function.__qualname__, "", found)
    for module in (loop, forward, reverse, total):
        for function in _functions_of(module):
            _reach(function, function.__qualname__, "scan" if module is loop else "", found)
    return [Rule(label, f, frozenset(ops)) for f, (label, ops) in found.items()]


def _functions_of(module: types.ModuleType) -> Iterator[types.FunctionType]:
    for value in vars(module).values():
        own = getattr(value, "__module__", None) == module.__name__
        if own and isinstance(value, types.FunctionType):
            yield value
        elif own and isinstance(value, type) and value is not reverse.Term:
            yield from (v for v in vars(value).values() if isinstance(v, types.FunctionType))


def _reach(function: Any, label: str, op: str, found: dict[Any, Any], owner: Any = None) -> None:
    """Enter a function, and what it calls of its own class, and of private functions beside it.

    Public functions of `ops` build graphs for anyone, and are tested as such.
    """
    if function in found:
        found[function][1].add(op)
        return
    if not function.__module__.startswith(
        ("glassgrad.ops", "glassgrad.diff", "glassgrad.graph.family")
    ):
        return
    if function.__module__ == finite.__name__ or function.__name__ in (
        "infer",
        "apply",
        "operands",
    ):
        return
    found[function] = (label, {op} - {""})
    for name in _names(function.__code__):
        value = function.__globals__.get(name)
        if isinstance(value, types.FunctionType) and name.startswith("_"):
            _reach(value, value.__qualname__, op, found)
        method = vars(owner).get(name) if owner is not None else None
        if isinstance(method, types.FunctionType):
            _reach(method, method.__qualname__, op, found, owner)


def _names(code: types.CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return {*code.co_names}.union(*(_names(c) for c in inner))


# -- what a mutant does to a value ------------------------------------------------------------


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
        return change(v) if number and v.size and literal(v) != 0 else v

    return run


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


# -- where in the source ------------------------------------------------------------------------


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


_trees: dict[str, ast.Module] = {
    file: ast.parse(Path(file).read_text(encoding="utf-8"))
    for name, module in list(sys.modules.items())
    if name.startswith("glassgrad.") and (file := module.__file__)
}  # read at once, so that nobody edits them in between


def tree_of(function: types.FunctionType) -> tuple[ast.Module, Any]:
    """The module's tree, and the function's node in it."""
    tree, code = _trees[function.__code__.co_filename], function.__code__
    places = [
        p for p in code.co_positions() if p[0] is not None and p[2] is not None and p[2] != p[3]
    ]
    fits = []
    for node in ast.walk(tree):
        if code.co_name == "<lambda>":
            if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno:
                b = node.body
                inside = all(
                    (b.lineno, b.col_offset) <= (p[0], p[2])
                    and (p[1], p[3]) <= (b.end_lineno, b.end_col_offset)
                    for p in places
                )
                fits += [node] * inside
        elif isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            fits += [node] * (first == code.co_firstlineno)
    fits.sort(key=lambda n: (n.end_lineno - n.lineno, n.end_col_offset - n.col_offset))
    assert fits, f"the source of {function} was not found"
    return tree, fits[0]


Place = tuple[Any, str, int | None]  # parent, field, position in it


def _children(node: ast.AST) -> Iterator[tuple[Place, ast.AST]]:
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield (node, field, None), value
        elif isinstance(value, list):
            for i, v in enumerate(value):
                if isinstance(v, ast.AST):
                    yield (node, field, i), v


def _skipped(place: Place, node: ast.AST) -> bool:
    field = place[1]
    if isinstance(
        node, ast.Raise | ast.Assert | ast.withitem | ast.JoinedStr | ast.arguments | ast.keyword
    ):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # the docstring
    return field in (
        "decorator_list",
        "returns",
        "annotation",
        "target",
        "targets",
        "iter",
        "slice",
    )


def places(node: ast.AST) -> Iterator[tuple[Place, ast.AST]]:
    """Every place in a function where a change makes sense."""
    for place, child in _children(node):
        if _skipped(place, child):
            continue
        yield place, child
        yield from places(child)


def _set(place: Place, new: ast.AST) -> None:
    parent, field, i = place
    if i is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[i] = new


def _called(name: str, arguments: list[Any], like: ast.AST) -> ast.AST:
    call = ast.Call(ast.Name(name, ast.Load()), arguments, [])
    return ast.fix_missing_locations(ast.copy_location(call, like))


def _locals(function: types.FunctionType) -> set[str]:
    code = function.__code__
    return {*code.co_varnames, *code.co_freevars, *code.co_cellvars}


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
    return lambda: _set(place, node)


def _changes(rule: Rule, place: Place, node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    parent = place[0]
    if isinstance(node, ast.Expr | ast.AugAssign):
        yield "leave out", ast.copy_location(ast.Pass(), node)
    if not isinstance(node, ast.expr):
        return
    if _is_value(rule, place, node):
        elementwise = rule.label.endswith((".partials", ".route"))
        invariant = _invariance(place)
        for kind in ("negate", "double", "drop", *["halve"] * elementwise):
            if kind not in invariant:
                yield kind, _called("__mutant__", [node], node)
        if rule.function.__module__ == reverse.__name__ and not isinstance(node, ast.Constant):
            for kind in ("true", "false"):
                yield kind, _called("__mutant__", [node], node)
    holds = isinstance(parent, ast.Tuple | ast.List | ast.Return | ast.Lambda)
    gives = rule.label.endswith(("vjp", "jvp", "partials", "route"))
    if holds and gives and not _is_none(node):
        yield "none", _called("__mutant__", [node], node)
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


def _is_value(rule: Rule, place: Place, node: ast.expr) -> bool:
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
            node.id in _locals(rule.function) and isinstance(node.ctx, ast.Load) and node.id != "k"
        )
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float)
    return isinstance(node, ast.Call | ast.BinOp | ast.UnaryOp | ast.Subscript | ast.BoolOp)


def _arithmetic(node: ast.BinOp) -> Iterator[tuple[str, ast.AST]]:
    yield "left", _called("__mutant__", [node.left, node.right], node)
    yield "right", _called("__mutant__", [node.left, node.right], node)
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


# -- running ------------------------------------------------------------------------------------


def compiled(rule: Rule) -> types.CodeType:
    """The code of the rule's function from the tree as it now stands."""
    tree, root = tree_of(rule.function)
    marks = (root.lineno, root.end_lineno, root.end_col_offset)
    decorators = getattr(root, "decorator_list", None)
    root.lineno = root.end_lineno = 10**6
    root.end_col_offset = root.col_offset + 1
    if decorators is not None:
        root.decorator_list = []
    try:
        module = compile(tree, rule.function.__code__.co_filename, "exec", dont_inherit=True)
    finally:
        root.lineno, root.end_lineno, root.end_col_offset = marks
        if decorators is not None:
            root.decorator_list = decorators
    todo = [module]
    while todo:
        code = todo.pop()
        if code.co_firstlineno == 10**6 and code.co_name == rule.function.__code__.co_name:
            return code
        todo += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    raise LookupError(rule.label)


class Verdict(NamedTuple):
    """What became of a mutant: "killed" by values, by "form", "same", "survived", "not reached"."""

    outcome: str
    by: str = ""


def _late(*_: Any) -> None:
    raise TimeoutError


def probed(rule: Rule, checks: list[Check]) -> dict[int, set[str]]:
    """For each value in a rule that is reached at all, the changes that would change something."""
    _, root = tree_of(rule.function)
    sites = [(p, n) for p, n in places(root) if isinstance(n, ast.expr) and _is_value(rule, p, n)]
    for place, node in sites:
        known = [ast.Constant(id(node)), ast.Constant(isinstance(node, ast.Constant))]
        _set(place, _called("__probe__", [*known, node], node))
    try:
        code = compiled(rule)
    finally:
        for place, node in sites:
            _set(place, node)
    function, probe = rule.function, Probe()
    original = function.__code__
    function.__globals__["__probe__"] = probe
    try:
        function.__code__ = code
        failing = _first_failure(checks)
    finally:
        function.__code__ = original
        del function.__globals__["__probe__"]
    assert not failing, f"looking at {rule.label} changed it: {failing}"
    return probe.effects


def near(rule: Rule, checks: list[Check]) -> list[Check]:
    """The checks that a change of a rule can fail, those of its own ops first."""
    if not rule.ops:
        return checks
    kept = [c for c in checks if c.op in {*rule.ops, "", "scan"}]
    return sorted(kept, key=lambda c: c.op not in rule.ops)


def _first_failure(checks: list[Check]) -> str:
    for check in checks:
        try:
            check.run()
        except Exception as error:
            return f"{check.name}: {type(error).__name__}"
    return ""


def foreseen(mutant: Mutant, effects: dict[int, set[str]]) -> Verdict | None:
    """The verdict where looking at the values was enough."""
    if mutant.kind not in Probe.KINDS:
        return None
    if mutant.site not in effects:
        return Verdict("not reached")
    return None if mutant.kind in effects[mutant.site] else Verdict("same")


def judge(mutant: Mutant, checks: list[Check], forms: list[Check]) -> Verdict:
    """Put the mutant in the place of its rule and run the checks until one fails."""
    function = mutant.rule.function
    original, hook = function.__code__, Hook()
    hook.kind, hook.literal = mutant.kind, mutant.literal
    mutant.put()
    try:
        code = compiled(mutant.rule)
    finally:
        mutant.undo()
    if _instructions(code) == _instructions(original):
        return Verdict("same")
    function.__globals__["__mutant__"] = hook
    hooked = "__mutant__" in _names(code)
    signal.alarm(SECONDS)
    try:
        function.__code__ = code
        by = _first_failure(checks)
        form = "" if by else _first_failure(forms)
    finally:
        signal.alarm(0)
        function.__code__ = original
        del function.__globals__["__mutant__"]
    if by or form:
        return Verdict("killed", by) if by else Verdict("form", form)
    if hooked and hook.reached and not hook.changed:
        return Verdict("same")
    if hooked and not hook.reached:
        return Verdict("not reached")
    return Verdict("same" if _gives_same_nodes(function, code, hook, checks) else "survived")


def _gives_same_nodes(function: Any, code: types.CodeType, hook: Hook, checks: list[Check]) -> bool:
    """Whether a changed rule returns the very nodes of the true one, in every call of all checks.

    Equal graphs are equal nodes within a trace, so this is equality of graphs, not of numbers. A
    rule that returns nothing, and works by what it enters, is not asked.
    """
    original = function.__code__
    true, changed = (types.FunctionType(c, function.__globals__, function.__name__,
        function.__defaults__)
                     for c in (original, code))  # fmt: skip
    differs: list[bool] = []

    def both(*args: Any, **kwargs: Any) -> Any:
        result = true(*args, **kwargs)
        differs.append(result is None or not _same(result, changed(*args, **kwargs)))
        return result

    if code.co_freevars:
        return False
    function.__globals__.update(__mutant__=hook, __both__=both)
    try:
        function.__code__ = _dispatch.__code__
        _first_failure(checks)
    finally:
        function.__code__ = original
        del function.__globals__["__mutant__"], function.__globals__["__both__"]
    return bool(differs) and not any(differs)


def _dispatch(*args: Any, **kwargs: Any) -> Any:
    return __both__(*args, **kwargs)  # noqa: F821  # pyright: ignore


def _same(a: Any, b: Any) -> bool:
    if type(a) in (list, tuple) and type(a) is type(b):
        # what has no cotangent may be left off the end
        return all(_same(x, y) for x, y in zip_longest(a, b))
    if isinstance(a, Node) and isinstance(b, Node):
        return a is b or _same_graph(a, b)
    return a is b or (type(a) is type(b) and bool(a == b))


def _same_graph(a: Node, b: Node) -> bool:
    """Whether two nodes say the same; large constants are compared by value, not identity."""
    pairs, seen = [(a, b)], set[tuple[Node, Node]]()
    while pairs:
        x, y = pairs.pop()
        if x is y or (x, y) in seen:
            continue
        seen.add((x, y))
        if isinstance(x.op, Const) and isinstance(y.op, Const):
            if x.dtype != y.dtype or not np.array_equal(x.op.value, y.op.value):
                return False
        elif x.op != y.op or len(x.inputs) != len(y.inputs):
            return False
        pairs += zip(x.inputs, y.inputs)
    return True


def _instructions(code: types.CodeType) -> list[Any]:
    return [(i.opname, i.argrepr if i.opname != "LOAD_CONST" else str(i.argval)[:40])
            for i in dis.get_instructions(code)]  # fmt: skip


def main() -> int:
    """Judge all mutants and print the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="rules whose label contains this")
    parser.add_argument("--part", default="1/1", help="every n-th rule from the i-th: i/n")
    parser.add_argument(
        "--list", action="store_true", help="print every mutant and what became of it"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    signal.signal(signal.SIGALRM, _late)
    checks, forms = all_checks(), all_forms()
    failing = _first_failure([*checks, *forms])
    if failing:
        print(f"the checks fail without any mutant: {failing}")
        return 1
    start, counts, left = time.perf_counter(), dict[str, int](), list[str]()
    part, parts = (int(n) for n in options.part.split("/"))
    chosen = [rule for rule in rules() if options.only in rule.label][part - 1 :: parts]
    for rule in chosen:
        mine, own_forms = near(rule, checks), near(rule, forms)
        effects = probed(rule, [*mine, *own_forms])
        for mutant in mutants(rule):
            verdict = foreseen(mutant, effects) or judge(mutant, mine, own_forms)
            counts[verdict.outcome] = counts.get(verdict.outcome, 0) + 1
            if verdict.outcome in ("survived", "not reached"):
                left.append(f"{verdict.outcome}: {mutant}")
            if options.list or verdict.outcome in ("survived", "not reached"):
                print(f"{verdict.outcome:12} {mutant}  {verdict.by}", flush=True)
    real = sum(n for outcome, n in counts.items() if outcome != "same")
    print(
        f"{len(chosen)} rules, {len(checks)} checks, {real} mutants ({counts.get('same', 0)} more "
        f"are the same rule): {counts.get('killed', 0)} killed by values, {counts.get('form', 0)} "
        f"by form alone, {len(left)} alive; "
        f"{time.perf_counter() - start:.0f} s"
    )
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
