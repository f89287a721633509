"""Networks and optimisers of the lectures: their numbers, by gg.nn and gg.optim."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from agreement import close, nodes_of, ops_of

import glassgrad as gg
from glassgrad import nn, optim, random
from glassgrad.data.batches import batches
from glassgrad.transform.tree import flatten

X3, Y3 = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])


def line_loss(phi, x, y, reduction="sum"):
    return nn.squared_error(phi[0] + phi[1] * x, y, reduction=reduction)


def test_S1_01_a_sum_is_not_a_mean():
    phi = np.array([0.0, 1.0])
    total, by_sum = gg.value_and_grad(line_loss)(phi, X3, Y3)
    mean, by_mean = gg.value_and_grad(line_loss)(phi, X3, Y3, "mean")
    each = line_loss(phi, X3, Y3, "none")
    assert (total, each.tolist()) == (5.0, [1.0, 4.0, 0.0])
    close(mean, 5 / 3)
    close(by_sum, 3 * by_mean)
    close(by_sum, (-6, -4))
    with pytest.raises(TypeError, match="reduction is 'mean', 'sum' or 'none', not 'total'"):
        line_loss(phi, X3, Y3, "total")


def test_S1_04_names_of_a_deep_network():
    net = nn.MLP.init([1, 3, 3, 3, 1], key=random.key(0), dtype=np.float64)
    x = np.array([[0.5]])
    stages = net.intermediates(x)
    assert list(stages) == ["f0", "h1", "f1", "h2", "f2", "h3", "f3"]
    assert (stages["f3"] == net(x)).all()
    assert (stages["h2"] == np.maximum(stages["f1"], 0)).all()
    assert list(net.parameters()) == ["β0", "Ω0", "β1", "Ω1", "β2", "Ω2", "β3", "Ω3"]
    assert net.parameters()["Ω1"] is net.layers[1].weight


def test_S1_05_stochastic_gradient_descent():
    phi = np.array([0.0, 1.0])
    opt = optim.SGD(lr=0.1)
    gradient = gg.grad(line_loss)(phi, X3[:2], Y3[:2])
    close(gradient, (-6, -4))
    close(opt.step(phi, gradient, opt.init(phi))[0], (0.6, 1.4))

    def pieces(seed):
        made = batches([X3, Y3], 2, np.random.default_rng(seed))
        return [np.stack(batch).tolist() for batch in made]

    assert pieces(0) == pieces(0)  # seeded, and reproducible
    assert len({str(pieces(seed)) for seed in range(8)}) > 1


THETA = np.array([[0.1, 0.2], [-0.3, 0.4], [0.5, -0.6]])
PSI = np.array([[0.1, 0.2, 0.3, 0.4], [-0.1, 0.5, -0.2, 0.3], [0.2, -0.4, 0.6, -0.8]])
PHI = np.array([[0.05, 0.7, -0.6, 0.5]])


def test_S1_07_two_hidden_layers():
    net = nn.MLP(tuple(nn.Linear(rows[:, 1:], rows[:, 0]) for rows in (THETA, PSI, PHI)), "tanh")
    assert [nn.count_parameters(layer) for layer in net.layers] == [6, 12, 4]
    assert nn.count_parameters(net) == 22
    value, gradient = gg.value_and_grad(lambda net, x: net(x)[0])(net, np.array([0.5]))
    close(value, 0.08564391429612803)
    found = np.concatenate([gradient.layers[2].bias, gradient.layers[2].weight[0]])
    np.testing.assert_allclose(
        found, [1, 0.18632260537, 0.07767705972, -0.09635134726], rtol=0, atol=5e-12
    )
    close(gg.grad(lambda x: net(x)[0])(np.array([0.5])), [0.3516206512680352])


def test_S1_07_written_out():
    x = gg.variable("x")

    def linear(rows, values):
        return [r[0] + sum(w * v for w, v in zip(r[1:], values)) for r in rows.tolist()]

    hidden = [np.tanh(z) for z in linear(THETA, [x])]
    second = [np.tanh(z) for z in linear(PSI, hidden)]
    (y,) = linear(PHI, second)
    assert ops_of(y).count("tanh") == 6  # each activation is one node

    def written(node):
        """How often an activation stands in the formula as a text without names."""
        return (node.name == "tanh") + sum(written(i) for i in node.inputs)

    assert written(y.node) == 12


def test_S1_30_gradients_update_nothing():
    net = nn.MLP.init([2, 3, 1], key=random.key(0))
    x, y = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)

    def digest(model):
        return hashlib.sha256(b"".join(a.tobytes() for a in flatten(model)[0])).hexdigest()

    before = digest(net)
    gradient = gg.grad(lambda net: nn.squared_error(net(x), y))(net)
    assert digest(net) == before
    opt = optim.Adam()
    new, _ = opt.step(net, gradient, opt.init(net))
    assert digest(net) == before != digest(new)


def test_S2_13_one_unit_is_logistic_regression():
    w, b, x = gg.variable("w", (1, 3)), gg.variable("b", (1,)), gg.variable("x", (5, 3))
    y = np.array([[0.0], [1.0], [1.0], [0.0], [1.0]])
    net = nn.MLP((nn.Linear(w, b),))
    by_net = nn.binary_cross_entropy(net(x), y)
    by_hand = nn.binary_cross_entropy(x @ w.T + b, y)
    assert by_net.node is by_hand.node
    for one, other in zip(gg.gradients(by_net, [w, b]), gg.gradients(by_hand, [w, b])):
        assert one.node is other.node


@pytest.mark.parametrize(
    ("n", "m", "count"), [(2, 4, 24), (4, 5, 40), (10, 16, 224), (300, 100, 30400)]
)
def test_S2_14_how_many_weights(n, m, count):
    keys = random.split(random.key(0), 2)
    net = nn.Sequential(
        (
            nn.Linear.init(n, m, key=keys[0]),
            nn.Activation("sigmoid"),
            nn.Linear.init(m, 3, key=keys[1], bias=False),
        )
    )
    found = nn.summary(net, np.zeros((1, n), np.float32), names=("n", "m", 3))
    assert found.parameters == nn.count_parameters(net) == count == m * (n + 4)
    assert found.formula == "m(n + 1) + 3m = m(n + 4)"
    assert found.formula in str(found)


def test_S2_15_shapes_with_names():
    net = nn.Sequential(
        (nn.Linear(np.ones((4, 2))), nn.Activation("tanh"), nn.Linear(np.ones((3, 4))))
    )
    rows = nn.summary(net, np.ones((5, 2)), names=("n", "m", 3)).rows
    assert [row.output for row in rows] == ["(5, m=4)", "(5, m=4)", "(5, 3)"]


TOY_W = np.array([[0.1, 0.2], [0.3, -0.4]])
TOY_U = np.array([[0.5, -0.6]])


def test_S2_30_descent_on_the_toy_network():
    net = nn.Sequential((nn.Linear(TOY_W), nn.Activation("sigmoid"), nn.Linear(TOY_U)))
    x, y = np.array([[1.0, 2.0]]), np.array([[1.0]])

    def loss(net):
        return nn.binary_cross_entropy(net(x), y)

    opt = optim.SGD(lr=0.1)
    value, gradient = gg.value_and_grad(loss)(net)
    close(value, 0.6516911531256971)
    net, _ = opt.step(net, gradient, opt.init(net))
    close(net.layers[2].weight, [(0.5298056145761476, -0.5819219809279886)])
    close(
        net.layers[0].weight,
        [[0.10562641583050927, 0.21125283166101855], [0.2932483010033889, -0.4135033979932223]],
    )
    close(loss(net), 0.6358063257019609)


START = np.array([1.0, -2.0])
GRADIENTS = [np.array([0.1, -0.2]), np.array([0.05, 0.3])]


def steps(opt, compiled=False, start=START, gradients=GRADIENTS):
    step = gg.jit(opt.step) if compiled else opt.step
    params, state, seen = start, opt.init(start), []
    for g in gradients:
        params, state = step(params, g, state)
        seen.append(params)
    return seen


@pytest.fixture(params=[False, True], ids=["now", "compiled"])
def compiled(request):
    return request.param


def test_S2_31_rmsprop(compiled):
    first, second = steps(optim.RMSProp(lr=0.01, alpha=0.99, eps=1e-8), compiled)
    close(first, (0.9000000999999, -1.900000049999975))
    close(second, (0.8550988148157508, -1.9833333601851666))


def test_S2_32_adam(compiled):
    first, second = steps(optim.Adam(lr=0.001), compiled)
    close(first, (0.9990000001, -1.99900000005), rtol=1e-11)
    close(second, (0.9980678205791187, -1.9992477018564194))


def test_S2_32_adamw(compiled):
    first, second = steps(optim.AdamW(lr=0.001, weight_decay=0.01), compiled)
    close(first, (0.9989900001, -1.99898000005), rtol=1e-11)
    close(second, (0.9980478306791177, -1.9992077120564191))


def test_S2_33_adagrad(compiled):
    first, second = steps(optim.Adagrad(lr=0.01, eps=1e-10), compiled)
    close(first, (0.99000000001, -1.990000000005), rtol=1e-11)
    close(second, (0.9855278640590004, -1.9983205029460707))


def test_S2_34_adadelta(compiled):
    first, second = steps(optim.AdaDelta(lr=1.0, rho=0.9, eps=1e-6), compiled)
    close(first, (0.9968393022937949, -1.9968381175504386))
    close(second, (0.9947555847508269, -2.000617376136795))


def test_S2_35_sparse_adam(compiled):
    table = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]])
    first, second = np.zeros((4, 2)), np.zeros((4, 2))
    first[1], first[3], second[1] = (0.1, -0.1), (0.2, 0), (0.05, 0.05)
    opt = optim.SparseAdam(lr=0.001)
    one, two = steps(opt, compiled, table, [first, second])
    close(two[1], (0.2980678261611062, 0.40126633312377846))
    close(two[3], (0.6990000015811363, 0.8))
    assert (two[3] == one[3]).all() and (two[[0, 2]] == table[[0, 2]]).all()
    dense = steps(optim.Adam(lr=0.001), compiled, table, [first, second])[-1]
    close(dense[3][0], 0.6983299418432556)


def test_S2_36_momentum(compiled):
    first, second = steps(optim.SGD(lr=0.1, momentum=0.9), compiled)
    close(first, (0.99, -1.98))
    close(second, (0.976, -1.992))
    first, second = steps(optim.SGD(lr=0.1, momentum=0.9, nesterov=True), compiled)
    close(first, (0.981, -1.962))
    close(second, (0.9634, -2.0028))


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (optim.Constant(0.1), [0.1, 0.1, 0.1, 0.1]),
        (optim.Step(0.1, every=2, factor=0.5), [0.1, 0.1, 0.05, 0.05]),
        (optim.Exponential(0.1, factor=0.5), [0.1, 0.05, 0.025, 0.0125]),
        (optim.Cosine(0.1, steps=2), [0.1, 0.05, 0, 0]),
        (optim.Inverse(0.1, decay=1), [0.1, 0.05, 0.1 / 3, 0.025]),
        (optim.WarmUp(0.1, steps=2), [0, 0.05, 0.1, 0.1]),
    ],
)
def test_S2_38_schedules(schedule, rates):
    opt = optim.SGD(lr=schedule)
    params, state = np.array(0.0), opt.init(np.array(0.0))

    @gg.jit
    def step(params, state):
        rate = opt.rate(state)
        params, state = opt.step(params, np.float64(1), state)
        return params, state, rate

    seen, at = [], [0.0]
    for _ in rates:
        params, state, rate = step(params, state)
        seen.append(rate)
        at.append(float(params))
    np.testing.assert_allclose(seen, rates, rtol=1e-12, atol=1e-17)
    np.testing.assert_allclose(-np.diff(at), rates, rtol=1e-12, atol=1e-16)

    t = gg.variable("t")
    assert t.node in nodes_of(schedule(t))  # the rate is a node of the graph


def test_S2_37_rates_by_orders_of_magnitude():
    def rosenbrock(p):
        return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2

    trials = optim.lr_scan(rosenbrock, np.array([-1.8, 1.5]), [1e-2, 1e-3, 1e-4])
    assert [t.verdict for t in trials] == ["diverged", "converged", "slow"]
    assert trials[0].result.steps == 3 and trials[1].result.steps == 32271
    assert trials.best.rate == 1e-3
    assert str(trials).splitlines()[0].startswith("0.01: diverged after 3 steps")
    assert optim.Adam().lr == optim.AdamW().lr == optim.SparseAdam().lr == 1e-3


def test_S3_24_cross_entropy():
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.4, 0.4, 0.2])
    close(nn.cross_entropy_between(p, q), 1.0895775270141412)
    close(nn.cross_entropy(np.log(q), p), 1.0895775270141412)
    one_hot = np.array([0.0, 1.0, 0.0])
    close(nn.cross_entropy(np.log(q), one_hot), -np.log(0.4))
    close(nn.cross_entropy(np.log(q)[None], np.array([1])), -np.log(0.4))
    never = np.array([-np.inf, 0.0, 0.0])
    for weights in (None, np.array([1.0, 2.0, 3.0])):
        value, gradient = gg.value_and_grad(nn.cross_entropy)(never, one_hot, weights=weights)
        assert np.isfinite(value) and np.isfinite(gradient).all()
    value, gradient = gg.value_and_grad(nn.cross_entropy_between, argnums=1)(one_hot, one_hot)
    assert value == 0 and gradient.tolist() == [0, -1, 0]


def test_S3_25_only_used_words_move():
    keys = random.split(random.key(0), 2)
    net = {
        "words": nn.Embedding.init(8, 2, key=keys[0], dtype=np.float64),
        "out": nn.Linear.init(6, 3, key=keys[1], dtype=np.float64),
    }
    window = np.array([[5, 1, 5]])

    def loss(net, ids, labels):
        vectors = net["words"](ids).reshape(len(ids), -1)
        return nn.cross_entropy(net["out"](vectors), labels)

    gradient = gg.grad(loss)(net, window, np.array([2]))
    opt = optim.SGD(lr=0.5)
    new, _ = opt.step(net, gradient, opt.init(net))
    for old, now, g in zip(flatten(net)[0], flatten(new)[0], flatten(gradient)[0]):
        close(now, old - 0.5 * g)
    changed = (new["words"].weight != net["words"].weight).any(axis=1)
    assert np.flatnonzero(changed).tolist() == [1, 5]


def test_S4_23_weight_decay_in_the_loss():
    X, labels = np.array([[1, 2], [-1, 0.5]]), np.array([0, 2])
    W1 = np.array([[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]])
    W2 = np.array([[0.2, -0.1, 0.4], [0.3, 0.7, -0.5], [-0.4, 0.6, 0.1]])
    net = nn.MLP((nn.Linear(W1.T), nn.Linear(W2.T)))

    def likelihood(net):
        return nn.cross_entropy(net(X), labels, reduction="sum")

    def total(net):
        return likelihood(net) + 0.01 * nn.l2(net)

    close(likelihood(net), 2.382336790248782)
    close(0.01 * nn.l2(net), 0.0248)
    value, gradient = gg.value_and_grad(total)(net)
    close(value, 2.407136790248782)
    by_W1, by_W2 = (layer.weight.T for layer in gradient.layers)
    close(by_W1[0][0], 0.20325357403809166)
    close(by_W2[2], (-0.008, 0.012, 0.002))
    decay = gg.grad(lambda net: 0.01 * nn.l2(net))(net)
    assert (decay.layers[0].weight == 0.02 * W1.T).all()
