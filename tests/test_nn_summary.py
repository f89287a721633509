"""Tables of layers, initial values, and arrays by PyTorch's names."""

from __future__ import annotations

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, random

KEY = random.key(0)


def test_summary_counts_what_an_mlp_does():
    net = nn.MLP.init([4, 8, 3], key=KEY)
    found = nn.summary(net, np.ones((5, 4), np.float32))
    first, second, whole = found.rows
    assert first == ("layers.0", "Linear", "(5, 8)", 40, 2 * 5 * 4 * 8 + 40)
    assert second == ("layers.1", "Linear", "(5, 3)", 27, 2 * 5 * 8 * 3 + 15)
    assert (whole.kind, whole.parameters, whole.operations) == ("MLP", 0, 40)
    assert found.parameters == nn.count_parameters(net) == 67
    assert found.operations == sum(row.operations for row in found.rows)
    assert str(found).splitlines()[-1].split() == ["total", "67", "655"]


def test_summary_of_state_keys_and_loops():
    net = nn.Sequential(
        (
            nn.Embedding.init(10, 4, key=KEY),
            nn.Linear.init(4, 8, key=KEY),
            nn.BatchNorm.init(8),
            nn.Dropout(0.5),
        )
    )
    found = nn.summary(net, np.array([1, 2, 3]), key=KEY, state=nn.initial_state(net))
    assert [r.kind for r in found.rows] == ["Embedding", "Linear", "BatchNorm", "Dropout"]
    assert [r.parameters for r in found.rows] == [40, 40, 16, 0]
    steps = [
        nn.summary(nn.Recurrent(nn.RNNCell.init(4, 8, key=KEY)), np.ones((n, 2, 4))).rows[-1]
        for n in (1, 10)
    ]
    assert steps[1].output == "(10, 2, 8)" and steps[0].operations > 0


def test_summary_of_ones_own_module():
    class Net(nn.Module):
        first: nn.Linear
        scale: np.ndarray

        def __call__(self, x):
            return self.scale * self.first(x)

    net = Net(nn.Linear(np.ones((3, 2))), np.ones(3))
    inner, own = nn.summary(net, np.ones((5, 2))).rows
    assert inner.layer == "first" and inner.parameters == 6
    assert own == ("(model)", "Net", "(5, 3)", 3, 15)


def test_wrong_names():
    with pytest.raises(ValueError, match="1 linear layers have 2 widths, but names has 3"):
        nn.summary(nn.Linear(np.ones((3, 2))), np.ones((5, 2)), names=("a", "b", "c"))


@pytest.mark.parametrize(
    ("widths", "biases", "formula"),
    [
        (["n", "m", 3], [True, False], "m(n + 1) + 3m = m(n + 4)"),
        (["n", "m"], [False], "mn"),
        ([2, "m"], [True], "3m"),
        ([784, 128, 10], [True, True], "101770"),
        (["in", "out"], [True], "out(in + 1)"),
        (["n", "m", 3], [True, True], "m(n + 1) + 3(m + 1) = mn + 4m + 3"),
    ],
)
def test_formulas(widths, biases, formula):
    assert nn.parameter_formula(widths, biases) == formula


def test_names_are_pytorchs():
    net = nn.Sequential(
        (nn.Linear.init(2, 3, key=KEY), nn.Activation("relu"), nn.Linear.init(3, 1, key=KEY))
    )
    names = ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert list(nn.named_arrays(net)) == names
    mlp = nn.MLP.init([2, 3, 1], key=random.key(1))
    assert list(nn.named_arrays(mlp)) == names
    copied = nn.with_arrays(mlp, nn.named_arrays(net))
    x = np.ones((4, 2), np.float32)
    assert (copied(x) == net(x)).all() and (mlp(x) != net(x)).any()
    nested = {"a": (net, [nn.LayerNorm.init(2)])}
    assert "a.0.2.bias" in nn.named_arrays(nested) and "a.1.0.weight" in nn.named_arrays(nested)


def test_running_statistics_have_pytorchs_names_too():
    net = nn.Sequential((nn.Linear.init(2, 3, key=KEY), nn.BatchNorm.init(3)))
    x = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    _, state = net(x, state=nn.initial_state(net))
    everything = {**nn.named_arrays(net), **nn.named_arrays(state)}
    assert list(everything)[2:] == [
        "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"
    ]  # fmt: skip
    other = nn.Sequential((nn.Linear.init(2, 3, key=random.key(5)), nn.BatchNorm.init(3)))
    again = nn.with_arrays(other, everything, whole=False)
    statistics = nn.with_arrays(nn.initial_state(other), everything, whole=False)
    before, after = (
        nn.evaluating(m)(x, state=s)[0] for m, s in ((net, state), (again, statistics))
    )
    assert (before == after).all() and statistics[1].num_batches_tracked == 1


def test_arrays_that_do_not_fit():
    layer = nn.Linear(np.ones((1, 2)))
    with pytest.raises(ValueError, match="needs an array 'weight'; given are bias"):
        nn.with_arrays(layer, {"bias": np.ones(1)})
    with pytest.raises(ValueError, match=r"weight has shape \(2, 1\); the model has \(1, 2\)"):
        nn.with_arrays(layer, {"weight": np.ones((2, 1))})
    with pytest.raises(ValueError, match="no place for 'bias'"):
        nn.with_arrays(layer, {"weight": np.ones((1, 2)), "bias": np.ones(1)})
    assert nn.with_arrays(layer, {"weight": np.ones((1, 2), np.float32)}).weight.dtype == np.float64


def test_initial_values():
    table = nn.Embedding.init(500, 40, key=KEY)
    assert table.weight.shape == (500, 40) and table.weight.dtype == np.float32
    assert table.weight.std() == pytest.approx(1, rel=0.02)
    wide = nn.xavier(KEY, (100, 200))
    assert abs(wide).max() <= (6 / 300) ** 0.5
    assert wide.std() == pytest.approx((2 / 300) ** 0.5, rel=0.02)
    assert nn.kaiming(KEY, (100, 200)).std() == pytest.approx(0.1, rel=0.02)
    net = nn.MLP.init([100, 200, 10], key=KEY)
    new = nn.reinitialised(random.key(1), net, nn.kaiming)
    assert new.layers[0].weight.std() == pytest.approx((2 / 100) ** 0.5, rel=0.02)
    assert new.layers[0].bias is net.layers[0].bias and new.layers[0].weight.dtype == np.float32


def test_embedding():
    table = nn.Embedding(np.arange(6.0).reshape(3, 2))
    ids = np.array([[0, 2], [2, 2]])
    assert table(ids).shape == (2, 2, 2)
    gradient = gg.grad(lambda t: np.sum(t(ids)))(table)
    assert gradient.weight.tolist() == [[1, 1], [0, 0], [3, 3]]
    with pytest.raises(TypeError, match="read by whole numbers"):
        table(np.array([0.5]))
    with pytest.raises(IndexError, match="3"):
        table(np.array([3]))
    with pytest.raises(ValueError, match="one row an entry"):
        nn.Embedding(np.ones(3)).validate()


def test_prelu_learns_its_slope():
    layer = nn.PReLU.init(dtype=np.float64)
    assert layer.weight.tolist() == [0.25]
    x = np.array([-2.0, 0.0, 3.0])
    assert layer(x).tolist() == [-0.5, 0, 3]
    assert gg.grad(lambda layer: np.sum(layer(x)))(layer).weight.tolist() == [-2]
