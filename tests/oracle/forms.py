"""Derivatives as one reads them: a rule that gives the right number by a longer way is wrong here.

`forms.txt` holds the derivative of each elementwise op by each operand. After a change of rules,
look at what this prints and keep it:

    PYTHONPATH=tests python -m oracle.forms > tests/oracle/forms.txt
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import glassgrad as gg
from glassgrad.diff import forward, reverse
from glassgrad.graph.algebra import NODES
from glassgrad.graph.dtype import BOOL, FLOAT64
from glassgrad.graph.family import Elementwise
from glassgrad.graph.node import Trace, constant, make, new_input
from glassgrad.graph.op import REGISTRY
from glassgrad.graph.text import text
from glassgrad.graph.traverse import topological_order
from glassgrad.ops.arithmetic import power
from glassgrad.ops.gather import Scatter


class Form(NamedTuple):
    """The derivative of f(a, b) by operand `by`, in letters; nothing is rewritten before or after.

    In forward mode `want` is the tangent, for the tangent t of that operand.
    """

    f: Callable[[Any, Any], Any]
    want: str
    by: int = 0
    forward: bool = False

    def check(self) -> None:
        """Raise an AssertionError if it reads otherwise."""
        a, b, t = gg.variables("a b t")
        y, x = self.f(a, b).node, (a, b)[self.by].node
        (found,) = forward.jvp([y], {x: t.node}) if self.forward else reverse.gradients(y, [x])
        assert found is not None and text(found) == self.want, (
            f"{found and text(found)}, not {self.want}"
        )


def raised(a: Any, c: float) -> Any:
    """a**c by the power op itself, whatever shorter op NumPy's spelling would be."""
    return gg.Array(power.apply(a.node, c))


FORMS = [
    Form(lambda a, b: (a + b) * (b + 1), "b + 1"),
    Form(lambda a, b: (a + b) * (b + 1), "a + b + b + 1", 1),
    Form(lambda a, b: a - b, "-1", 1),
    Form(lambda a, b: a * b, "b"),
    Form(lambda a, b: a / b, "1/b"),
    Form(lambda a, b: a / b, "(-a/b)/b", 1),
    Form(lambda a, b: -a, "-1"),
    Form(lambda a, b: np.square(a), "2*a"),
    Form(lambda a, b: np.exp(a * b), "exp(a*b)*b"),
    Form(lambda a, b: np.sin(a), "cos(a)"),
    Form(lambda a, b: np.cos(a), "-sin(a)"),
    Form(lambda a, b: np.log(a), "1/a"),
    Form(lambda a, b: np.sqrt(a), "0.5/sqrt(a)"),
    Form(lambda a, b: np.tanh(a), "tanh'(a)"),
    Form(lambda a, b: gg.Array(NODES.sigmoid(a.node)), "sigmoid'(a)"),
    Form(lambda a, b: np.maximum(a, 0), "where(0 < a, 1, 0)"),
    *(Form(lambda a, b, c=c: raised(a, c), want)
      for c, want in ((0.0, "1*0"), (1.0, "1"), (2.0, "2*a"), (3.0, "3*a**2"),
          (1.5, "1.5*a**0.5"))),
    Form(lambda a, b: a + b, "t", forward=True),
    Form(lambda a, b: a - b, "-t", 1, forward=True),
    Form(lambda a, b: a * b, "t*b", forward=True),
    Form(lambda a, b: np.exp(a), "t*exp(a)", forward=True),
    Form(lambda a, b: a**b, "where(a == 0 & b == 0, 0, b*a**(b - 1))"),
]  # fmt: skip


UNDER_A_MASK: list[tuple[Callable[..., Any], str, str]] = [
    (lambda a, x, v: np.where(a > 0, np.tanh(a), 0), "a", "where(0 < a, 1, 0)*tanh'(a)"),
    (
        lambda a, x, v: np.where(a > 0, np.log(a), 0),
        "a",
        "where(where(0 < a, 1, 0) == 0 & ~isfinite(1/a), 0, where(0 < a, 1, 0)*1/a)",
    ),
    (lambda a, x, v: np.where(a > 0, x @ v, 0), "x", "where(0 < a, 1, 0)*v"),
    (
        lambda a, x, v: np.where(a > 0, x @ np.log(v), 0),
        "x",
        "where((where(0 < a, 1, 0) != 0)*~isfinite(log(v)) == 0, "
        "where(0 < a, 1, 0)*where(isfinite(log(v)), log(v), 0), where(0 < a, 1, 0)*log(v))",
    ),
    (
        lambda a, x, v: np.where(a > 0, np.log(x) @ v, 0),
        "v",
        "where((where(0 < a, 1, 0) != 0)*~isfinite(log(x)) == 0, "
        "where(0 < a, 1, 0)*where(isfinite(log(x)), log(x), 0), where(0 < a, 1, 0)*log(x))",
    ),
]
"""Gradients under a choice: guarded where a factor may be infinite, plain where it cannot be."""


def check_masked(f: Callable[..., Any], by: str, want: str) -> None:
    """Raise an AssertionError if the gradient of f(a, x, v) by one of them reads otherwise."""
    operands = {"a": gg.variable("a"), "x": gg.variable("x", (2,)), "v": gg.variable("v", (2,))}
    (found,) = reverse.gradients(f(**operands).node, [operands[by].node])
    assert text(found) == want, f"{text(found)}, not {want}"


def spelled(op: Elementwise, i: int) -> str:
    """The derivative of an op on a, b, c by operand i, for the cotangent g, in letters."""
    trace = Trace()
    kinds = [BOOL if op.name == "where" and j == 0 else FLOAT64 for j in range(op.arity)]
    xs = [new_input(trace, letter, (), kind) for letter, kind in zip("abc", kinds)]
    g = new_input(trace, "g", (), FLOAT64)
    (found,) = reverse.vjp([op.apply(*xs)], [g], [xs[i]])
    return "none" if found is None else text(found)


def lines() -> list[str]:
    """Every derivative of every elementwise op."""
    ops = [op for op in REGISTRY.values() if isinstance(op, Elementwise) and op.result != "bool"]
    places = [(op, i) for op in ops for i in range(op.arity) if (op.name, i) != ("where", 0)]
    return [f"{op.name} by {'abc'[i]}: {spelled(op, i)}" for op, i in places]


def kept() -> list[tuple[str, str]]:
    """The kept lines, each with its op's name; an op that has none yet is not asked."""
    read = (Path(__file__).parent / "forms.txt").read_text(encoding="utf-8").splitlines()
    return [(line.split(" by ")[0], line) for line in read]


def check_line(name: str, line: str) -> None:
    """Raise an AssertionError if an op's derivative reads otherwise than it is kept."""
    i = "abc".index(line.split(" by ")[1][0])
    found = f"{name} by {'abc'[i]}: {spelled(REGISTRY[name], i)}"
    assert found == line, f"{found}, not {line}"


def check_distinct_writes() -> None:
    """Writes at known places, each its own, need no question which write stayed."""
    trace = Trace()
    x, v = (new_input(trace, name, (4,), FLOAT64) for name in "xv")
    for places, asks in (([2, 0, 3, 1], False), ([2, 0, 2, 1], True)):
        y = make(Scatter(0), x, v, constant(trace, np.array(places)))
        found = reverse.vjp([y], [x], [v])
        assert ("where" in {n.name for n in topological_order(found)}) == asks, f"{places}"


if __name__ == "__main__":
    print("\n".join(lines()))
