"""Every layer goes through a model folder and comes back the same."""

from __future__ import annotations

import json

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim, random

KEY = random.key(0)
NETS = [
    nn.Sequential((nn.Embedding.init(5, 4, key=KEY), nn.LayerNorm.init(4), nn.PReLU.init())),
    nn.Sequential((nn.Linear.init(4, 3, key=KEY), nn.BatchNorm.init(3), nn.Dropout(0.25))),
    nn.Recurrent(nn.RNNCell.init(4, 3, key=KEY, activation="relu")),
    nn.Sequential(
        (
            nn.Gated.init(4, 3, "sigmoid", key=KEY),
            nn.Gated.init(3, 3, nn.Swish.init(), key=KEY, bias=False),
        )
    ),
    nn.evaluating(nn.Sequential((nn.Dropout(0.5), nn.Recurrent(nn.GRUCell.init(4, 3, key=KEY))))),
]


def called(net):
    if isinstance(net, nn.Sequential) and isinstance(net.layers[0], nn.Embedding):
        return net(np.array([0, 4]))
    x = np.linspace(-1, 1, 48, dtype=np.float32).reshape(3, 4, 4)
    if nn.initial_state(net) is None:
        return net(x)[0]
    return net(x[0], key=KEY, state=nn.initial_state(net))[0]


@pytest.mark.parametrize("net", NETS, ids=range(len(NETS)))
def test_there_and_back(net, tmp_path):
    gg.save(net, tmp_path / "model")
    again = gg.load(tmp_path / "model")
    assert (called(again) == called(net)).all()
    assert [m.draws for _, m in nn.module.modules(again)] == [
        m.draws for _, m in nn.module.modules(net)
    ]


@pytest.mark.parametrize(
    ("net", "field", "value", "message"),
    [
        (NETS[1], ("layers", 2, "rate"), 1.5, "0 <= rate < 1"),
        (NETS[1], ("layers", 1, "eps"), -1.0, "positive"),
        (NETS[1], ("layers", 1, "momentum"), 7.0, "between 0 and 1"),
        (NETS[2], ("cell", "activation"), "evil", "no activation"),
        (NETS[1], ("layers", 1, "training"), 3, "true or false"),
    ],
)
def test_settings_from_a_file_are_checked(net, field, value, message, tmp_path):
    gg.save(net, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    config = json.loads(path.read_text())
    place = config["model"]
    for step in field[:-1]:
        place = place[step]
    place[field[-1]] = value
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match=message):
        gg.load(tmp_path / "model")


def test_arrays_that_do_not_belong_together():
    with pytest.raises(ValueError, match=r"bias of LayerNorm is float64\[3\]"):
        nn.LayerNorm(np.ones(4), np.ones(3)).validate()
    with pytest.raises(ValueError, match=r"weight_ih of GRUCell is float64\[6, 2\]"):
        nn.GRUCell(np.ones((6, 2)), np.ones((3, 1)), np.ones(3), np.ones(3)).validate()
    with pytest.raises(ValueError, match=r"bias_hh of RNNCell is float32\[1\].* float64\[1\]"):
        b = np.ones(1)
        nn.RNNCell(np.ones((1, 2)), np.ones((1, 1)), b, b.astype(np.float32)).validate()
    with pytest.raises(ValueError, match=r"weight of PReLU is int64\[1\]"):
        nn.PReLU(np.ones(1, int)).validate()


def test_the_trainer_gives_keys_and_keeps_statistics():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype(np.float32)
    labels = (x[:, 0] > 0).astype(np.int64)
    keys = random.split(KEY, 2)
    net = nn.Sequential(
        (
            nn.Linear.init(4, 8, key=keys[0]),
            nn.BatchNorm.init(8),
            nn.Activation("relu"),
            nn.Dropout(0.1),
            nn.Linear.init(8, 2, key=keys[1]),
        )
    )

    def loss(model, x, labels, *, key, state):
        y, state = model(x, key=key, state=state)
        return nn.cross_entropy(y, labels), state

    opt = optim.Adam(lr=optim.Cosine(0.02, steps=120))
    trainer = gg.Trainer(net, loss, opt, statistics=nn.initial_state(net))
    fit = trainer.fit((x, labels), 30, batch=16)
    y, _ = nn.evaluating(fit.model)(x, state=fit.statistics)
    assert np.mean(y.argmax(axis=1) == labels) > 0.95
    assert fit.statistics[1].num_batches_tracked == 120
