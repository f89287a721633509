"""cond, while_loop, remat and custom_rule: values, both modes, nesting, vmap, errors."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.graph.errors import CalculusError, GlassgradError, NoRuleError, ShapeError

R = np.random.default_rng(0)


# -- cond ---------------------------------------------------------------------------------------


def bent(x):
    return gg.cond(np.sum(x) > 0, lambda x: np.sqrt(x) * x, lambda x: np.exp(-x), x)


@pytest.mark.parametrize(("x", "f"), [(np.array([4.0, 1.0]), lambda x: np.sqrt(x) * x),
                                      (np.array([-4.0, 1.0]), lambda x: np.exp(-x))])  # fmt: skip
def test_cond_is_the_branch_that_was_taken(x, f):
    np.testing.assert_array_equal(bent(x), f(x))
    loss, plain = (
        (lambda g: lambda x: np.sum(g(x) * np.arange(2.0)))(bent),
        (lambda x: np.sum(f(x) * np.arange(2.0))),
    )
    np.testing.assert_allclose(gg.grad(loss)(x), gg.grad(plain)(x), rtol=1e-14)
    np.testing.assert_allclose(gg.hessian(loss)(x), gg.hessian(plain)(x), rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(
        gg.jvp(bent, (x,), (np.ones(2),))[1], gg.jvp(f, (x,), (np.ones(2),))[1], rtol=1e-14
    )
    gg.check_grads(loss, (x,))


def test_the_branch_not_taken_never_poisons():
    for f in (
        lambda x: gg.cond(x > 0, np.sqrt, lambda x: 3 * x, x),
        lambda x: gg.cond(x > 0, lambda: np.sqrt(x), lambda: 3 * x),
        lambda x: (lambda r: gg.cond(x > 0, lambda: r, lambda: 3 * x))(np.sqrt(x)),
    ):
        for x in (0.0, -1.0):
            with np.errstate(invalid="ignore"):
                assert f(x) == 3 * x
            assert gg.grad(f)(x) == 3.0
            assert gg.jvp(f, (x,), (1.0,))[1] == 3.0


def test_one_branch_is_run():
    x = gg.variable("x")
    y = gg.cond(x > 0, lambda: np.exp(x), lambda: 1.0)
    names = [n.name for n in gg.ComputationalGraph(y).nodes]
    assert "cond" in names and "exp" not in names
    assert gg.evaluate([y, y * 2], {x: -1.0}) == [1.0, 2.0]


def test_cond_of_containers_integers_and_mixed_dtypes():
    def f(p):
        return gg.cond(p["n"] == 2, lambda p: {"n": p["n"] + 1, "x": p["x"] * 2},
                       lambda p: {"n": p["n"], "x": np.float64(1.0)}, p)  # fmt: skip

    assert f({"n": 2, "x": np.float32(4.0)}) == {"n": 3, "x": 8.0}
    assert f({"n": 1, "x": np.float32(4.0)}) == {"n": 1, "x": 1.0}


def test_cond_under_vmap():
    xs = np.array([4.0, -1.0, 0.0])

    def one(x, c):
        return gg.cond(x > 0, lambda x: np.sqrt(x) * c, lambda x: 3 * x, x)

    both = gg.vmap(gg.value_and_grad(one), in_axes=(0, None))(xs, 2.0)
    np.testing.assert_allclose(both[0], [4.0, -3.0, 0.0])
    np.testing.assert_allclose(both[1], [0.5, 3.0, 3.0])
    shared = gg.vmap(lambda x, p: gg.cond(p, lambda x: x * 2, lambda x: np.zeros(()), x), (0, None))
    np.testing.assert_array_equal(shared(xs, np.array(True)), 2 * xs)
    np.testing.assert_array_equal(shared(xs, np.array(False)), 0 * xs)


def test_cond_in_a_scan_is_stable_and_differentiable():
    def f(x):
        return gg.scan(
            lambda c, i: (gg.cond(i == 0, lambda c: np.sin(c) * x, lambda c: c + x, c), c),
            x, np.arange(5) % 2,
        )[0]  # fmt: skip

    def plain(x):
        c = x
        for i in range(5):
            c = np.sin(c) * x if i % 2 == 0 else c + x
        return c

    np.testing.assert_allclose(f(0.7), plain(0.7), rtol=1e-14)
    np.testing.assert_allclose(gg.grad(f)(0.7), gg.grad(plain)(0.7), rtol=1e-13)


# -- while_loop -----------------------------------------------------------------------------------


def newton_root(a):
    """The square root of a, by steps until it fits."""
    return gg.while_loop(lambda x: np.abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a)


def test_while_loop_value_and_forward_mode():
    np.testing.assert_allclose(newton_root(2.0), np.sqrt(2.0), rtol=1e-12)
    np.testing.assert_allclose(gg.jacobian(newton_root)(2.0), 0.5 / np.sqrt(2), rtol=1e-9)
    value, slope = gg.jvp(newton_root, (2.0,), (1.0,))
    np.testing.assert_allclose([value, slope], [np.sqrt(2), 0.5 / np.sqrt(2)], rtol=1e-9)
    assert gg.while_loop(lambda x: x < 0, lambda x: x + 1, 5) == 5
    last = gg.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, s[1] * 2.0), (0, 1.0))
    assert last == (4, 16.0)


def test_reverse_mode_of_while_loop_is_an_error_by_name():
    with pytest.raises(CalculusError, match=r"no reverse mode(.|\n)*scan(.|\n)*max_steps"):
        gg.grad(newton_root)(2.0)


def test_a_bound_on_the_steps_gives_reverse_mode():
    def root(a):
        def far(x):
            return np.abs(x * x - a) > 1e-12

        return gg.while_loop(far, lambda x: 0.5 * (x + a / x), a, max_steps=20)

    np.testing.assert_allclose(root(2.0), np.sqrt(2.0), rtol=1e-12)
    np.testing.assert_allclose(gg.grad(root)(2.0), 0.5 / np.sqrt(2.0), rtol=1e-9)
    assert gg.while_loop(lambda x: x < 100, lambda x: x + 1, 0, max_steps=3) == 3


def test_while_loop_under_vmap():
    found = gg.vmap(newton_root)(np.array([2.0, 9.0, 0.25]))
    np.testing.assert_allclose(found, [np.sqrt(2), 3, 0.5], rtol=1e-12)
    counted = gg.vmap(lambda x, n: gg.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] * x),
                                                 (0, 1.0)), in_axes=(0, None))  # fmt: skip
    steps, powers = counted(np.array([2.0, 3.0]), 3)
    np.testing.assert_array_equal(powers, [8.0, 27.0])
    np.testing.assert_array_equal(steps, [3, 3])


# -- remat ----------------------------------------------------------------------------------------


def block(w, x):
    return np.tanh(np.sin(x @ w) * np.exp(-x))


def deep(w, x, layer):
    for _ in range(4):
        x = layer(w, x)
    return np.sum(x**2)


def test_remat_has_the_same_bits():
    w, x = 0.3 * R.normal(size=(5, 5)), R.normal(size=(7, 5))
    kept, again = (lambda w: deep(w, x, block)), (lambda w: deep(w, x, gg.remat(block)))
    np.testing.assert_array_equal(kept(w), again(w))
    np.testing.assert_array_equal(gg.grad(kept)(w), gg.grad(again)(w))
    single = gg.grad(lambda x: np.sum(gg.remat(lambda x: block(w, x))(x)))(x)
    np.testing.assert_array_equal(single, gg.grad(lambda x: np.sum(block(w, x)))(x))
    v = R.normal(size=w.shape)
    np.testing.assert_allclose(gg.hvp(again)(w, v), gg.hvp(kept)(w, v), rtol=1e-11, atol=1e-13)


def test_remat_computes_again_in_the_backward_pass():
    w, x = gg.variable("w", (5, 5)), gg.variable("x", (7, 5))
    y = np.sum(gg.remat(block)(w, x))
    outside = {n.name for n in gg.ComputationalGraph(y).nodes}
    assert not outside & {"tanh", "sin", "exp", "contract"}
    (g,) = gg.gradients(y, [w])
    calls = [n for n in gg.ComputationalGraph(g).nodes if n.name == "call"]
    assert len(calls) == 1  # the pullback alone: nothing of the forward pass is read
    assert {n.name for n in calls[0].op.body.order} >= {"sin", "exp"}


def test_remat_under_vmap_and_in_containers():
    w, x = R.normal(size=(3, 3)), R.normal(size=(4, 3))
    f = gg.remat(lambda p, scale: {"y": np.tanh(p["x"] @ p["w"]) * scale})
    found = gg.vmap(lambda x: f({"x": x, "w": w}, 2.0)["y"])(x)
    np.testing.assert_allclose(found, np.tanh(x @ w) * 2, rtol=1e-14)


# -- custom_rule ----------------------------------------------------------------------------------


def test_a_vjp_rule_gives_both_modes():
    rule = lambda g, v, x, y: (2 * g * np.exp(y), g * v)  # noqa: E731
    f = gg.custom_rule(lambda x, y: x * np.exp(y), vjp=rule)
    assert f(2.0, 0.0) == 2.0
    assert gg.grad(f, (0, 1))(2.0, 0.0) == (2.0, 2.0)  # the rule's, not the function's
    assert gg.jvp(f, (2.0, 0.0), (1.0, 10.0))[1] == 22.0
    assert gg.grad(gg.grad(f), 1)(2.0, 0.0) == 2.0  # d/dy of 2 exp(y)


def test_a_jvp_rule_gives_both_modes():
    f = gg.custom_rule(np.sin, jvp=lambda ts, y, x: 3 * ts[0] * np.cos(x))
    np.testing.assert_allclose(gg.jvp(f, (0.5,), (2.0,))[1], 6 * np.cos(0.5))
    np.testing.assert_allclose(gg.grad(f)(0.5), 3 * np.cos(0.5))
    np.testing.assert_allclose(gg.grad(gg.grad(f))(0.5), -3 * np.sin(0.5))


def test_containers_none_and_integers():
    f = gg.custom_rule(
        lambda p, i: {"a": p["w"] * 2, "n": i + 1},
        vjp=lambda g, y, p, i: ({"w": 5 * g["a"], "b": None}, None),
    )
    g = gg.grad(lambda p: np.sum(f(p, np.array(3))["a"]))({"w": np.ones(2), "b": 1.0})
    np.testing.assert_array_equal(g["w"], [5.0, 5.0])
    assert g["b"] == 0.0


def test_custom_rule_under_vmap_and_scan():
    w, xs = R.normal(size=3), R.normal(size=(4, 3))
    f = gg.custom_rule(lambda w, x: np.dot(w, x) ** 2,
                       vjp=lambda g, y, w, x: (7 * g * x, None))  # fmt: skip
    np.testing.assert_allclose(gg.vmap(f, in_axes=(None, 0))(w, xs), (xs @ w) ** 2, rtol=1e-13)
    whole = gg.grad(lambda w: np.sum(gg.vmap(f, in_axes=(None, 0))(w, xs)))(w)
    np.testing.assert_allclose(whole, 7 * xs.sum(0), rtol=1e-13)
    looped = gg.grad(lambda w: np.sum(gg.scan(lambda c, x: (c, f(w, x)), 0.0, xs)[1]))(w)
    np.testing.assert_allclose(looped, 7 * xs.sum(0), rtol=1e-13)
    each = gg.vmap(gg.grad(f), in_axes=(None, 0))(w, xs)
    np.testing.assert_allclose(each, 7 * xs, rtol=1e-13)


def test_rules_are_gone_when_the_graph_is_run():
    """Once differentiated, the function is compiled like any other, on every engine."""
    f = gg.custom_rule(lambda x: np.sum(np.sin(x) * x), vjp=lambda g, y, x: g * (2 * x + y))
    x = R.normal(size=5)
    for engine in ("reference", "native"):
        value, g = gg.jit(gg.value_and_grad(f), engine=engine)(x)
        np.testing.assert_allclose(value, np.sum(np.sin(x) * x), rtol=1e-14)
        np.testing.assert_allclose(g, 2 * x + value, rtol=1e-14)
    jitted = gg.jit(f)
    np.testing.assert_allclose(gg.grad(lambda x: jitted(x) ** 2)(x), 2 * f(x) * (2 * x + f(x)))


# -- bad use --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [(lambda: gg.cond(np.array([True]), lambda: 1.0, lambda: 2.0), "one boolean"),
     (lambda: gg.cond(True, lambda: 1.0, lambda: np.ones(2)), "both must be the same"),
     (lambda: gg.cond(True, lambda: (1.0,), lambda: 1.0), "both must be the same"),
     (lambda: gg.while_loop(lambda x: x < 2, lambda x: (x, x), 1.0), "goes out as"),
     (lambda: gg.while_loop(lambda x: (x, x), lambda x: x, 1.0), "returns one boolean"),
     (lambda: gg.custom_rule(np.sin), "needs a rule"),
     (lambda: gg.grad(gg.custom_rule(np.sum, vjp=lambda g, y, x: g))(np.ones(2)), "gives shape"),
     (lambda: gg.grad(lambda a: gg.custom_rule(lambda x: a * x, vjp=lambda g, y, x: g)(2.0))(1.0),
      "none of its arguments")],
)  # fmt: skip
def test_bad_use_is_an_error_by_name(call, words):
    with pytest.raises((ShapeError, CalculusError), match=words):
        call()


@pytest.mark.parametrize(
    ("f", "name"),
    [(lambda x: gg.cond(x > 0, np.sin, np.cos, x), "cond"),
     (lambda x: gg.while_loop(lambda c: c < x, lambda c: c + 1, 0.0), "while_loop"),
     (gg.remat(np.sin), "remat"), (gg.custom_rule(np.sin, vjp=lambda g, y, x: g), "custom_rule")],
)  # fmt: skip
def test_engines(f, name):
    assert gg.jit(f, engine="reference")(0.5) == f(0.5)
    try:
        assert np.isclose(gg.jit(f, engine="native")(0.5), f(0.5))
    except GlassgradError as problem:
        assert name in str(problem) and 'engine="reference"' in str(problem)


@pytest.mark.parametrize("use", [
    lambda f, x: gg.cond(x[0] > 0, f, lambda x: x, x),
    lambda f, x: gg.scan(lambda c, v: (c, f(v)), 0.0, x),
    lambda f, x: gg.while_loop(lambda c: c[0] < 3, f, x),
    lambda f, x: gg.remat(f)(x),
    lambda f, x: gg.vmap(f)(x),
])  # fmt: skip
def test_writes_to_arrays_from_outside_are_refused(use):
    def loss(x):
        kept = np.zeros(3)

        def body(v):
            kept[0] = np.sum(v)
            return v

        use(body, x)
        return np.sum(kept)

    with pytest.raises(NoRuleError, match=r"from outside is written(.|\n)*kept\[0\] = np.sum"):
        gg.grad(loss)(np.ones(3))


def test_writes_inside_a_body_are_its_own():
    def body(x):
        y = np.zeros(2)
        y[0] = x[1]
        x[1] = 5.0
        return x * 2 + y

    def loss(x):
        twice = 2 * x
        out = gg.cond(x[0] > 0, body, lambda x: x, twice)
        return np.sum(out * np.array([1.0, 10.0])) + np.sum(twice)

    assert loss(np.array([1.0, 2.0])) == (4 + 4) + 10 * 10 + 6
    np.testing.assert_array_equal(gg.grad(loss)(np.array([1.0, 2.0])), [6.0, 4.0])


def test_python_numbers_stay_weak():
    x = np.ones(2, np.float32)
    assert gg.cond(True, lambda x, s: x * s, lambda x, s: x, x, 2.0).dtype == np.float32
    assert gg.remat(lambda x, s: x * s)(x, 2.0).dtype == np.float32
    scaled = gg.custom_rule(lambda x, s: x * s, vjp=lambda g, y, x, s: (g * s, None))
    assert scaled(x, 2.0).dtype == np.float32
    assert gg.grad(lambda x: np.sum(scaled(x, 2.0)))(x).tolist() == [2.0, 2.0]
    pushed = gg.custom_rule(lambda x, s: x * s, jvp=lambda ts, y, x, s: ts[0] * s + ts[1])
    assert gg.grad(lambda x: np.sum(pushed(x, 2.0)))(x).tolist() == [2.0, 2.0]
