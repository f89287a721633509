"""Modules, layers, initial values and losses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from glassgrad import nn, random
from glassgrad.transform import tree


def test_linear_is_pytorchs():
    weight = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    layer = nn.Linear(weight, np.array([0.5, -0.5]))
    assert layer(np.array([[1.0, 0.0, -1.0]])).tolist() == [[-1.5, -2.5]]
    assert nn.Linear(weight)(np.eye(3)).tolist() == weight.T.tolist()


def test_initial_values_have_pytorchs_range():
    layer = nn.Linear.init(100, 2000, key=random.key(0))
    assert layer.weight.shape == (2000, 100) and layer.weight.dtype == np.float32
    for array in (layer.weight, layer.bias):
        assert np.abs(array).max() <= 0.1
        assert array.std() == pytest.approx(0.1 / 3**0.5, rel=0.05)
        assert array.mean() == pytest.approx(0, abs=0.005)


def test_initial_values_depend_on_the_key_alone():
    def net(seed):
        return nn.MLP.init([4, 3, 2], key=random.key(seed))

    assert (net(1).layers[0].weight == net(1).layers[0].weight).all()
    assert (net(1).layers[0].weight != net(2).layers[0].weight).any()
    assert (
        abs(
            np.corrcoef(
                nn.MLP.init([50, 50, 50], key=random.key(0)).layers[0].weight.ravel(),
                nn.MLP.init([50, 50, 50], key=random.key(0)).layers[1].weight.ravel(),
            )[0, 1]
        )
        < 0.1
    )


def test_mlp():
    net = nn.MLP.init([3, 5, 4, 2], key=random.key(0), activation="tanh")
    x = np.ones((7, 3), np.float32)
    a, b, c = net.layers
    expected = c(np.tanh(b(np.tanh(a(x)))))
    assert (net(x) == expected).all() and net.sizes == (3, 5, 4, 2)
    assert nn.count_parameters(net) == 3 * 5 + 5 + 5 * 4 + 4 + 4 * 2 + 2


def test_sequential_equals_mlp():
    net = nn.MLP.init([3, 5, 2], key=random.key(0))
    same = nn.Sequential((net.layers[0], nn.Activation("relu"), net.layers[1]))
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    assert (same(x) == net(x)).all()


def test_modules_never_change():
    layer = nn.Linear(np.eye(2))
    with pytest.raises(AttributeError, match=r"dataclasses\.replace\(module, weight=\.\.\.\)"):
        layer.weight = np.zeros((2, 2))
    with pytest.raises(AttributeError, match="never change"):
        del layer.weight
    other = dataclasses.replace(layer, weight=np.zeros((2, 2)))
    assert other.weight.sum() == 0 and layer.weight.sum() == 2


def test_a_module_of_ones_own():
    class Net(nn.Module):
        first: nn.Linear
        scale: np.ndarray
        name: str = "net"

        def __call__(self, x):
            return self.scale * nn.relu(self.first(x))

        def spoil(self):
            self.scale = 0

    net = Net(nn.Linear(np.eye(2)), np.array(3.0))
    assert net(np.array([[1.0, -1.0]])).tolist() == [[3.0, 0.0]]
    leaves, _ = tree.flatten(net)
    assert len(leaves) == 2
    with pytest.raises(AttributeError, match=r"cannot write Net\.scale"):
        net.spoil()


def test_wrong_shapes_are_named():
    net = nn.MLP.init([3, 2], key=random.key(0))
    with pytest.raises(ValueError, match=r"takes 3 inputs .* x has shape \(5, 4\)"):
        net(np.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"shape \(3,\) and the target \(3, 1\)"):
        nn.squared_error(np.zeros(3), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="one label an example"):
        nn.cross_entropy(np.zeros((3, 2)), np.zeros(2, int))
    with pytest.raises(ValueError, match="no activation is called 'rely'"):
        nn.Activation("rely")(np.zeros(1))


def test_losses():
    logits = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]])
    expected = -np.log(np.exp(2) / np.exp(logits[0]).sum()), np.log(3)
    found = nn.cross_entropy(logits, np.array([1, 2]))
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-14)
    assert float(nn.squared_error(np.array([1.0, 5.0]), np.array([0.0, 2.0]))) == 5.0
    assert np.asarray(nn.softmax(logits)).sum(axis=1) == pytest.approx([1, 1])


def test_losses_of_huge_logits_are_exact():
    logits = np.array([[1000.0, 0.0, 0.0]])
    assert float(nn.cross_entropy(logits, np.array([1]))) == 1000.0
    assert float(nn.cross_entropy(logits, np.array([0]))) == 0.0
    assert nn.sigmoid(np.array([-1000.0, 1000.0])).tolist() == [0.0, 1.0]


def test_losses_keep_single_precision():
    x = np.ones((2, 3), np.float32)
    assert nn.cross_entropy(x, np.array([0, 1])).dtype == np.float32
    assert nn.squared_error(x, x).dtype == np.float32
    for name in nn.ACTIVATIONS:
        assert nn.Activation(name)(x).dtype == np.float32
