"""What all optimisers share: structure, dtype, decay; and what wraps them: clipping, collecting."""

from __future__ import annotations

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim, random
from glassgrad.graph.errors import ShapeError
from glassgrad.transform.tree import tree_map

ALL = [
    optim.SGD(lr=0.1),
    optim.SGD(lr=0.1, momentum=0.9, nesterov=True),
    optim.RMSProp(momentum=0.5, centred=True),
    optim.Adagrad(lr_decay=0.1),
    optim.AdaDelta(),
    optim.Adam(),
    optim.AdamW(),
    optim.SparseAdam(),
    optim.Adam(rows="exact"),
    optim.Clipped(optim.Adam(), norm=1.0, value=0.5),
    optim.Accumulated(optim.SGD(lr=0.1), every=2),
]
IDS = [type(opt).__name__ for opt in ALL]
RNG = np.random.default_rng(0)


def params_of(dtype=np.float64):
    return {"w": np.ones((3, 2), dtype), "rest": (np.full(2, 0.5, dtype), [np.array(2.0, dtype)])}


def leaves(params):
    return [params["w"], params["rest"][0], params["rest"][1][0]]


def some_gradients():
    return {"w": RNG.normal(size=(3, 2)), "rest": (RNG.normal(size=2), [np.array(0.3)])}


@pytest.mark.parametrize("opt", ALL, ids=IDS)
@pytest.mark.parametrize("engine", ["reference", "native"])
def test_compiled_steps_are_the_same_steps(opt, engine):
    params = other = params_of()
    state = memory = opt.init(params)
    compiled = gg.jit(opt.step, engine=engine)
    for _ in range(4):
        grads = some_gradients()
        params, state = opt.step(params, grads, state)
        other, memory = compiled(other, grads, memory)
    for a, b in zip(leaves(params), leaves(other)):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert any((a != b).any() for a, b in zip(leaves(params), leaves(params_of())))


@pytest.mark.parametrize("opt", ALL, ids=IDS)
def test_single_precision_stays(opt):
    single, double = params_of(np.float32), params_of()
    a, b = opt.init(single), opt.init(double)
    for _ in range(10):
        grads = some_gradients()
        low = tree_map(lambda g: g.astype(np.float32), grads)
        single, a = opt.step(single, low, a)
        double, b = opt.step(double, grads, b)
    for s, d in zip(leaves(single), leaves(double)):
        assert s.dtype == np.float32
        np.testing.assert_allclose(s, d, rtol=2e-5)


def test_plain_descent_remembers_nothing():
    opt = optim.SGD(lr=0.1)
    assert opt.init(np.ones(2)) == optim.State(None, {})
    assert optim.SGD(lr=optim.Constant(0.1)).init(np.ones(2)).count == 0


def test_python_numbers_are_parameters_too():
    opt = optim.Adam(lr=0.1)
    params, state = opt.step({"a": 1.0}, {"a": 2.0}, opt.init({"a": 1.0}))
    assert params["a"] == pytest.approx(0.9) and state.count == 1


def test_gradients_of_something_else_are_refused():
    opt = optim.SGD(lr=0.1)
    state = opt.init(params_of())
    with pytest.raises(ValueError, match="differentiate by the parameters that are stepped"):
        opt.step(params_of(), {"w": np.ones((3, 2))}, state)
    wrong = {**params_of(), "w": np.ones((2, 3))}
    with pytest.raises(ValueError, match=r"params\['w'\] has shape \(3, 2\), its gradient \(2, 3"):
        opt.step(params_of(), wrong, state)


def test_settings_that_make_no_sense():
    with pytest.raises(ValueError, match="nesterov=True"):
        optim.SGD(lr=0.1, nesterov=True)
    with pytest.raises(ValueError, match=r"rows='some': it is one of 'dense', 'lazy', 'exact'"):
        optim.Adam(rows="some")
    with pytest.raises(ValueError, match="moves every row"):
        optim.Adam(rows="lazy", weight_decay=0.1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: optim.Accumulated(optim.SGD(lr=0.1), every=0), "every is 0"),
        (lambda: optim.Accumulated(optim.SGD(lr=0.1), every=2.5), "a whole number, at least 1"),
        (lambda: optim.SGD(lr=-0.1), "take the loss with its sign turned"),
        (lambda: optim.Adam(lr=np.float32("nan")), "lr is .*nan"),
        (lambda: optim.Adam(betas=(0.9, 1.0)), "betas holds 1.0"),
        (lambda: optim.RMSProp(alpha=1.5), "alpha is 1.5"),
        (lambda: optim.AdamW(weight_decay=-1), "weight_decay is -1"),
        (lambda: optim.Clipped(optim.SGD(lr=0.1)), "by norm or by value"),
        (lambda: optim.Clipped(optim.SGD(lr=0.1), norm=0), "above 0"),
        (lambda: optim.Cosine(0.1, steps=0), "steps is 0"),
        (lambda: optim.WarmUp(0.1, steps=0), "steps is 0"),
        (lambda: optim.Step(0.1, every=0), "every is 0"),
        (lambda: optim.Exponential(0.1, factor=float("inf")), "factor is inf"),
        (lambda: optim.OneCycle(0.1, steps=10, rise=0.1), "no steps for the way up"),
        (lambda: optim.OneCycle(0.1, steps=10, rise=1.0), "or for the way down"),
    ],
)
def test_numbers_that_make_no_sense(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_states_and_parameters_of_something_else():
    opt, p = optim.Adam(), np.ones(2)
    for state in (None, optim.SGD(lr=0.1, momentum=0.9).init(p)):
        with pytest.raises(TypeError, match=r"The first state is opt.init\(params\)"):
            opt.step(p, p, state)
    with pytest.raises(ValueError, match="the state has the structure"):
        opt.step([p], [p], opt.init(p))
    for act in (opt.init, lambda q: opt.step(q, q, opt.init({"w": p}))):
        with pytest.raises(TypeError, match=r"params\['w'\] is int64"):
            act({"w": np.array([1, 2])})
    with pytest.raises(TypeError, match=r"params\['flag'\] is bool.*nn.static"):
        opt.init({"w": p, "flag": True})


def test_decay_in_the_gradient_is_a_term_of_the_loss():
    """The option adds decay·p to the gradient: the loss with decay/2 times the squares."""
    net = nn.MLP.init([3, 4, 2], key=random.key(0), dtype=np.float64)
    x, y = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 2))

    def loss(net):
        return nn.squared_error(net(x), y)

    with_option = optim.Adam(lr=0.01, weight_decay=0.1)
    a, _ = with_option.step(net, gg.grad(loss)(net), with_option.init(net))
    plain = optim.Adam(lr=0.01)
    slope = gg.grad(lambda net: loss(net) + 0.05 * nn.l2(net, vectors=True))(net)
    b, _ = plain.step(net, slope, plain.init(net))
    for one, other in zip(nn.named_arrays(a).values(), nn.named_arrays(b).values()):
        np.testing.assert_allclose(one, other, rtol=1e-13)


def test_rows_that_are_not_touched_stay_to_the_bit():
    table = RNG.normal(size=(50, 3)).astype(np.float32)
    opt = optim.SparseAdam(lr=0.1)

    @gg.jit
    def step(table, state, rows):
        gradient = gg.grad(lambda t: np.sum((t[rows] - 1) ** 2))(table)
        return opt.step(table, gradient, state)

    new, state = table, opt.init(table)
    for rows in ([3, 3, 7], [7, 11, 3]):
        new, state = step(new, state, np.array(rows))
    moved = np.flatnonzero((new != table).any(axis=1))
    assert moved.tolist() == [3, 7, 11]
    assert np.flatnonzero(state.slots["mean"].any(axis=1)).tolist() == [3, 7, 11]


SPARSE = {
    "rows": lambda t, i: np.sum(t[i] ** 2 * np.arange(1.0, 4)),
    "rows twice": lambda t, i: np.sum(t[i] ** 2 * 3) - np.sum(np.sin(t[i + 1])) / 4,
    "elements": lambda t, i: np.sum(t[i, [0, 2, 1]] ** 2),
    "in single precision": lambda t, i: np.sum(t.astype(np.float32)[i] ** 2).astype(float),
    "no rows at all": lambda t, i: np.sum(t[i] ** 2) + np.sum(t**2),
}


@pytest.mark.parametrize("name", SPARSE)
@pytest.mark.parametrize("rows", ["lazy", "exact"])
def test_rows_of_a_table_move_as_an_array_of_gradients_says(rows, name):
    table, opt = RNG.normal(size=(9, 3)), optim.Adam(lr=0.1, rows=rows)
    places = [np.array([3, 3, -2]), np.array([7, 1, 3]), np.array([0, 7, 7])]
    compiled = gg.jit(lambda t, s, i: opt.step(t, gg.grad(SPARSE[name])(t, i), s))
    now, state = table, opt.init(table)
    then, memory = table, opt.init(table)
    for i in places:
        now, state = opt.step(now, gg.grad(SPARSE[name])(now, i), state)
        then, memory = compiled(then, memory, i)
    np.testing.assert_allclose(then, now, rtol=1e-12)
    for slot in ("mean", "square"):
        np.testing.assert_allclose(memory.slots[slot], state.slots[slot], rtol=1e-12)


def test_exact_rows_are_dense_steps():
    table = RNG.normal(size=(9, 3))
    dense, exact = optim.Adam(lr=0.1), optim.Adam(lr=0.1, rows="exact")

    def trained(opt):
        step = gg.jit(lambda t, s, i: opt.step(t, gg.grad(SPARSE["rows"])(t, i), s))
        new, state = table, opt.init(table)
        for i in ([3, 3, 7], [7, 1, 3], [0, 7, 7], [2, 2, 2]):
            new, state = step(new, state, np.array(i))
        return new

    np.testing.assert_array_equal(trained(exact), trained(dense))


def test_clipping():
    grads = {"a": np.array([3.0, -0.2]), "b": np.array([[4.0]])}
    cut = optim.clip_by_value(grads, 1.0)
    assert cut["a"].tolist() == [1, -0.2] and cut["b"].tolist() == [[1]]
    norm = float(optim.global_norm(grads))
    assert norm == pytest.approx(np.sqrt(9 + 0.04 + 16))
    scaled = optim.clip_by_global_norm(grads, 2.0)
    np.testing.assert_allclose(scaled["a"], grads["a"] * 2 / norm, rtol=1e-14)
    assert float(optim.global_norm(scaled)) == pytest.approx(2.0)
    same = optim.clip_by_global_norm(grads, 10.0)
    assert (same["a"] == grads["a"]).all()
    none = optim.clip_by_global_norm([np.zeros(2), np.zeros(3)], 0.0)
    assert [g.tolist() for g in none] == [[0, 0], [0, 0, 0]]
    zero = optim.clip_by_global_norm([np.zeros(2)], 1.0)
    assert zero[0].tolist() == [0, 0]
    low = optim.clip_by_global_norm([np.full(3, 1e30, np.float32)], 1.0)[0]
    assert low.dtype == np.float32 and np.isfinite(low).all()


def test_accumulated_steps_are_steps_on_the_whole():
    x, y = RNG.normal(size=(12, 3)), RNG.normal(size=12)

    def loss(w, x, y):
        return nn.squared_error(x @ w, y)

    whole = optim.Adam(lr=0.1)
    parts = optim.Accumulated(whole, every=3)
    w = v = np.zeros(3)
    state, memory = whole.init(w), parts.init(v)
    for _ in range(4):
        w, state = whole.step(w, gg.grad(loss)(w, x, y), state)
        for i in range(0, 12, 4):
            before = v
            v, memory = parts.step(v, gg.grad(loss)(v, x[i : i + 4], y[i : i + 4]), memory)
            assert (v != before).any() == (i == 8)
        np.testing.assert_allclose(v, w, rtol=1e-12)
    assert memory.count == 0 and memory.inner.count == 4


def test_one_cycle_and_warm_up_end_where_they_should():
    cycle = optim.OneCycle(1.0, steps=100)
    rates = [float(cycle(t)) for t in range(120)]
    assert max(rates) == pytest.approx(1.0) and rates.index(max(rates)) == 29
    assert rates[0] == pytest.approx(0.04) and rates[-1] == pytest.approx(4e-6)
    warm = optim.WarmUp(optim.Cosine(1.0, steps=10), steps=5, first=0.2)
    rates = [float(warm(t)) for t in range(20)]
    assert rates[0] == pytest.approx(0.2) and rates[5] == 1 and rates[-1] == 0


def test_a_state_of_other_shapes_is_refused_by_name():
    opt = optim.Adam(lr=0.1)
    state = opt.init({"w": np.ones((3, 2))})
    with pytest.raises(ShapeError, match=r"mean\['w'\] has shape \(3, 2\), the parameter"):
        opt.step({"w": np.ones((4, 2))}, {"w": np.ones((4, 2))}, state)
