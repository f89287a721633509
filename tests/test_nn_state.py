"""Random numbers, running statistics, and the two modes of a model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim, random

X = np.random.default_rng(0).normal(size=(6, 4))
KEY = random.key(1)


def test_dropout_drops_and_scales():
    layer = nn.Dropout(0.25)
    y = layer(np.ones((100, 100), np.float32), key=KEY)
    assert y.dtype == np.float32 and set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert np.mean(y == 0) == pytest.approx(0.25, abs=0.02)
    assert (layer(X, key=KEY) == layer(X, key=KEY)).all()
    assert (layer(X, key=KEY) != layer(X, key=random.key(2))).any()


def test_dropout_needs_a_key_in_training_alone():
    with pytest.raises(TypeError, match=r"key=gg\.random\.key.*evaluating"):
        nn.Dropout(0.25)(X)
    assert nn.evaluating(nn.Dropout(0.25))(X) is X
    assert nn.Dropout(0.0)(X) is X
    with pytest.raises(ValueError, match="0 <= rate < 1"):
        nn.Dropout(1.0)


def test_settings_are_no_parameters():
    net = nn.Sequential((nn.Linear(np.eye(4)), nn.Dropout(0.5), nn.LayerNorm.init(4)))
    assert nn.count_parameters(net) == 16 + 8
    gradient = gg.grad(lambda net: np.sum(net(X, key=KEY) ** 2))(net)
    assert gradient.layers[1].rate == 0.5 and gradient.layers[2].eps == 1e-5


def test_modes_reach_every_depth():
    class Twice(nn.Module):
        first: nn.Module
        rest: dict
        training: bool = nn.static(default=True)

    net = Twice(nn.Dropout(0.5), {"a": (nn.Sequential((nn.Dropout(0.1),)), [nn.Dropout(0.2)])})
    quiet = nn.evaluating(net)
    (inner, others) = quiet.rest["a"]
    assert not (quiet.training or quiet.first.training or others[0].training)
    assert not inner.layers[0].training and not inner.draws and net.first.training
    again = nn.training(quiet)
    assert again.training and again.first.training and again.rest["a"][0].layers[0].training


def test_sequential_gives_every_layer_its_own_key():
    net = nn.Sequential((nn.Dropout(0.5), nn.Activation("relu"), nn.Dropout(0.5)))
    y = net(np.ones((2000,)), key=KEY)
    assert set(np.unique(y)) == {0, 4} and np.mean(y == 4) == pytest.approx(0.25, abs=0.04)
    with pytest.raises(TypeError, match="Sequential draws random numbers"):
        net(X)


def test_layer_norm():
    layer = nn.LayerNorm(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 0.5))
    mean, deviation = X.mean(axis=1, keepdims=True), np.sqrt(X.var(axis=1, keepdims=True) + 1e-5)
    expected = (X - mean) / deviation * layer.weight + layer.bias
    np.testing.assert_allclose(layer(X), expected, rtol=1e-13)
    both = nn.LayerNorm.init((2, 3), dtype=np.float64)
    y = both(np.arange(24.0).reshape(4, 2, 3))
    np.testing.assert_allclose(y.mean(axis=(1, 2)), 0, atol=1e-12)
    with pytest.raises(ValueError, match=r"examples of shape \(4,\), but x has shape \(6, 3\)"):
        layer(X[:, :3])


def test_batch_norm_trains_by_the_batch_and_evaluates_by_what_it_saw():
    layer = nn.BatchNorm(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 0.5))
    state = layer.initial_state()
    y, new = layer(X, state=state)
    expected = (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + 1e-5) * layer.weight + layer.bias
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(new.running_mean, 0.1 * X.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(new.running_var, 0.9 + 0.1 * X.var(axis=0, ddof=1), rtol=1e-13)
    assert new.num_batches_tracked == 1 and state.num_batches_tracked == 0
    y, same = nn.evaluating(layer)(X, state=new)
    expected = (X - new.running_mean) / np.sqrt(new.running_var + 1e-5)
    np.testing.assert_allclose(y, expected * layer.weight + layer.bias, rtol=1e-13)
    assert same is new


def test_batch_norm_of_images():
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 5))
    layer = nn.BatchNorm.init(3, dtype=np.float64)
    y, _ = layer(x, state=nn.initial_state(layer))
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-13)
    np.testing.assert_allclose(y.var(axis=(0, 2, 3)), 1, rtol=1e-4)


def test_batch_norm_refuses():
    layer = nn.BatchNorm.init(4)
    state = layer.initial_state()
    with pytest.raises(TypeError, match=r"y, state = model\(x, state=state\)"):
        layer(X)
    with pytest.raises(ValueError, match=r"4 channels, which stand on axis 1.*\(6, 3\)"):
        layer(X[:, :3], state=state)
    with pytest.raises(ValueError, match="more than one number a channel"):
        layer(X[:1], state=state)


def test_a_model_with_state_and_keys_trains_compiled():
    keys = random.split(KEY, 2)
    net = nn.Sequential(
        (
            nn.Linear.init(4, 8, key=keys[0], dtype=np.float64),
            nn.BatchNorm.init(8, momentum=0.3, dtype=np.float64),
            nn.Activation("tanh"),
            nn.Dropout(0.1),
            nn.Linear.init(8, 2, key=keys[1], dtype=np.float64),
        )
    )
    labels = (X[:, 0] > 0).astype(int)
    opt = optim.SGD(lr=0.3, momentum=0.5)

    def loss(net, state, key):
        y, state = net(X, state=state, key=key)
        return nn.cross_entropy(y, labels), state

    def step(net, memory, state, key):
        (value, state), gradient = gg.value_and_grad(loss, has_aux=True)(net, state, key)
        net, memory = opt.step(net, gradient, memory)
        return net, memory, state, value

    runs = []
    for engine in ("reference", "native"):
        compiled = gg.jit(step, engine=engine)
        now, memory, state = net, opt.init(net), nn.initial_state(net)
        values = []
        for seed in range(40):
            now, memory, state, value = compiled(now, memory, state, random.key(seed))
            values.append(float(value))
        assert values[-1] < 0.3 < values[0] and state[1].num_batches_tracked == 40
        y, _ = nn.evaluating(now)(X, state=state)
        assert (y.argmax(axis=1) == labels).all()
        runs.append(values)
    assert runs[0] == pytest.approx(runs[1], rel=1e-9)


def test_a_settings_field_is_changed_by_replace():
    assert dataclasses.replace(nn.Dropout(0.5), rate=0.1).rate == 0.1
    with pytest.raises(AttributeError, match=r"cannot write Dropout\.rate"):
        nn.Dropout(0.5).rate = 0.1
