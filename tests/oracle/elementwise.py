"""What is checked of every elementwise op, from the registry alone: a new op needs no test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp, mpf

from glassgrad.diff import forward, reverse
from glassgrad.engines import reference
from glassgrad.graph.algebra import PRIMITIVES, Algebra
from glassgrad.graph.dtype import FLOAT64
from glassgrad.graph.family import Elementwise
from glassgrad.graph.node import Node, Trace, new_input
from glassgrad.graph.op import REGISTRY
from oracle import truth
from oracle.mp_algebra import OutsideDomain
from oracle.points import boolean_operands, edges, exact, rows, samples

TOLERANCE = 1e-10
UNDERFLOW = 1e-300  # below, a float64 has no full precision left
BY_INTENTION = ("stop_gradient",)  # its derivative is none, whatever its mathematics say
ULPS = 4.0  # of the value, the worst that NumPy's functions and the bodies made of them reach


def ops() -> list[Elementwise]:
    """Every registered elementwise op."""
    return [op for op in REGISTRY.values() if isinstance(op, Elementwise)]


def differentiable() -> list[Elementwise]:
    """Those whose result is real and whose derivative is not switched off by intention."""
    return [op for op in ops() if op.result != "bool" and op.name not in BY_INTENTION]


class Built(NamedTuple):
    """An op on fresh variables with values: its node, the variables, what they hold."""

    node: Node
    xs: list[Node]
    values: dict[Node, Any]
    real: list[int]  # the operands that carry derivatives


def build(op: Elementwise, columns: Sequence[np.ndarray]) -> Built:
    """The op's node on one variable an operand."""
    trace = Trace()
    xs = [new_input(trace, f"x{i}", c.shape, c.dtype) for i, c in enumerate(columns)]
    real = [i for i, question in enumerate(boolean_operands(op)) if not question]
    return Built(op.apply(*xs), xs, dict(zip(xs, columns)), real)


def variable(built: Built, label: str, value: np.ndarray) -> Node:
    """One more variable with a value: a cotangent or a tangent."""
    node = new_input(built.node.trace, label, value.shape, value.dtype)
    built.values[node] = value
    return node


def run(built: Built, nodes: Sequence[Node | None]) -> list[np.ndarray]:
    """Values of nodes; of those that are absent zero."""
    present = [n for n in nodes if n is not None]
    found = iter(reference.evaluate(present, built.values))
    shape = built.xs[0].shape
    return [np.zeros(shape) if n is None else next(found) for n in nodes]


# -- values -----------------------------------------------------------------------------------


@cache
def true_values(name: str, at: str) -> list[Any]:
    """The true value at each point of a grid; None outside the domain."""
    op = REGISTRY[name]
    found = []
    for point in rows(grid(name, at)):
        try:
            found.append(truth.limit(op, point))
        except OutsideDomain:
            found.append(None)
    return found


@cache
def grid(name: str, at: str) -> list[np.ndarray]:
    """The sample points or the edges of an op."""
    op = REGISTRY[name]
    return samples(op) if at == "samples" else edges(op)


def ulps(got: float, want: Any) -> float:
    """The error in units in the last place of the true value."""
    near = float(want)
    if got == near:
        return 0.0
    if not np.isfinite(near) or not np.isfinite(got):
        return np.inf
    return float(abs(mpf(float(got)) - want) / mpf(float(np.spacing(abs(near)))))


def errors(op: Elementwise, columns: Sequence[np.ndarray], want: Sequence[Any]) -> list[float]:
    """The error at each point, in ULP; infinite where a value is wrong outright."""
    built = build(op, columns)
    (got,) = run(built, [built.node])
    return [_error(g, w) for g, w in zip(got.tolist(), want)]


def _error(got: Any, want: Any) -> float:
    if want is None:  # outside the domain
        return np.inf if np.isfinite(got) else 0.0
    if isinstance(want, bool):
        return 0.0 if bool(got) is want else np.inf
    if mp.isnan(want):
        return 0.0 if np.isnan(got) else np.inf
    return ulps(got, want)


def check_value(op: Elementwise, at: str) -> None:
    """The value at every point, in float64, within `ULPS` of the truth."""
    columns, want = grid(op.name, at), true_values(op.name, at)
    for point, w, error in zip(zip(*columns), want, errors(op, columns, want)):
        assert error <= ULPS, f"{op.name}: {error} ULP at {point}, where the value is {w}"


class Bare(Algebra):
    """Arrays with the primitives alone, as an engine brings them that has no NumPy."""

    def __init__(self) -> None:
        for name in PRIMITIVES:
            setattr(self, name, getattr(np, name))


def check_body(op: Elementwise, at: str) -> None:
    """The scalar body itself, by primitives, where the reference may use NumPy's function."""
    columns, want = grid(op.name, at), true_values(op.name, at)
    with np.errstate(all="ignore"):
        got = np.broadcast_to(op.scalar(Bare(), *columns), columns[0].shape)  # pyright: ignore
    for point, g, w in zip(zip(*columns), got.tolist(), want):
        error = _error(g, w)
        assert error <= ULPS, f"{op.name}: {error} ULP at {point}, where the value is {w}: {g}"


# -- derivatives --------------------------------------------------------------------------------


class Truths(NamedTuple):
    """True derivatives at the points of a grid: None where there is none, or the op says it's a
    kink.
    """

    columns: list[np.ndarray]
    first: dict[int, list[Any]]
    second: dict[tuple[int, int], list[Any]]
    kinks: list[tuple[tuple[Any, ...], int, truth.Slope]]


@cache
def true_derivatives(name: str, at: str) -> Truths:
    """First and second derivatives by every real operand, at the finite points of a grid."""
    op = REGISTRY[name]
    columns = grid(name, at)
    real = [i for i, q in enumerate(boolean_operands(op)) if not q]
    keep = np.all([np.isfinite(c) for c in columns], axis=0)
    columns = [c[keep] for c in columns]
    points = rows(columns)
    truths = Truths(columns, {i: [] for i in real}, {(i, j): [] for i in real for j in real}, [])
    for point in points:
        _enter(op, point, real, truths)
    return truths


def _enter(op: Elementwise, point: tuple[Any, ...], real: list[int], truths: Truths) -> None:
    smooth: dict[int, bool] = {}
    for i in real:
        try:
            slope = truth.slope(op, point, i)
        except OutsideDomain:
            slope = truth.Slope(None, None)
        smooth[i] = slope.smooth
        if not slope.smooth and not (slope.left is None and slope.right is None):
            truths.kinks.append((point, i, slope))
        truths.first[i].append(truth.first(op, point, i) if slope.smooth else None)
    for i, j in truths.second:
        try:
            found = truth.second(op, point, i, j) if smooth[i] and smooth[j] else None
        except OutsideDomain:
            found = None
        truths.second[i, j].append(found)


def compare(
    op: Elementwise, what: str, got: np.ndarray, weight: np.ndarray, want: list[Any]
) -> None:
    """got = weight·want at relative 1e-10, wherever there is a true value."""
    for k, (g, c, w) in enumerate(zip(got.tolist(), weight.tolist(), want)):
        if w is None:
            continue
        true = w * mpf(c)
        if abs(true) > mpf("1.7e308"):
            assert np.isinf(g) and (g > 0) == (true > 0), (
                f"{op.name}: {what} at {k}: {g}, not overflow"
            )
            continue
        assert np.isfinite(g), f"{op.name}: {what} at point {k} is {g}, not {float(true)}"
        error = abs(mpf(g) - true)
        assert error <= TOLERANCE * abs(true) + UNDERFLOW, (
            f"{op.name}: {what} at point {k} is {g}, not {float(true)}"
        )


def _weights(op: Elementwise, label: str, n: int) -> np.ndarray:
    rng = np.random.default_rng([ord(c) for c in op.name + label])
    return rng.uniform(0.5, 1.5, n) * rng.choice([-1.0, 1.0], n)


def check_vjp(op: Elementwise, at: str) -> None:
    """The VJP by every operand against the truth."""
    truths = true_derivatives(op.name, at)
    built = build(op, truths.columns)
    c = _weights(op, "c", truths.columns[0].size)
    got = run(built, _pullback(built, variable(built, "c", c)))
    for i, g in zip(built.real, got):
        compare(op, f"VJP by operand {i}", g, c, truths.first[i])


def _pullback(built: Built, c: Node) -> list[Node | None]:
    return reverse.vjp([built.node], [c], [built.xs[i] for i in built.real])


def check_jvp(op: Elementwise, at: str) -> None:
    """The JVP by every operand alone, and by all together, against the truth."""
    truths = true_derivatives(op.name, at)
    built = build(op, truths.columns)
    n = truths.columns[0].size
    tangents = {i: _weights(op, f"t{i}", n) for i in built.real}
    for i, t in tangents.items():
        (got,) = run(built, forward.jvp([built.node], {built.xs[i]: variable(built, "t", t)}))
        compare(op, f"JVP by operand {i}", got, t, truths.first[i])
    nodes = {built.xs[i]: variable(built, f"t{i}", t) for i, t in tangents.items()}
    (got,) = run(built, forward.jvp([built.node], nodes))
    true = []
    for k in range(n):
        parts = [truths.first[i][k] for i in built.real]
        whole = (
            None
            if None in parts
            else sum(p * exact(tangents[i][k]) for i, p in zip(built.real, parts))
        )
        cancels = whole is not None and abs(whole) < mpf("1e-4") * sum(abs(p) for p in parts)
        true.append(None if cancels else whole)
    compare(op, "JVP by all operands", got, np.ones(n), true)


def check_second(op: Elementwise, at: str) -> None:
    """VJP of VJP and JVP of VJP, by every pair of operands, against the truth."""
    truths = true_derivatives(op.name, at)
    built = build(op, truths.columns)
    n = truths.columns[0].size
    c, d = _weights(op, "c", n), _weights(op, "d", n)
    firsts = _pullback(built, variable(built, "c", c))
    seed = variable(built, "d", d)
    for i, g in zip(built.real, firsts):
        for j in built.real:
            if g is None:
                again: list[Node | None] = [None, None]
            else:
                x = built.xs[j]
                again = [*reverse.vjp([g], [seed], [x]), *forward.jvp([g], {x: seed})]
            for how, got in zip(("VJP of VJP", "JVP of VJP"), run(built, again)):
                compare(op, f"{how} by operands {i}, {j}", got, c * d, truths.second[i, j])


# -- kinks --------------------------------------------------------------------------------------

CONVENTIONS: dict[str, Callable[[truth.Slope], float]] = {
    "split equally": lambda s: float(s.mean),
    "derivative is 0": lambda s: 0.0,
    "infinite slope": lambda s: float(mp.sign(s.left if s.right is None else s.right)) * np.inf,
    "the continuous side": lambda s: next((float(x) for x in s if mp.isfinite(x)), 0.0),
}
"""What the words of `kinks` say of the derivative there. A new op uses the words, or adds a line.
"""


def check_kinks(op: Elementwise) -> None:
    """At each point of the edge grid where the sides disagree the derivative is as `kinks` says."""
    truths = true_derivatives(op.name, "edges")
    real_kinks = [k for k in truths.kinks if _has_value(op, k[0])]
    if not op.kinks:
        two_sided = [k for k in real_kinks if k[2].left is not None and k[2].right is not None]
        assert not two_sided, f"{op.name} has a kink at {two_sided[0][0]}, and says nothing of it"
        return
    said = [f for words, f in CONVENTIONS.items() if words in op.kinks]
    assert len(said) == 1, (
        f"{op.name}: the words of its kinks, {op.kinks!r}, are not in CONVENTIONS"
    )
    assert real_kinks, f"{op.name} speaks of kinks, and the edge grid meets none"
    for point, i, slope in real_kinks:
        _check_kink(op, point, i, said[0](slope))


def _has_value(op: Elementwise, point: Sequence[Any]) -> bool:
    found = truth.limit(op, point)
    return bool(mp.isfinite(found))


def _check_kink(op: Elementwise, point: Sequence[Any], i: int, want: float) -> None:
    built = build(op, [np.array(bool(x) if isinstance(x, bool) else float(x)) for x in point])
    two = np.array(2.0)
    backward = _pullback(built, variable(built, "c", two))[built.real.index(i)]
    (onward,) = forward.jvp([built.node], {built.xs[i]: variable(built, "t", two)})
    for how, got in zip(("VJP", "JVP"), run(built, [backward, onward])):
        at = [float(x) for x in point]
        assert got == 2.0 * want, (
            f"{op.name}: {how} by operand {i} at {at} is {got}, not {2 * want}"
        )


def check_stopped(op: Elementwise) -> None:
    """No derivative leaves a question, or an op that stops it by intention."""
    built = build(op, samples(op))
    if op.result == "bool":
        assert built.node.dtype == np.bool_
    seed = variable(built, "c", np.ones(built.node.shape))
    for i in built.real:
        x = built.xs[i]
        passed = [*forward.jvp([built.node], {x: seed})]
        if op.result != "bool":
            passed += reverse.vjp([built.node], [seed], [x])
        assert passed == [None] * len(passed), f"{op.name} passes a derivative by operand {i}"


# -- precision ------------------------------------------------------------------------------------

FLOAT32_ULPS = 4.0


def check_float32(op: Elementwise) -> None:
    """In float32 the value is within `FLOAT32_ULPS` of the float64 value on the same numbers."""
    columns = [c if c.dtype == np.bool_ else c.astype(np.float32) for c in samples(op)]
    narrow = build(op, columns)
    wide = build(op, [c if c.dtype == np.bool_ else c.astype(FLOAT64) for c in columns])
    (got,), (want,) = run(narrow, [narrow.node]), run(wide, [wide.node])
    if op.result == "bool":
        assert np.array_equal(got, want)
        return
    assert got.dtype == np.float32
    error = np.abs(got.astype(FLOAT64) - want) / np.spacing(np.abs(want).astype(np.float32))
    assert error.max() <= FLOAT32_ULPS, f"{op.name}: {error.max()} ULP in float32"
