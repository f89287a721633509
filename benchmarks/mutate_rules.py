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
import dis
import signal
import sys
import time
import types
import warnings
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import numpy as np

from glassgrad.graph.node import Const, Node
from mutants import Hook, Mutant, Probe, is_value, mutants
from oracle.checks import Check, all_checks, all_forms
from rule_source import Rule, called, compiled, names, places, rules, set_at, tree_of

SECONDS = 60  # a mutant that runs longer is killed


class Verdict(NamedTuple):
    """What became of a mutant: "killed" by values, by "form", "same", "survived", "not reached"."""

    outcome: str
    by: str = ""


def _late(*_: Any) -> None:
    raise TimeoutError


def probed(rule: Rule, checks: list[Check]) -> dict[int, set[str]]:
    """For each value in a rule that is reached at all, the changes that would change something."""
    _, root = tree_of(rule.function)
    sites = [(p, n) for p, n in places(root) if isinstance(n, ast.expr) and is_value(rule, p, n)]
    for place, node in sites:
        known = [ast.Constant(id(node)), ast.Constant(isinstance(node, ast.Constant))]
        set_at(place, called("__probe__", [*known, node], node))
    try:
        code = compiled(rule)
    finally:
        for place, node in sites:
            set_at(place, node)
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
    hooked = "__mutant__" in names(code)
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
