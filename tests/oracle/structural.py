"""What is checked of every instance of a structural op: value, VJP, JVP, second order, adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from glassgrad.diff import forward, reverse
from glassgrad.engines import reference
from glassgrad.graph.algebra import NODES as k
from glassgrad.graph.family import cast
from glassgrad.graph.node import Node, Trace, constant, item, make, new_input
from glassgrad.ops.reduce import sum_
from oracle.instances import INSTANCES, Instance
from oracle.matrix_meaning import EXACT
from oracle.meaning import meaning

LONG = np.longdouble
TOLERANCE = 1e-10  # against long doubles, relative to the largest entry
ADJOINT = 1e-12
SECOND = 1e-8  # second differences of long doubles hold no more


class Built:
    """An op on variables with values."""

    def __init__(
        self, instance: Instance, arrays: Sequence[np.ndarray], known: bool = False
    ) -> None:
        """With `known`, integer operands are constants, as an index written in a program is."""
        trace = Trace()
        self.xs = [new_input(trace, f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
        if known:
            self.xs = [
                x if x.dtype.kind == "f" else constant(trace, a) for x, a in zip(self.xs, arrays)
            ]
        self.values: dict[Node, Any] = dict(zip(self.xs, arrays))
        node = make(instance.op, *self.xs)
        self.node = item(node, instance.result) if node.outputs is not None else node
        self.real = [x for x in self.xs if x.dtype.kind == "f"]

    def variable(self, label: str, value: np.ndarray) -> Node:
        """One more variable: a cotangent, a tangent, a weight."""
        node = new_input(self.node.trace, label, value.shape, value.dtype)
        self.values[node] = value
        return node

    def run(self, nodes: Sequence[Node | None], like: Sequence[Node]) -> list[np.ndarray]:
        """Values; zeros in the shape of `like` where there is no node."""
        found = iter(reference.evaluate([n for n in nodes if n is not None], self.values))
        return [np.zeros(x.shape) if n is None else next(found) for n, x in zip(nodes, like)]


def close(
    got: np.ndarray, want: np.ndarray, tolerance: float, what: str, scale: float = 0.0
) -> None:
    """Same shape, and no further apart than the tolerance times the largest entry (or `scale`)."""
    assert got.shape == want.shape, f"{what}: shape {got.shape}, not {want.shape}"
    assert np.array_equal(np.isfinite(got), np.isfinite(want)), f"{what}: {got}, not {want}"
    if not want.size:
        return
    some = np.isfinite(want)
    size = max(float(np.abs(want[some]).max(initial=0.0)), scale)
    gap = got[some] != want[some] if got.dtype == np.bool_ else got[some] - want[some]
    error = float(np.abs(gap).max(initial=0.0))
    assert error <= tolerance * size, f"{what}: {got}, not {want.astype(np.float64)}"


# -- values -----------------------------------------------------------------------------------


def check_value(instance: Instance) -> None:
    """The value against the op's meaning, in float64."""
    arrays = instance.arrays(1)
    built = Built(instance, arrays)
    (got,) = built.run([built.node], [built.node])
    close(got, meaning(instance.op, arrays, instance.result), 1e-13, f"{instance}: value", 1.0)


def layouts(x: np.ndarray) -> list[np.ndarray]:
    """The same array in other memory layouts: Fortran order, negative and large strides, offset."""
    flipped = np.array(x[(..., *(slice(None, None, -1) for _ in x.shape))])
    spread = np.empty([2 * n + 1 for n in x.shape], x.dtype)
    spaced = spread[(..., *(slice(1, 2 * n + 1, 2) for n in x.shape))]
    spaced[...] = x
    backwards = flipped[(..., *(slice(None, None, -1) for _ in x.shape))]
    return [np.array(x, order="F"), backwards, spaced]


def check_layouts(instance: Instance) -> None:
    """Inputs that are not contiguous give the same value and the same VJP."""
    arrays = instance.arrays(2)
    want = _value_and_vjp(instance, arrays)
    for variant in zip(*(layouts(x) for x in arrays)):
        for got, w in zip(_value_and_vjp(instance, variant), want):
            close(got, w, 1e-14, f"{instance}: with strided inputs", 1.0)


def _value_and_vjp(instance: Instance, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    built = Built(instance, arrays)
    nodes: list[Node | None] = [built.node]
    if built.real and built.node.dtype.kind == "f":
        c = built.variable("c", np.random.default_rng(3).normal(size=built.node.shape))
        nodes += reverse.vjp([built.node], [c], built.real)
    return built.run(nodes, [built.node, *built.real])


def check_integers(instance: Instance) -> None:
    """Integers and float32 pass through with NumPy's meaning."""
    for dtype in (np.int64, np.uint8, np.float32):
        if dtype != np.float32 and (
            instance.op.name == "cast"
            or "logsumexp" in repr(instance.op)
            or type(instance.op) in EXACT
        ):
            continue  # real functions
        arrays = [
            (3 * x).astype(np.int64).astype(dtype) if x.dtype == np.float64 else x
            for x in instance.arrays(4)
        ]
        built = Built(instance, arrays)
        (got,) = built.run([built.node], [built.node])
        want = meaning(
            instance.op, [_computed_in(instance, x, dtype) for x in arrays], instance.result
        )
        same = instance.op.name in ("cast",) or got.dtype == (
            np.bool_ if want.dtype == np.bool_ else dtype
        )
        assert same, f"{instance}: dtype {got.dtype} for {np.dtype(dtype)}"
        if got.dtype == np.bool_:
            assert np.array_equal(got, want), f"{instance}: {got}, not {want}"
            continue
        close(
            got.astype(np.float64),
            want.astype(got.dtype).astype(np.float64),
            1e-6,
            f"{instance}",
            1.0,
        )


def _computed_in(instance: Instance, x: np.ndarray, dtype: Any) -> np.ndarray:
    wide = dtype == np.float32 and x.dtype == np.float32
    return x.astype(np.float64) if wide else x


# -- derivatives --------------------------------------------------------------------------------


def _long(instance: Instance, seed: int) -> tuple[list[np.ndarray], list[int]]:
    arrays = [x.astype(LONG) if x.dtype.kind == "f" else x for x in instance.arrays(seed)]
    return arrays, [i for i, x in enumerate(arrays) if x.dtype == LONG]


def directional(
    f: Any, arrays: Sequence[np.ndarray], along: Sequence[np.ndarray | None]
) -> np.ndarray:
    """The derivative of f along a direction: central differences of long doubles, extrapolated."""

    def central(h: Any) -> np.ndarray:
        up, down = (
            f([x if t is None else x + s * h * t for x, t in zip(arrays, along)]) for s in (1, -1)
        )
        return (up - down) / (2 * h)

    h = LONG("1e-4")
    with np.errstate(invalid="ignore"):
        return (4 * central(h / 2) - central(h)) / 3


@cache
def true_jacobian(index: int) -> list[np.ndarray]:
    """For each real operand of an instance its dense Jacobian, out by in, in long doubles."""
    instance = INSTANCES[index]
    arrays, real = _long(instance, 5)

    def f(xs: Sequence[np.ndarray]) -> np.ndarray:
        return meaning(instance.op, xs, instance.result).ravel()

    found = []
    for i in real:
        columns = []
        for j in range(arrays[i].size):
            unit = np.zeros(arrays[i].size, LONG)
            unit[j] = 1
            along = [unit.reshape(x.shape) if p == i else None for p, x in enumerate(arrays)]
            columns.append(directional(f, arrays, along))
        size = f(arrays).size
        found.append(np.stack(columns, 1) if columns else np.zeros((size, 0), LONG))
    return found


def is_real(instance: Instance) -> bool:
    """Whether the instance carries derivatives."""
    return any(isinstance(x, tuple) or x.dtype.kind == "f" for x in instance.operands)


def check_vjp(index: int) -> None:
    """The VJP against the dense Jacobian, also with indices that are known beforehand."""
    instance, jacobians = INSTANCES[index], true_jacobian(index)
    for known in (False, True):
        built = Built(instance, instance.arrays(5), known)
        c = np.random.default_rng(6).normal(size=built.node.shape)
        found = reverse.vjp([built.node], [built.variable("c", c)], built.real)
        for i, (g, jacobian) in enumerate(zip(built.run(found, built.real), jacobians)):
            want = _finite_product(c.ravel(), jacobian).reshape(g.shape)
            close(g, want, TOLERANCE, f"{instance}: VJP by operand {i}")


def _finite_product(c: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    return np.asarray(c.astype(LONG) @ jacobian)


def check_jvp(index: int) -> None:
    """The JVP by every operand alone, and by all together, against the dense Jacobian."""
    instance, jacobians = INSTANCES[index], true_jacobian(index)
    built = Built(instance, instance.arrays(5))
    rng = np.random.default_rng(7)
    tangents = [rng.normal(size=x.shape) for x in built.real]
    nodes = [built.variable("t", t) for t in tangents]
    wants = [np.asarray(j @ t.ravel().astype(LONG)) for j, t in zip(jacobians, tangents)]
    for i, (x, t, want) in enumerate(zip(built.real, nodes, wants)):
        (got,) = built.run(forward.jvp([built.node], {x: t}), [built.node])
        close(got, want.reshape(got.shape), TOLERANCE, f"{instance}: JVP by operand {i}")
    (got,) = built.run(forward.jvp([built.node], dict(zip(built.real, nodes))), [built.node])
    whole = np.sum(wants, axis=0).reshape(got.shape)
    close(
        got,
        whole,
        TOLERANCE,
        f"{instance}: JVP by all operands",
        float(np.abs(wants[0]).max(initial=0)),
    )


def check_second(index: int) -> None:
    """Hessian times vector of Σ w·sin(y), JVP of VJP and VJP of VJP, against second differences."""
    instance = INSTANCES[index]
    built = Built(instance, instance.arrays(5))
    rng = np.random.default_rng(8)
    w = rng.normal(size=built.node.shape)
    loss = sum_(built.variable("w", w) * k.sin(built.node), tuple(range(built.node.ndim)))
    firsts = reverse.gradients(loss, built.real)
    tangents = [rng.normal(size=x.shape) for x in built.real]
    nodes = [built.variable("t", t) for t in tangents]
    onward = forward.jvp(firsts, dict(zip(built.real, nodes)))
    backward = reverse.vjp(firsts, nodes, built.real)
    wants = _true_hessian_products(index, w, tangents)
    for how, found in (("JVP of VJP", onward), ("VJP of VJP", backward)):
        for i, (g, want) in enumerate(zip(built.run(found, built.real), wants)):
            close(g, want, SECOND, f"{instance}: {how} by operand {i}", 1e-3)


_hessians: dict[int, list[np.ndarray]] = {}


def _true_hessian_products(
    index: int, w: np.ndarray, tangents: list[np.ndarray]
) -> list[np.ndarray]:
    """∂/∂t of the gradient of Σ w·sin(y): by differences of the gradient J'(w·cos y)."""
    if index in _hessians:
        return _hessians[index]
    instance = INSTANCES[index]
    arrays, real = _long(instance, 5)
    directions = iter(tangents)
    along = [next(directions).astype(LONG) if i in real else None for i in range(len(arrays))]

    def slope(xs: Sequence[np.ndarray], i: int, j: int) -> Any:
        def loss(ys: Sequence[np.ndarray]) -> Any:
            return np.sum(w.astype(LONG) * np.sin(meaning(instance.op, ys, instance.result)))

        unit = np.zeros(arrays[i].size, LONG)
        unit[j] = 1
        return directional(
            loss, xs, [unit.reshape(x.shape) if p == i else None for p, x in enumerate(xs)]
        )

    found = []
    for i in real:
        entries = [
            directional(lambda xs, j=j, i=i: slope(xs, i, j), arrays, along)
            for j in range(arrays[i].size)
        ]
        found.append(np.array(entries, LONG).reshape(arrays[i].shape))
    _hessians[index] = found
    return found


def check_adjoint(instance: Instance, seed: int) -> None:
    """u·(J v) = (Jᵀ u)·v at 1e-12, whatever the shapes."""
    built = Built(instance, instance.arrays(seed))
    rng = np.random.default_rng(seed)
    u = rng.normal(size=built.node.shape)
    vs = [rng.normal(size=x.shape) for x in built.real]
    pulled = built.run(reverse.vjp([built.node], [built.variable("u", u)], built.real), built.real)
    nodes = [built.variable("v", v) for v in vs]
    (pushed,) = built.run(forward.jvp([built.node], dict(zip(built.real, nodes))), [built.node])
    assert [p.shape for p in pulled] == [x.shape for x in built.real] and pushed.shape == u.shape
    one, two = u * pushed, [p * v for p, v in zip(pulled, vs)]
    left, right = float(one.sum()), float(sum(t.sum() for t in two))
    size = float(np.abs(one).sum()) + float(sum(np.abs(t).sum() for t in two))
    assert abs(left - right) <= ADJOINT * size, f"{instance}: {left} and {right}"
    symmetric(built, u, vs, instance)


def symmetric(built: Built, u: np.ndarray, vs: list[np.ndarray], instance: Instance) -> None:
    """The Hessian of Σ u·y² is symmetric: a'(H v) = v'(H a), by JVP of VJP."""
    loss = sum_(built.variable("w", u) * k.square(built.node), tuple(range(built.node.ndim)))
    firsts = reverse.gradients(loss, built.real)
    rng = np.random.default_rng(11)
    sides, products = [vs, [rng.normal(size=v.shape) for v in vs]], []
    for side in sides:
        nodes = [built.variable("t", t) for t in side]
        pushed = forward.jvp(firsts, dict(zip(built.real, nodes)))
        products.append(built.run(pushed, built.real))
    one = [a * b for a, b in zip(products[0], sides[1])]
    two = [a * b for a, b in zip(products[1], sides[0])]
    left, right = (float(sum(t.sum() for t in terms)) for terms in (one, two))
    size = float(sum(np.abs(t).sum() for t in (*one, *two)))
    assert abs(left - right) <= ADJOINT * size, (
        f"{instance}: Hessian not symmetric: {left}, {right}"
    )


def check_float32(instance: Instance) -> None:
    """In float32 the gradient is that of float64 within a forward-error bound: n·eps, n terms
    summed.
    """
    arrays = [x.astype(np.float32) if x.dtype == np.float64 else x for x in instance.arrays(9)]
    wide = [x.astype(np.float64) if x.dtype == np.float32 else x for x in arrays]
    got, want = _value_and_vjp32(instance, arrays), _value_and_vjp32(instance, wide)
    terms = 8 + sum(x.size for x in arrays)
    for g, w in zip(got, want):
        close(g.astype(np.float64), w, terms * 1.2e-7, f"{instance}: in float32", 1.0)


def _value_and_vjp32(instance: Instance, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    built = Built(instance, arrays)
    if not built.real or built.node.dtype.kind != "f":
        return built.run([built.node], [built.node])
    seed = np.random.default_rng(3).normal(size=built.node.shape).astype(np.float32)
    c = cast(built.variable("c", seed), built.node.dtype)
    found = reverse.vjp([built.node], [c], built.real)
    assert all(g is None or g.dtype == x.dtype for g, x in zip(found, built.real)), (
        f"{instance}: dtype"
    )
    return built.run([built.node, *found], [built.node, *built.real])
