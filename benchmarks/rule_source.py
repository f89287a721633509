"""The rules of the calculus as functions, and the places in their source that can be changed."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from glassgrad.diff import finite, forward, loop, reverse, total
from glassgrad.graph import family
from glassgrad.graph.family import Elementwise
from glassgrad.graph.op import REGISTRY


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
    for name in names(function.__code__):
        value = function.__globals__.get(name)
        if isinstance(value, types.FunctionType) and name.startswith("_"):
            _reach(value, value.__qualname__, op, found)
        method = vars(owner).get(name) if owner is not None else None
        if isinstance(method, types.FunctionType):
            _reach(method, method.__qualname__, op, found, owner)


def names(code: types.CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return {*code.co_names}.union(*(names(c) for c in inner))


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


def set_at(place: Place, new: ast.AST) -> None:
    parent, field, i = place
    if i is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[i] = new


def called(name: str, arguments: list[Any], like: ast.AST) -> ast.AST:
    call = ast.Call(ast.Name(name, ast.Load()), arguments, [])
    return ast.fix_missing_locations(ast.copy_location(call, like))


def local_names(function: types.FunctionType) -> set[str]:
    code = function.__code__
    return {*code.co_varnames, *code.co_freevars, *code.co_cellvars}


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
