"""Facts of calculus, through gg.grad: what the rules of the design promise, in several spellings.

A fact is a function of one array, how often it is differentiated, where, and what comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp, mpf

import glassgrad as gg

TOLERANCE = 1e-10


class Fact(NamedTuple):
    """f differentiated `order` times at `at` is `want`."""

    name: str
    f: Callable[[Any], Any]
    at: Any
    want: Any
    order: int = 1
    forward: bool = True  # False where a zero tangent meets a true pole

    def check(self) -> None:
        """Raise an AssertionError if it does not hold."""
        if self.order == 0:
            got = gg.value_and_grad(self.f)(self.at)[0]
        elif self.order == 1:
            got = gg.grad(self.f)(self.at)
        elif np.ndim(self.at):
            got = gg.hessian(self.f)(self.at)
        else:
            got = gg.grad(gg.grad(self.f))(self.at)
        self._compare("reverse", got)
        if self.order == 1 and self.forward:
            self._compare("forward", self._forward())

    def _forward(self) -> Any:
        """The gradient in forward mode, one unit tangent at a time."""
        at = np.asarray(self.at)
        units = np.eye(at.size).reshape(at.size, *at.shape)
        return np.reshape([gg.jvp(self.f, (self.at,), (u[()],))[1] for u in units], at.shape)

    def _compare(self, how: str, got: Any) -> None:
        same = np.allclose(got, self.want, rtol=TOLERANCE, atol=0, equal_nan=True)
        assert same and np.shape(got) == np.shape(self.want), (
            f"{self.name} ({how}): {got}, not {self.want}"
        )


def _true(f: Callable[[Any], Any], x: float, order: int) -> float:
    with mp.workdps(80):
        return float(mp.diff(f, mpf(x), order))


def _sigmoid_mp(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _softmax(x: Any) -> Any:
    e = np.exp(x)
    return e / np.sum(e)


def _shifted_softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x))
    return e / e.sum()


def _row_softmax(x: Any) -> Any:
    e = np.exp(x)
    return e / e.sum(axis=1, keepdims=True)


ZERO2, ZERO3, ONES3 = np.zeros(2), np.zeros(3), np.ones(3)
LOGITS = np.array([1000.0, 0.0, 0.0])
ROWS = np.array([[1000.0, 0.0, 0.0], [0.0, 0.0, 0.0]])

BRANCHES = [
    Fact("where(x<1, x, sqrt(x))", lambda x: np.where(x < 1, x, np.sqrt(x)), 0.0, 1.0),
    Fact("where(x>=1, sqrt(x), x)", lambda x: np.where(x >= 1, np.sqrt(x), x), 0.0, 1.0),
    Fact("where(a<=0, exp(a), 1+a)", lambda a: np.where(a <= 0, np.exp(a), 1 + a), 1000.0, 1.0),
    Fact("where(x>1, log(x), 0)", lambda x: np.where(x > 1, np.log(x), 0), 0.0, 0.0),
    Fact("where(x>1, 1/x, 0)", lambda x: np.where(x > 1, 1 / x, 0.0), 0.0, 0.0),
    Fact("where(x>1, x**-0.5, x)", lambda x: np.where(x > 1, x**-0.5, x), 0.0, 1.0),
    Fact("max of a root", lambda v: np.maximum(np.sqrt(v[0] ** 2 + v[1] ** 2), 1e-10), ZERO2,
        ZERO2),
    Fact("max of a root, array", lambda v: np.maximum(np.sqrt(v[0] * v[1]), np.ones(())), ZERO2,
        ZERO2),
    Fact("min of a pole", lambda x: np.minimum(1 / x, np.full((), 3.0)), 0.0, 0.0),
    Fact("sinc", lambda x: np.where(x == 0, 1, np.sin(x) / x), 0.0, 0.0),
    Fact("sinc with a sum between", lambda x: np.where(x == 0, 1, np.sum(np.sin(x) / x * ONES3)),
        0.0, 0.0),
    Fact("sinc with a product between",
         lambda x: np.where(x == 0, 1, (np.sin(x) / x * ONES3) @ ONES3), 0.0, 0.0),
    Fact("sinc with a matmul of poles between",
         lambda x: np.where(x == 0, 1, (ONES3 * x) @ (ONES3 / x)), 0.0, 0.0),
    Fact("... poles first", lambda x: np.where(x == 0, 1, (ONES3 / x) @ (ONES3 * x)), 0.0, 0.0),
    Fact("rows of a product not chosen",
         lambda x: np.sum(np.where(np.array([True, False]), (np.stack([ONES3, np.log(x)]) @ x), 0)),
         ZERO3, ONES3),
    Fact("a mean between", lambda x: np.where(x[0] == 0, np.sum(x), np.mean(np.sqrt(x))), ZERO3,
        ONES3),
    Fact("a slice between", lambda x: np.where(x[0] == 0, np.sum(x), np.sqrt(x)[1:].sum()), ZERO3,
        ONES3),
    Fact("a read of one element", lambda x: np.log(x)[1], np.array([0.0, 2.0]),
        np.array([0.0, 0.5])),
    Fact("a read by indices", lambda x: np.sum(np.log(x)[np.array([1, 1])]), np.array([0.0, 2.0]),
         np.array([0.0, 1.0])),
    Fact("a maximum of roots", lambda x: np.max(np.sqrt(x)), np.array([0.0, 4.0]),
        np.array([0.0, 0.25])),
    Fact("the largest of sorted roots", lambda x: np.sort(np.sqrt(x))[1], np.array([0.0, 4.0]),
         np.array([0.0, 0.25])),
    Fact("second derivative under a mask", lambda x: np.where(x > 0, (np.sqrt(x) - 1) ** 2, 0), 1.0,
        0.5, 2),
    Fact("second derivative of a guarded pole", lambda x: np.where(x > 1, 1 / x, x**2), 0.0, 2.0,
        2),
    Fact("a true pole stays", lambda x: np.sqrt(x), 0.0, np.inf),
    Fact("a true pole under a chosen branch", lambda x: np.where(x >= 0, np.sqrt(x), 0), 0.0,
        np.inf),
    Fact("a zero factor does not hide a pole", lambda x: 0.0 * np.log(x), 0.0, np.nan),
    Fact("a zero weight does not hide a pole", lambda x: np.zeros(3) @ np.log(x), ZERO3,
        np.full(3, np.nan)),
    Fact("a pole in a chosen product", lambda x: np.where(x == 0, (ONES3 / x) @ ONES3, 1), 0.0,
        -np.inf),
    Fact("a chosen product of finite numbers",
         lambda x: np.where(x[0] > 0, (np.array([[1.0, 2.0], [3.0, 4.0]]) @ x)[1], 0), np.ones(2),
         np.array([3.0, 4.0])),
    Fact("a chosen matrix of a product",
        lambda x: np.where(x[0, 0] > 0, x @ np.array([2.0, 3.0]), 0)[0],
         np.ones((2, 2)), np.array([[2.0, 3.0], [0.0, 0.0]])),
    Fact("a chosen product with a pole",
         lambda x: np.where(x[0] > 0, x @ np.array([np.inf, 1.0]), 0),
         np.ones(2), np.array([np.inf, 1.0]), forward=False),
    Fact("a zero weight after a product with a pole", lambda x: 0.0 * (x @ np.array([np.inf, 1.0])),
         np.ones(2), np.array([np.nan, 0.0]), forward=False),
    Fact("a zero weight after a sort does not hide a pole",
         lambda x: np.sort(np.sqrt(x)) @ np.array([0.0, 1.0]), np.array([0.0, 4.0]),
         np.array([np.nan, 0.25]), forward=False),
    Fact("writes hide what they overwrite", lambda x: _overwritten(x), np.array([0.0, 4.0]),
         np.array([1.0, 0.25])),
    Fact("a loop over a guarded root", lambda x: gg.scan(_guarded_step, x, np.ones(3))[0], 0.0,
        1.0),
]  # fmt: skip


def _sinc_mp(x: Any) -> Any:
    return mp.sincpi(x)


def _overwritten(x: Any) -> Any:
    y = np.sqrt(x)
    y[0] = x[0]
    return np.sum(y)


def _guarded_step(c: Any, one: Any) -> Any:
    return np.where(c <= 0, c * one, np.sqrt(c)), c


def _written_at_corners(x: Any) -> Any:
    y = x * 1.0
    y[np.array([[0], [2]]), np.array([0, 2])] = 5 * x[:2, :2]
    return np.sum(y * np.arange(9.0).reshape(3, 3))


FORMS = [
    Fact("x*sqrt(x)", lambda x: x * np.sqrt(x), 0.0, 0.0),
    Fact("sqrt(x)*x", lambda x: np.sqrt(x) * x, 0.0, 0.0),
    Fact("x*x**0.5", lambda x: x * x**0.5, 0.0, 0.0),
    Fact("sqrt(sum(x**2))", lambda x: np.sqrt(np.sum(x**2)), ZERO3, ZERO3),
    Fact("sqrt(sum(x*x))", lambda x: np.sqrt(np.sum(x * x)), ZERO3, ZERO3),
    Fact("sqrt(sum(square(x)))", lambda x: np.sqrt(np.sum(np.square(x))), ZERO3, ZERO3),
    Fact("sqrt(x@x)", lambda x: np.sqrt(x @ x), ZERO3, ZERO3),
    Fact("sqrt(dot(x, x))", lambda x: np.sqrt(np.dot(x, x)), ZERO3, ZERO3),
    Fact("(x**2).sum()**0.5", lambda x: (x**2).sum() ** 0.5, ZERO3, ZERO3),
    Fact("sqrt(a*a + b*b)", lambda v: np.sqrt(v[0] * v[0] + v[1] * v[1]), ZERO2, ZERO2),
    Fact("row norms", lambda x: np.sum(np.sqrt(np.sum(x**2, axis=1))),
        np.array([[0.0, 0.0], [3.0, 4.0]]),
         np.array([[0.0, 0.0], [0.6, 0.8]])),
    Fact("a norm away from 0", lambda x: np.sqrt(np.sum(x**2)), np.array([3.0, 4.0]),
        np.array([0.6, 0.8])),
    Fact("sqrt(x)**2", lambda x: np.sqrt(x) ** 2, 0.0, 1.0),
    Fact("sqrt(x)*sqrt(x)", lambda x: np.sqrt(x) * np.sqrt(x), 0.0, 1.0),
    Fact("square(sqrt(x))", lambda x: np.square(np.sqrt(x)), 0.0, 1.0),
    Fact("exp(log(x))", lambda x: np.exp(np.log(x)), 0.0, 1.0),
    Fact("sqrt(x**2)", lambda x: np.sqrt(x**2), 0.0, 0.0),
    Fact("sqrt(x**2) below 0", lambda x: np.sqrt(x**2), -2.0, -1.0),
    Fact("log(exp(x))", lambda x: np.log(np.exp(x)), 1000.0, 1.0),
]  # fmt: skip

_SIGMOIDS: dict[str, Callable[[Any], Any]] = {
    "1/(1+exp(-x))": lambda x: 1 / (1 + np.exp(-x)),
    "1/(exp(-x)+1)": lambda x: 1 / (np.exp(-x) + 1.0),
    "exp(x)/(1+exp(x))": lambda x: np.exp(x) / (1 + np.exp(x)),
    "(1+tanh(x/2))/2": lambda x: 0.5 * (1 + np.tanh(x / 2)),
}
_SOFTPLUS: dict[str, Callable[[Any], Any]] = {
    "log(1+exp(x))": lambda x: np.log(1 + np.exp(x)),
    "log(exp(x)+1)": lambda x: np.log(np.exp(x) + 1),
    "log1p(exp(x))": lambda x: np.log1p(np.exp(x)),
}

INPUT_FORMS = [
    *(Fact(f"{name}' at {x}", f, x, _true(_sigmoid_mp, x, 1))
      for name, f in _SIGMOIDS.items() for x in (40.0, 3.0, -40.0)),
    Fact("sigma'(40)", _SIGMOIDS["1/(1+exp(-x))"], 40.0, 4.248354255291589e-18),
    Fact("1 - sigma", lambda x: 1 - 1 / (1 + np.exp(-x)), 40.0, -4.248354255291589e-18),
    Fact("1 - sigma, the value", lambda x: 1 - 1 / (1 + np.exp(-x)), 40.0, 4.248354255291589e-18,
        0),
    Fact("sigma''", _SIGMOIDS["1/(1+exp(-x))"], 40.0, _true(_sigmoid_mp, 40.0, 2), 2),
    Fact("tanh'(20)", np.tanh, 20.0, 1.6993417021166355e-17),
    Fact("tanh'(-20)", np.tanh, -20.0, 1.6993417021166355e-17),
    Fact("tanh''(20)", np.tanh, 20.0, _true(mp.tanh, 20.0, 2), 2),
    *(Fact(f"{name}''", f, 37.42994775023705, 5.551115123125776e-17, 2)
        for name, f in _SOFTPLUS.items()),
    *(Fact(f"{name} at 1000", f, 1000.0, 1.0) for name, f in _SOFTPLUS.items()),
    *(Fact(f"{name} at -40", f, -40.0, 4.248354255291589e-18, 0) for name, f in _SOFTPLUS.items()),
    Fact("expm1'(-40)", np.expm1, -40.0, 4.248354255291589e-18),
    Fact("expm1''(-40)", np.expm1, -40.0, 4.248354255291589e-18, 2),
]  # fmt: skip

_LOG_SOFTMAX: dict[str, Callable[[Any], Any]] = {
    "-log(softmax(x)[1])": lambda x: -np.log(_softmax(x)[1]),
    "-log(softmax(x))[1]": lambda x: -np.log(_softmax(x))[1],
    "-log(shifted softmax(x)[1])": lambda x: -np.log(_shifted_softmax(x)[1]),
    "log(sum(exp(x))) - x[1]": lambda x: np.log(np.sum(np.exp(x))) - x[1],
    "-sum(onehot*log(softmax))": lambda x: -np.sum(np.eye(3)[1] * np.log(_softmax(x))),
    "-onehot@log(softmax)": lambda x: -(np.eye(3)[1] @ np.log(_softmax(x))),
}
CROSS_ENTROPY = [
    *(Fact(name, f, LOGITS, 1000.0, 0) for name, f in _LOG_SOFTMAX.items()),
    *(Fact(f"gradient of {name}", f, LOGITS, np.array([1.0, -1.0, 0.0]))
        for name, f in _LOG_SOFTMAX.items()),
    Fact("rows by labels", lambda x: -np.sum(np.log(_row_softmax(x)[np.arange(2), [1, 0]])), ROWS,
         1000.0 + np.log(3.0), 0),
    Fact("gradient of rows by labels",
         lambda x: -np.sum(np.log(_row_softmax(x)[np.arange(2), [1, 0]])), ROWS,
         np.array([[1.0, -1.0, 0.0], [-2 / 3, 1 / 3, 1 / 3]])),
    Fact("gradient of rows by one-hot",
        lambda x: -np.sum(np.log(_row_softmax(x)) * np.eye(3)[[1, 0]]), ROWS,
         np.array([[1.0, -1.0, 0.0], [-2 / 3, 1 / 3, 1 / 3]])),
]  # fmt: skip

_RELUS: dict[str, Callable[[Any], Any]] = {
    "maximum(x, 0)": lambda x: np.maximum(x, 0),
    "maximum(0, x)": lambda x: np.maximum(0, x),
    "maximum(x, 0.0)": lambda x: np.maximum(x, 0.0),
    "clip(x, 0, inf)": lambda x: np.clip(x, 0, np.inf),
    "clip(x, 0, None)": lambda x: np.clip(x, 0, None),
    "where(x > 0, x, 0)": lambda x: np.where(x > 0, x, 0),
    "x*(x > 0)": lambda x: x * (x > 0),
}
KINKS = [
    *(Fact(f"{name} at {x}", f, x, g)
        for name, f in _RELUS.items() for x, g in ((0.0, 0.0), (2.0, 1.0))),
    *(Fact(f"{name} of an array", lambda x, f=f: np.sum(f(x)), np.array([-1.0, 0.0, 2.0]),
           np.array([0.0, 0.0, 1.0])) for name, f in _RELUS.items()),
    Fact("minimum(x, 1) at 1", lambda x: np.minimum(x, 1), 1.0, 0.0),
    Fact("minimum(x, 1) below", lambda x: np.minimum(x, 1), 0.5, 1.0),
    Fact("minimum(1.0, x) above", lambda x: np.minimum(1.0, x), 1.5, 0.0),
    Fact("maximum(x, 1) at 1", lambda x: np.maximum(x, 1), 1.0, 0.0),
    Fact("maximum(x, y) at a tie", lambda v: np.maximum(v[0], v[1]), np.ones(2), np.full(2, 0.5)),
    Fact("minimum(x, y) at a tie", lambda v: np.minimum(v[0], v[1]), np.ones(2), np.full(2, 0.5)),
    Fact("maximum(x, x)", lambda x: np.maximum(x, x), 1.0, 1.0),
    Fact("max at a tie", np.max, np.array([1.0, 2.0, 2.0]), np.array([0.0, 0.5, 0.5])),
    Fact("min at a tie of three", np.min, np.ones(3), np.full(3, 1 / 3)),
    Fact("max by rows at ties", lambda x: np.sum(np.max(x, axis=1)),
        np.array([[1.0, 1.0], [0.0, 2.0]]),
         np.array([[0.5, 0.5], [0.0, 1.0]])),
    Fact("abs at 0", np.abs, 0.0, 0.0),
    Fact("abs(x)**2, twice", lambda x: np.abs(x) ** 2, 3.0, 2.0, 2),
    Fact("clip at a bound", lambda x: np.clip(x, -1, 1), 1.0, 0.0),
    Fact("clip at the other bound", lambda x: np.clip(x, -1, 1), -1.0, 0.0),
    Fact("clip inside", lambda x: np.clip(x, -1, 1), 0.5, 1.0),
    Fact("sign", np.sign, 0.5, 0.0),
    Fact("floor", lambda x: np.floor(x) * x, 2.5, 2.0),
]  # fmt: skip

SUMS = [
    Fact("0**y at 0, by convention", lambda y: np.power(0.0, y), 0.0, 0.0),
    Fact("a pole after a max", lambda x: np.sqrt(np.max(x)), np.array([0.0, -1.0]),
        np.array([np.inf, 0.0]),
         forward=False),
    Fact("a root that loses a max", lambda x: np.max(np.stack([1 + 0 * x, np.sqrt(x)])), 0.0, 0.0),
    Fact("a root that loses a min", lambda x: np.min(np.stack([0 * x - 1, np.sqrt(x)])), 0.0, 0.0),
    Fact("logsumexp of minus infinities", lambda x: np.log(np.sum(np.exp(x))), np.full(2, -np.inf),
        ZERO2),
    Fact("prod with a zero", np.prod, np.array([0.0, 2.0, 3.0]), np.array([6.0, 0.0, 0.0])),
    Fact("prod with two zeros", np.prod, np.array([0.0, 0.0, 3.0]), np.zeros(3)),
    Fact("x**0 at 0", lambda x: x**0, 0.0, 0.0),
    Fact("x**1 at 0", lambda x: x**1, 0.0, 1.0),
    Fact("x**2 at 0, twice", lambda x: x**2, 0.0, 2.0, 2),
    Fact("x**3 below 0", lambda x: x**3, -2.0, 12.0),
    Fact("x**3 below 0, twice", lambda x: x**3, -2.0, -12.0, 2),
    Fact("x**x", lambda x: x**x, 2.0, 4 * (1 + np.log(2.0))),
    Fact("0**y", lambda y: np.power(0.0, y), 2.0, 0.0),
    Fact("writes at indices that broadcast", _written_at_corners, np.ones((3, 3)),
         np.array([[0.0, 11.0, 0.0], [33.0, 44.0, 5.0], [0.0, 7.0, 0.0]])),
    Fact("many reads of elements", lambda x: sum(x[i] * x[-1 - i] for i in range(6)),
         np.arange(6.0), 2 * np.arange(6.0)[::-1]),
    Fact("many overlapping reads", lambda x: sum(np.sum(x[i : i + 3] ** 2) for i in range(5)),
         np.arange(7.0), 2 * np.arange(7.0) * np.array([1, 2, 3, 3, 3, 2, 1])),
    Fact("many reads of rows, twice the same",
        lambda x: sum(np.sum(x[i // 2] * (i + 1)) for i in range(8)),
         np.ones((5, 2)), np.repeat([3.0, 7.0, 11.0, 15.0, 0.0], 2).reshape(5, 2)),
    Fact("many strided reads",
        lambda x: sum(np.sum(x[::-2] * (i + 1.0) * x[1::2]) for i in range(2)),
         np.arange(4.0), 3 * np.array([0.0, 3.0, 0.0, 1.0]) + 3 * np.array([0.0, 3.0, 0.0, 1.0])),
    Fact("reads of columns among rows",
         lambda x: sum(x[i, 1] for i in range(4)) + np.sum(x[2]) + np.sum(x[:, 0] ** 2)
             + np.sum(x[1:3]),
         np.ones((4, 2)), np.array([[2.0, 1.0], [3.0, 2.0], [4.0, 3.0], [2.0, 1.0]])),
]  # fmt: skip

FEW_LOGITS = np.array([2.0, -1.99, -0.01])
_P = np.exp(FEW_LOGITS) / np.exp(FEW_LOGITS).sum()
_NORMS: dict[str, Callable[[Any], Any]] = {
    "sqrt(sum(x**2))": lambda x: np.sqrt(np.sum(x**2)),
    "sqrt(sum(x*x))": lambda x: np.sqrt(np.sum(x * x)),
    "sqrt(sum(square(x)))": lambda x: np.sqrt(np.sum(np.square(x))),
    "sqrt(x@x)": lambda x: np.sqrt(x @ x),
    "sqrt(dot(x, x))": lambda x: np.sqrt(np.dot(x, x)),
    "(x**2).sum()**0.5": lambda x: (x**2).sum() ** 0.5,
    "sqrt(a*a + b*b)": lambda v: np.sqrt(v[0] * v[0] + v[1] * v[1]),
    "hypot(a, b)": lambda v: np.hypot(v[0], v[1]),
    "norm(x)": np.linalg.norm,
}
SECOND_ORDER = [
    *(Fact(fact.name, fact.f, fact.at, np.zeros(np.shape(fact.at) * 2), 2)
        for fact in BRANCHES[:12]),
    *(Fact(name, f, 4.0, 0.375, 2) for name, f in (
        ("x*sqrt(x)", lambda x: x * np.sqrt(x)), ("sqrt(x)*x", lambda x: np.sqrt(x) * x),
        ("x*x**0.5", lambda x: x * x**0.5))),
    *(Fact(name, f, np.array([3.0, 4.0]), np.array([[0.128, -0.096], [-0.096, 0.072]]), 2)
        for name, f in _NORMS.items()),
    *(Fact(f"{name} at 0", f, ZERO2, ZERO2) for name, f in _NORMS.items()),
    *(Fact(fact.name, fact.f, fact.at, 0.0, 2) for fact in FORMS if fact.name in (
        "sqrt(x)**2", "sqrt(x)*sqrt(x)", "square(sqrt(x))", "exp(log(x))", "sqrt(x**2) below 0",
        "log(exp(x))")),
    *(Fact(f"{name}'' at {x}", f, x, _true(_sigmoid_mp, x, 2), 2)
        for name, f in _SIGMOIDS.items() for x in (40.0, 3.0, -40.0)),
    Fact("1 - sigma", lambda x: 1 - 1 / (1 + np.exp(-x)), 40.0, -_true(_sigmoid_mp, 40.0, 2), 2),
    *(Fact(f"{name}'' at 1000", f, 1000.0, 0.0, 2) for name, f in _SOFTPLUS.items()),
    *(Fact(f"{name}'' at -40", f, -40.0, _true(_sigmoid_mp, -40.0, 1), 2)
        for name, f in _SOFTPLUS.items()),
    *(Fact(f"{name}, twice", f, FEW_LOGITS, np.diag(_P) - np.outer(_P, _P), 2)
        for name, f in _LOG_SOFTMAX.items()),
    *(Fact(f"{name} of large numbers, twice", f, LOGITS, np.zeros((3, 3)), 2)
        for name, f in _LOG_SOFTMAX.items()),
    *(Fact(f"np.sinc, {order} times, at {x}", np.sinc, x, _true(_sinc_mp, x, order), order)
        for x in (0.0, 1e-9, 1e-3, 0.4, 2.0, -2.5, 100.0) for order in (1, 2)),
    *(Fact(f"{name} at {x}, twice", f, x, 0.0, 2)
        for name, f in _RELUS.items() for x in (-1.0, 0.0, 2.0)),
    *(Fact(f"{name} by the second of two arguments", lambda y, f=f: gg.grad(
        lambda a, b: f(a) + f(b), argnums=(0, 1))(1.0, y)[1] * y, 0.0, 0.0)
        for name, f in _RELUS.items()),
]  # fmt: skip
"""The same spellings once more, differentiated twice where the mathematics allows it."""

FACTS = [*BRANCHES, *FORMS, *INPUT_FORMS, *CROSS_ENTROPY, *KINKS, *SUMS, *SECOND_ORDER]
