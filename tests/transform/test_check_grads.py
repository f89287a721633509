"""gg.check_grads: right derivatives pass in every dtype, a wrong rule is named with op and line."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.graph.errors import CalculusError
from glassgrad.graph.op import REGISTRY
from glassgrad.ops.contract import Contract
from glassgrad.transform.check import DerivativeError
from glassgrad.transform.difference import KinkError

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def registry_as_before():
    before = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(before)


def net(p, x, y):
    h = np.maximum(x @ p["a"] + p["b"], 0)
    z = h @ p["c"]
    m = z - z.max(1, keepdims=True)
    logs = m - np.log(np.exp(m).sum(1, keepdims=True))
    return -np.mean(logs[np.arange(len(y)), y])


def parameters(dtype):
    return {"a": RNG.normal(size=(4, 5)).astype(dtype), "b": RNG.normal(size=5).astype(dtype),
            "c": RNG.normal(size=(5, 3)).astype(dtype)}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network(dtype):
    x, y = RNG.normal(size=(6, 4)).astype(dtype), np.array([0, 1, 2, 0, 1, 2])
    found = gg.check_grads(net, (parameters(dtype), x, y))
    assert len(found.gaps) == 2 and all(gap < 1e-9 for gap, _ in found.gaps)


def test_loops_sorts_and_third_order():
    def f(w, xs):
        last, kept = gg.scan(lambda c, x: (np.tanh(c * w + x), np.sin(c * w)), np.zeros(2), xs)
        return np.sort(last)[0] ** 3 + np.sum(kept * np.arange(2.0))

    gg.check_grads(f, (np.array([0.3, -0.5]), RNG.normal(size=(5, 2))), order=3)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_wrong_partial_is_named(order, dtype):
    slightly = gg.define_op(
        "slightly", lambda x: x * np.sin(x), partials=lambda x: np.sin(x) + 1.0001 * x * np.cos(x)
    )

    def loss(x):
        y = np.exp(x)
        return np.sum(slightly(y) ** 2)

    with pytest.raises(DerivativeError) as caught:
        gg.check_grads(loss, (np.array([0.3, -1.0], dtype),), order=order)
    text = str(caught.value)
    assert "the op at fault is slightly" in text and "`partials`" in text
    assert "test_check_grads.py" in text and "np.sum(slightly(y) ** 2)" in text


def test_a_wrong_second_derivative_is_named(monkeypatch):
    """The rule of a rule: the derivative's own derivative is wrong."""
    slope = gg.define_op("slope", lambda x: np.cos(x), partials=lambda x: 1.5 * np.sin(x))
    wave = gg.define_op("wave", lambda x: np.sin(x), partials=lambda x: slope(x))
    gg.check_grads(lambda x: np.sum(wave(x)), (np.array([0.3, 2.0]),), order=1)
    with pytest.raises(DerivativeError, match=r"of order 2(.|\n)*the op at fault is slope"):
        gg.check_grads(lambda x: np.sum(wave(x)), (np.array([0.3, 2.0]),))


@pytest.mark.parametrize("mode", ["vjp", "jvp"])
def test_a_wrong_structural_rule_is_named(monkeypatch, mode):
    right = getattr(Contract, mode)

    def wrong(self, node, given):
        found = right(self, node, given)
        return (found[0], found[0]) if mode == "vjp" else found * 2.0

    monkeypatch.setattr(Contract, mode, wrong)
    x = RNG.normal(size=(3, 3))
    with pytest.raises(DerivativeError, match=rf"at fault is matmul(.|\n)*`{mode}`"):
        gg.check_grads(lambda x: np.sum(np.tanh(x @ (x + 1.0)) ** 2), (x,), order=1)


def test_inside_a_loop():
    half = gg.define_op("half", lambda x: 0.5 * x, partials=lambda x: 0.4 * x / x)

    def f(w):
        return gg.scan(lambda c, x: (half(c) * w + x, None), 0.3, np.ones(4))[0]

    with pytest.raises(DerivativeError, match="at fault is half"):
        gg.check_grads(f, (0.7,))


@pytest.mark.parametrize(
    ("f", "x", "op"),
    [(lambda x: np.sum(np.maximum(x, 0)), [0.0, 1.0], "relu"),
     (lambda x: np.sum(np.abs(x)), [0.0, 1.0], "abs"),
     (lambda x: np.max(x), [1.0, 1.0], "max"),
     (lambda x: np.sum(np.where(x > 1, x, 2 * x)), [1.0, 3.0], "where"),
     (lambda x: np.sum(np.clip(x, -1, 1)), [-1.0, 3.0], "clip"),
     (lambda x: np.sort(x)[0], [2.0, 2.0], "sort")],
)  # fmt: skip
def test_a_kink_is_an_error_by_name(f, x, op):
    with pytest.raises(KinkError, match=rf"kink of {op}(.|\n)*test_check_grads"):
        gg.check_grads(f, (np.array(x),))


def test_beside_a_kink_the_step_shrinks():
    x = np.array([1e-3, -1e-4, 2.0])
    gg.check_grads(lambda x: np.sum(np.maximum(x, 0) ** 2 * np.abs(x)), (x,))
    gg.check_grads(lambda x: np.log(x), (1e-6,))


def test_a_tie_that_never_breaks_is_no_kink():
    gg.check_grads(lambda x: np.maximum(x, x) + np.maximum(0 * x, 0), (2.0,))


def test_what_is_not_real_is_passed_on():
    rows = np.array([2, 0])
    gg.check_grads(lambda w, i, n: np.sum(w[i]) ** n, (RNG.normal(size=3), rows, 2))


@pytest.mark.parametrize("args", [np.ones(2), (np.arange(3),)])
def test_bad_arguments(args):
    with pytest.raises(CalculusError):
        gg.check_grads(lambda *x: x[0], args)


def test_lines_inside_branches_and_kinks_inside_loops():
    wrong = gg.define_op("wrong", lambda x: x * x, partials=lambda x: 2.1 * x)

    def branch(w):
        def yes(w):
            z = np.exp(w)
            return wrong(z)

        return gg.cond(w > 0, yes, lambda w: w, w)

    with pytest.raises(DerivativeError, match=r"at fault is wrong(.|\n)*return wrong\(z\)"):
        gg.check_grads(branch, (0.7,))
    gg.check_grads(branch, (-0.7,))

    def rnn(w, xs):
        def body(c, x):
            y = np.maximum(c * w + x, 0)
            return y, c

        return np.sum(gg.scan(body, np.zeros(3), xs)[1] ** 2)

    w = np.array([0.5, -0.2, 0.9])
    gg.check_grads(rnn, (w, RNG.normal(size=(6, 3))))
    with pytest.raises(KinkError, match=r"kink of relu(.|\n)*np.maximum\(c \* w \+ x, 0\)"):
        gg.check_grads(rnn, (w, np.zeros((6, 3))))


def test_a_wrong_rule_of_a_loop_itself_is_named(monkeypatch):
    from glassgrad.diff import bodies
    from glassgrad.ops.loop import Scan

    push, pull = bodies.BODIES[Scan]
    monkeypatch.setitem(bodies.BODIES, Scan, (push, lambda *a: [
        None if g is None else g * 2.0 for g in pull(*a)
    ]))  # fmt: skip
    with pytest.raises(DerivativeError, match=r"wrong VJP of order 1(.|\n)*at fault is scan"):
        gg.check_grads(lambda w: gg.scan(lambda c, _: (c * w, None), w, length=3)[0], (0.7,))


def test_a_predicate_is_a_kink_and_a_custom_rule_is_named():
    def bent(x):
        return gg.cond(x > 0, lambda x: x, lambda x: 2 * x, x)

    gg.check_grads(bent, (0.5,))
    with pytest.raises(KinkError, match="kink of less"):
        gg.check_grads(bent, (0.0,))
    double = gg.custom_rule(np.sin, vjp=lambda g, y, x: 2 * g * np.cos(x))
    with pytest.raises(DerivativeError, match=r"at fault is custom_rule.*was given"):
        gg.check_grads(lambda x: double(x) ** 2, (0.3,))
    gg.check_grads(gg.custom_rule(np.sin, vjp=lambda g, y, x: g * np.cos(x)), (0.3,))


# -- loops of an unknown number of steps -----------------------------------------------------


def turns(step):
    """A while loop of three turns of a step."""
    return lambda x: gg.while_loop(
        lambda c: c[1] < 3, lambda c: (step(c[0]) + x, c[1] + 1), (x, 0)
    )[0]


def test_a_while_loop_is_checked_in_forward_mode():
    def f(x):
        def more(c):
            return np.sum(c[0] ** 2) < 100

        c, _ = gg.while_loop(more, lambda c: (c[0] * 1.5 + np.sin(x), c[1] + 1), (x, 0))
        return np.sum(c**2)

    found = gg.check_grads(f, (np.array([0.3, -1.0, 0.7]),))
    assert len(found.gaps) == 2 and all(gap < allowed for gap, allowed in found.gaps)
    assert not found.reverse and "forward mode alone" in repr(found)
    assert gg.check_grads(np.tanh, (0.3,)).reverse


def test_a_kink_inside_a_while_loop_is_seen():
    bent = turns(lambda c: 1.5 * np.abs(c - 0.5))
    with pytest.raises(KinkError, match=r"kink of abs .*\n  at test_check_grads.py"):
        gg.check_grads(bent, (0.5,))
    gg.check_grads(bent, (0.7,))


def test_a_jump_of_the_number_of_turns_is_seen():
    def f(x):
        return gg.while_loop(lambda c: c < 4.0, lambda c: 2.0 * c, x)

    with pytest.raises(KinkError, match="kink of less"):
        gg.check_grads(f, (1.0,))
    gg.check_grads(f, (1.1,))


def test_a_wrong_op_inside_a_while_loop_is_named():
    bad = gg.define_op("bad_in_a_loop", lambda x: x * x, partials=lambda x: 2.01 * x)
    with pytest.raises(
        DerivativeError, match=r"wrong JVP of order 1.*\n.*at fault is bad_in_a_loop"
    ):
        gg.check_grads(turns(bad), (0.5,))


# -- kinks that are none ---------------------------------------------------------------------


@pytest.mark.parametrize("f", [np.std, np.corrcoef, lambda x: np.linalg.norm(x - np.mean(x, 0))])
def test_a_choice_between_equal_numbers_is_no_kink(f):
    x = np.random.default_rng(5).normal(size=(2, 3)) + 0.3
    gg.check_grads(lambda x: np.sum(np.sin(f(x))), (x,))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.where(x > 1, x**2, x),
        lambda x: x * (x > 1),
        lambda x: np.where(np.any(np.stack([x, 2 * x]) > 2), x, 3.0),
        lambda x: gg.cond(x <= 1, np.sin, np.cos, x),
    ],
)
def test_a_choice_that_flips_is_a_kink(f):
    with pytest.raises(KinkError):
        gg.check_grads(f, (1.0,))
    gg.check_grads(f, (1.2,))
