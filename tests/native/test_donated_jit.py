"""gg.jit(donate=...): which results take which arguments' memory."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.graph.errors import CalculusError
from glassgrad.transform.donate import donated_pairs
from glassgrad.transform.tree import flatten

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


def params():
    rng = np.random.default_rng(0)
    return {"w": rng.standard_normal((3, 2)).astype("f4"), "b": np.zeros(2, np.float32)}


def train(opt):
    def step(p, state, x):
        def loss(p):
            return np.mean(np.tanh(x @ p["w"] + p["b"]) ** 2)

        value, g = gg.value_and_grad(loss)(p)
        p, state = opt.step(p, g, state)
        return value, p, state

    return step


def arrays(*trees):
    return [x for x in flatten(trees)[0] if isinstance(x, np.ndarray) and x.ndim]


@pytest.mark.parametrize(
    "opt",
    [gg.optim.SGD(0.1), gg.optim.SGD(0.1, momentum=0.9), gg.optim.Adam(), gg.optim.AdaDelta(),
     gg.optim.Adam(rows="lazy")],
    ids=["sgd", "momentum", "adam", "adadelta", "lazy"],
)  # fmt: skip
@pytest.mark.parametrize("donate", [(0, 1), ("p", "state")])
def test_a_training_step_stays_in_its_arrays(opt, donate):
    step = train(opt)
    there, fresh = gg.jit(step, donate=donate), gg.jit(step)
    p, q = params(), params()
    s, t = opt.init(p), opt.init(q)
    first = arrays(p, s)
    for _ in range(4):
        (a, p, s), (b, q, t) = there(p, s, X), fresh(q, t, X)
        assert a == b
        assert all(x is y for x, y in zip(first, arrays(p, s)))
        assert all(x.tobytes() == y.tobytes() for x, y in zip(arrays(p, s), arrays(q, t)))
    assert f"{len(first)} results in the memory of arguments, 0 of them" in there.report()


def test_the_reference_engine_takes_donate_and_returns_fresh_arrays():
    f = gg.jit(lambda x: x * 2, engine="reference", donate=0)
    x = np.ones(3)
    assert f(x) is not x
    assert (x == 1).all()


def test_only_what_is_donated_changes():
    f = gg.jit(lambda x, y: (x + y, x - y), donate=1)
    x, y = np.arange(3.0), np.ones(3)
    total, difference = f(x, y)
    assert total is y
    assert x.tolist() == [0, 1, 2]
    assert difference.tolist() == [-1, 0, 1]


def test_containers_are_matched_before_single_arrays():
    def pairs(result, *args):
        given, tree = flatten((args, {}))
        found, out = flatten(result)
        return donated_pairs(lambda *a: None, tuple(range(len(args))), tree, given, out, found)

    a, b, c = np.ones(3), np.ones((2, 2)), np.ones(3)
    assert pairs((c, {"a": a, "b": b}), {"a": a, "b": b}) == {1: 0, 2: 1}
    assert pairs((a, b, c), (b, a)) == {0: 1, 1: 0}
    assert pairs(([a, a],), [a], [a, c]) == {0: 1, 1: 2}
    assert pairs({"x": b}, [a, b], c) == {0: 1}
    assert pairs((np.ones(()), a), np.ones(()), c) == {1: 1}


def test_an_argument_that_is_not_there_is_named():
    for donate in (2, "z"):
        f = gg.jit(lambda x, y: x + y, donate=donate)
        with pytest.raises(CalculusError, match=rf"argument {donate!r}.*has x, y"):
            f(np.ones(2), np.ones(2))
    with pytest.raises(TypeError, match="positions and names"):
        gg.jit(lambda x: x, donate=True)


def test_a_shape_that_comes_later_is_donated_too():
    f = gg.jit(lambda x: x + 1, donate=0)
    for n in (2, 3, 2, 3):
        x = np.zeros(n)
        assert f(x) is x
        assert (x == 1).all()
