"""gg.vmap: axes, nesting, errors; per-example gradients and their norms."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.graph.errors import ShapeError, UnboundError

R = np.random.default_rng(0)


def test_axes_in_and_out():
    a, b = R.normal(size=(4, 5)), R.normal(size=(5, 4, 2))
    found = gg.vmap(lambda x, y: {"p": x @ y, "x": x}, in_axes=(1, 0), out_axes={"p": 1, "x": -1})(
        a, b
    )
    np.testing.assert_allclose(found["p"], np.einsum("in,nij->jn", a, b), rtol=1e-13)
    np.testing.assert_array_equal(found["x"], a)


def test_containers_shared_arguments_and_constants():
    p = {"w": R.normal(size=(3, 2)), "b": 1.5}
    x = R.normal(size=(6, 2))
    f = gg.vmap(lambda p, x, n: (p["w"] @ x * n + p["b"], 7.0), in_axes=(None, 0, None))
    found = f(p, x, 2)
    np.testing.assert_allclose(found[0], x @ p["w"].T * 2 + 1.5, rtol=1e-13)
    np.testing.assert_array_equal(found[1], np.full(6, 7.0))
    part = gg.vmap(lambda p: p["w"] * p["b"], in_axes=({"w": 1, "b": None},))(p)
    np.testing.assert_allclose(part, p["w"].T * 1.5)
    shared = gg.vmap(lambda x, c: (x, c), in_axes=(0, None), out_axes=(0, None))(x, np.ones(2))
    np.testing.assert_array_equal(shared[1], np.ones(2))


def test_indexing_by_an_example():
    table, rows = R.normal(size=(5, 3)), np.array([4, 0, 0, -1])
    np.testing.assert_array_equal(gg.vmap(lambda i: np.array(table)[i])(rows), table[rows])
    logits = R.normal(size=(4, 5))
    found = gg.vmap(lambda z, i: z[i])(logits, rows)
    np.testing.assert_array_equal(found, logits[np.arange(4), rows])


def test_writes_stay_inside():
    def f(x):
        y = np.zeros(3)
        y[0] = x
        y[1:] = y[0] + np.arange(2.0)
        return y

    x = np.array([1.0, 5.0])
    np.testing.assert_array_equal(gg.vmap(f)(x), [[1, 1, 2], [5, 5, 6]])


def test_nested_and_with_gradients():
    w, xs = R.normal(size=3), R.normal(size=(5, 3))

    def f(w, x):
        return np.sum(np.tanh(w * x) ** 2) * x[0]

    each = gg.vmap(gg.grad(f), in_axes=(None, 0))(w, xs)
    np.testing.assert_allclose(each, np.stack([gg.grad(f)(w, x) for x in xs]), rtol=1e-13)
    whole = gg.grad(lambda w: np.sum(gg.vmap(f, in_axes=(None, 0))(w, xs)))(w)
    np.testing.assert_allclose(whole, each.sum(0), rtol=1e-12)
    hessians = gg.vmap(gg.hessian(f), in_axes=(None, 0))(w, xs)
    np.testing.assert_allclose(hessians, [gg.hessian(f)(w, x) for x in xs], rtol=1e-12)
    pairs = gg.vmap(lambda a: gg.vmap(lambda b: np.dot(a, b))(xs))(xs)
    np.testing.assert_allclose(pairs, xs @ xs.T, rtol=1e-13)
    tangent = gg.jvp(lambda w: gg.vmap(f, in_axes=(None, 0))(w, xs), (w,), (np.ones(3),))[1]
    np.testing.assert_allclose(tangent, each @ np.ones(3), rtol=1e-12)


def test_inside_loops_and_compiled():
    xs = R.normal(size=(4, 3))

    def f(c, xs):
        return gg.scan(lambda c, x: (c + np.mean(gg.vmap(lambda v: np.sin(v * c))(x)), c), c, xs)[1]

    want, c = [], 0.5
    for x in xs:
        want.append(c)
        c = c + np.mean(np.sin(x * c))
    np.testing.assert_allclose(f(0.5, xs), want, rtol=1e-13)
    for engine in ("reference", "native"):
        jitted = gg.jit(gg.vmap(lambda x: np.sum(np.exp(x) * x)), engine=engine)
        np.testing.assert_allclose(jitted(xs), np.sum(np.exp(xs) * xs, 1), rtol=1e-13)


def test_loop_under_vmap():
    cs, xs = R.normal(size=4), R.normal(size=(6, 4))

    def f(c, x):
        return gg.scan(lambda c, v: (np.tanh(c + v), c * v), c, x)

    last, kept = gg.vmap(f, in_axes=(0, 1))(cs, xs)
    for i in range(4):
        one, rows = f(cs[i], xs[:, i])
        np.testing.assert_allclose(last[i], one, rtol=1e-13)
        np.testing.assert_allclose(kept[i], rows, rtol=1e-13)


def test_unbatched_work_is_done_once():
    """What all examples share has no axis of examples in the graph."""
    a, x = gg.variable("a", (3, 3)), gg.variable("x", (5, 3))
    y = gg.vmap(lambda a, x: np.exp(a) @ x, in_axes=(None, 0))(a, x)
    shapes = {n.name: n.shape for n in gg.ComputationalGraph(y).nodes}
    assert shapes["exp"] == (3, 3) and y.shape == (5, 3)


@pytest.mark.parametrize(
    ("call", "words"),
    [(lambda: gg.vmap(np.dot)(np.eye(2), np.eye(3)), "'x0' has 2, 'x1' has 3"),
     (lambda: gg.vmap(lambda u, v: u)(np.eye(2), 2.0), "argument 'v' of shape .* say None"),
     (lambda: gg.vmap(np.dot, in_axes=(0,))(np.eye(2), np.eye(2)), "in_axes is .0,., which"),
     (lambda: gg.vmap(lambda x: x, in_axes=None)(np.eye(2)), "no argument has an axis"),
     (lambda: gg.vmap(lambda x: x, out_axes=None)(np.eye(2)), "differs from example"),
     (lambda: gg.vmap(lambda x: x, out_axes=5)(np.eye(2)), "axis 5 is out of range")],
)  # fmt: skip
def test_bad_calls(call, words):
    with pytest.raises(ShapeError, match=words):
        call()


def test_an_example_has_no_value():
    with pytest.raises(UnboundError, match=r"one has no value(.|\n)*np.where"):
        gg.vmap(lambda x: x if x > 0 else -x)(np.ones(3))


# -- per-example gradients ------------------------------------------------------------------------


def net(p, x, y):
    h = np.maximum(p["a"] @ x + p["b"], 0)
    z = p["c"] @ h
    m = z - np.max(z)
    return np.log(np.sum(np.exp(m))) - m[y]


def problem(count=7):
    p = {"a": R.normal(size=(5, 4)), "b": R.normal(size=5), "c": R.normal(size=(3, 5))}
    return p, R.normal(size=(count, 4)), R.integers(0, 3, count)


def test_per_example_gradients():
    p, x, y = problem()
    each = gg.per_example_grad(net)(p, x, y)
    for i in range(len(y)):
        one = gg.grad(net)(p, x[i], y[i])
        for key in p:
            np.testing.assert_allclose(each[key][i], one[key], rtol=1e-12, atol=1e-15)


def test_norms_are_those_of_the_gradients():
    p, x, y = problem()
    each = gg.per_example_grad(net)(p, x, y)
    want = np.sqrt(sum((g.reshape(len(y), -1) ** 2).sum(1) for g in each.values()))
    np.testing.assert_allclose(gg.per_example_norms(net)(p, x, y), want, rtol=1e-12)


def test_norms_form_no_gradient():
    """Linear in rows plus columns: no array in the graph has the size of all gradients."""
    w, x = gg.variable("w", (200, 300)), gg.variable("x", (50, 300))
    norms = gg.per_example_norms(lambda w, x: np.sum(np.tanh(w @ x)))(w, x)
    assert max(n.size for n in gg.ComputationalGraph(norms).nodes) <= 200 * 300
    sequences = gg.variable("s", (50, 6, 300))
    norms = gg.per_example_norms(lambda w, s: np.sum(np.tanh(s @ w.T)))(w, sequences)
    assert max(n.size for n in gg.ComputationalGraph(norms).nodes) <= 50 * 6 * 300
    rows = R.normal(size=(4, 6, 30))
    v = R.normal(size=(20, 30))
    each = gg.per_example_grad(lambda w, s: np.sum(np.tanh(s @ w.T)))(v, rows)
    found = gg.per_example_norms(lambda w, s: np.sum(np.tanh(s @ w.T)))(v, rows)
    np.testing.assert_allclose(found, np.sqrt(np.sum(each**2, (1, 2))), rtol=1e-12)


def test_norms_where_weights_are_shared():
    def loss(w, x):
        return np.sum(np.tanh(w @ np.tanh(w @ x)))

    w, x = R.normal(size=(4, 4)), R.normal(size=(6, 4))
    each = gg.per_example_grad(loss)(w, x)
    found = gg.per_example_norms(loss)(w, x)
    np.testing.assert_allclose(found, np.sqrt(np.sum(each**2, (1, 2))), rtol=1e-12)


def test_what_loops_share_under_vmap():
    """A carry that is the same for all examples beside one that is not."""
    xs = np.array([2.0, 3.0])

    def f(x):
        return gg.scan(lambda c, _: ((c[0] + 1, c[1] * x), c[0]), (0, 1.0), length=3)

    (count, power), counts = gg.vmap(f)(xs)
    np.testing.assert_array_equal(count, [3, 3])
    np.testing.assert_array_equal(power, [8.0, 27.0])
    np.testing.assert_array_equal(counts, [[0, 1, 2], [0, 1, 2]])
