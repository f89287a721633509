"""What a run is given and what it leaves behind: keys, statistics, metrics, checkpoints, curves."""

from __future__ import annotations

import dataclasses
import json
import math
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import numpy as np
import pytest

from glassgrad import nn
from glassgrad.data.bad_input import BadInput, MissingFile
from glassgrad.optim import SGD, Accumulated, Adam, Clipped, Cosine
from glassgrad.train.curves import draw_history
from glassgrad.train.history import Epoch, History, Silent
from glassgrad.train.metric import Metric
from glassgrad.train.store import save
from glassgrad.train.trainer import Trainer
from glassgrad.transform import random
from glassgrad.transform.tree import flatten


def data(rows=96, seed=0):
    x = np.random.default_rng(seed).standard_normal((rows, 3)).astype(np.float32)
    return x, (np.sin(x[:, :1]) + x[:, 1:2]).astype(np.float32)


def plain(model, x, y):
    return nn.squared_error(model(x), y)


def noisy(model, x, y, key):
    return nn.squared_error(model(x, key=key), y)


def network(dropout=False):
    first, second = random.split(random.key(1))
    layers = [nn.Linear.init(3, 8, key=first), nn.Activation("tanh")]
    layers += [nn.Dropout(0.3)] if dropout else []
    return nn.Sequential((*layers, nn.Linear.init(8, 1, key=second)))


def same(a, b):
    first, second = flatten(a)[0], flatten(b)[0]
    return len(first) == len(second) and all(
        np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in zip(first, second)
    )


def figures(fit):
    return [repr(dataclasses.replace(e, seconds=0.0)) for e in fit.history]  # nan equals nan


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("dropout", [False, True])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, engine, dropout):
    trainer = Trainer(
        network(dropout), noisy if dropout else plain, Adam(lr=Cosine(0.01, steps=36)), engine
    )
    options = {"batch": 16, "validation": data(32, 1), "seed": 3, "patience": 50}
    whole = trainer.fit(data(), 6, **options)
    trainer.fit(data(), 2, **options, checkpoint=tmp_path / "c")
    trainer.fit(data(), 3, **options, checkpoint=tmp_path / "c", resume=True)
    again = trainer.fit(data(), 6, **options, checkpoint=tmp_path / "c", resume=True)
    assert same(again.model, whole.model) and same(again.state, whole.state)
    assert figures(again) == figures(whole) and again.best == whole.best
    assert again.stopped == whole.stopped == "epochs"


def test_a_run_broken_off_inside_an_epoch_goes_on_after_the_last_whole_one(tmp_path):
    class Impatient(Silent):
        def batch(self, epoch, batch, loss):
            if epoch == 3 and batch >= 2:
                raise KeyboardInterrupt

    trainer = Trainer(network(), plain, SGD(lr=0.05, momentum=0.9))
    whole = trainer.fit(data(), 5, batch=16)
    broken = trainer.fit(data(), 5, batch=16, checkpoint=tmp_path / "c", watch=Impatient())
    assert broken.stopped == "interrupted" and len(broken.history) == 2
    again = trainer.fit(data(), 5, batch=16, checkpoint=tmp_path / "c", resume=True)
    assert same(again.model, whole.model) and [e.loss for e in again.history] == [
        e.loss for e in whole.history
    ]


def test_a_run_that_ended_early_stays_ended(tmp_path):
    x, y = data()
    trainer = Trainer(network(), plain, SGD(lr=0.05))
    options = {"validation": (x, -y), "patience": 2, "checkpoint": tmp_path / "c"}
    first = trainer.fit((x, y), 50, **options)
    again = trainer.fit((x, y), 50, **options, resume=True)
    assert again.stopped == first.stopped == "early"
    assert same(again.model, first.model) and figures(again) == figures(first)


def test_checkpoints_that_do_not_fit(tmp_path):
    folder = tmp_path / "c"
    trainer = Trainer(network(), plain, SGD(lr=0.05))
    with pytest.raises(MissingFile, match="no checkpoint to resume from"):
        trainer.fit(data(), 2, checkpoint=folder, resume=True)
    with pytest.raises(BadInput, match="name the folder"):
        trainer.fit(data(), 2, resume=True)
    trainer.fit(data(), 2, checkpoint=folder)
    with pytest.raises(BadInput, match="batch 32, not 16"):
        trainer.fit(data(), 3, batch=16, checkpoint=folder, resume=True)
    with pytest.raises(BadInput, match="rows 96, not 50"):
        trainer.fit(data(50), 3, checkpoint=folder, resume=True)
    with pytest.raises(BadInput, match="the checkpoint was made with data"):
        trainer.fit(data(seed=1), 3, checkpoint=folder, resume=True)
    with pytest.raises(BadInput, match="made with optimiser"):
        Trainer(network(), plain, SGD(lr=0.06)).fit(data(), 3, checkpoint=folder, resume=True)
    falling = [Trainer(network(), plain, SGD(lr=Cosine(0.1, steps=3 * n))) for n in (2, 5)]
    falling[0].fit(data(), 2, checkpoint=tmp_path / "f")
    with pytest.raises(BadInput, match="Resume with 2 epochs, or train anew with 5"):
        falling[1].fit(data(), 5, checkpoint=tmp_path / "f", resume=True)
    with pytest.raises(BadInput, match="keep_best 'loss', not 'MSE'"):
        trainer.fit(
            data(), 3, validation=data(), metric=Metric("MSE", plain), keep_best="MSE",
            checkpoint=folder, resume=True,
        )  # fmt: skip
    other = Trainer(nn.MLP.init([3, 8, 1], key=random.key(0)), plain, SGD(lr=0.05))
    with pytest.raises(BadInput, match=r"made with model 'Sequential .*, not 'MLP"):
        other.fit(data(), 3, checkpoint=folder, resume=True)
    save(network(), tmp_path / "model")
    with pytest.raises(BadInput, match="no checkpoint of a training run"):
        trainer.fit(data(), 2, checkpoint=tmp_path / "model")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"generator"', '"gen"', "no whole checkpoint"),
        ('"stopped": "epochs"', '"stopped": "asleep"', "do not agree"),
        ('"history": [', '"history": [7, ', "no whole checkpoint"),
        ('"format": "glassgrad-checkpoint"', '"format": "pickle"', "no checkpoint"),
        ('"version": 2', '"version": 3', "version 2 only"),
        ('"sha256": "', '"sha256": "0', "SHA-256 differs"),
        ('"bit_generator": "PCG64"', '"bit_generator": "os.system"', "no whole checkpoint"),
    ],
)
def test_damaged_checkpoints(tmp_path, old, new, said):
    folder = tmp_path / "c"
    trainer = Trainer(network(), plain, SGD(lr=0.05))
    trainer.fit(data(), 1, checkpoint=folder)
    config = folder / "config.json"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
    with pytest.raises(BadInput, match=said):
        trainer.fit(data(), 2, checkpoint=folder, resume=True)


def test_random_losses_differ_by_batch_and_are_judged_without_chance():
    x, y = data()
    fit = Trainer(network(True), noisy, SGD(lr=0.0)).fit((x, y), 3, batch=96, validation=(x, y))
    losses = {e.loss for e in fit.history}
    assert len(losses) == 3 and len({e.validation for e in fit.history}) == 1
    expected = plain(nn.evaluating(fit.model), x, y)
    assert fit.history[0].validation == pytest.approx(float(expected), rel=1e-5)


def test_running_statistics_go_from_batch_to_batch():
    net = nn.Sequential((nn.BatchNorm.init(3), nn.Linear.init(3, 1, key=random.key(0))))

    def loss(model, x, y, state):
        out, state = model(x, state=state)
        return nn.squared_error(out, y), state

    x, y = data()
    x = 5 + 2 * x
    trainer = Trainer(net, loss, SGD(lr=0.01), statistics=nn.initial_state(net))
    fit = trainer.fit((x, y), 40, batch=32, validation=(x, y))
    leaves = [np.asarray(leaf) for leaf in flatten(fit.statistics)[0]]
    means = next(leaf for leaf in leaves if leaf.shape == (3,))
    assert means == pytest.approx(x.mean(axis=0), abs=0.2)
    out, _ = nn.evaluating(fit.model)(x, state=fit.statistics)
    value = float(nn.squared_error(np.asarray(out), y))
    assert fit.history[fit.best - 1].validation == pytest.approx(value, rel=1e-4)


def test_clipping_and_accumulation_come_with_the_optimiser():
    x, y = data(64)
    opt = Accumulated(Clipped(SGD(lr=0.1), norm=0.01), every=4)
    fit = Trainer(network(), plain, opt).fit((x, y), 1, batch=16)
    moved = [np.asarray(a, float) - b for a, b in zip(flatten(fit.model)[0], flatten(network())[0])]
    length = math.sqrt(sum(float((m**2).sum()) for m in moved))
    assert length == pytest.approx(0.1 * 0.01, rel=1e-3)  # one step of the clipped length


def test_several_metrics_and_watchers():
    seen = []

    class Note(Silent):
        def __init__(self, name):
            self.name = name

        def epoch(self, record):
            seen.append((self.name, record.number))

        def begin(self, epochs, batches, metric):
            seen.append((self.name, metric))

    metrics = [Metric("RMSE", plain, math.sqrt), Metric("MSE", plain)]
    fit = Trainer(network(), plain, SGD(lr=0.05)).fit(
        data(), 2, validation=data(32, 1), metric=metrics, watch=[Note("a"), Note("b")]
    )
    assert seen[:3] == [("a", "RMSE"), ("b", "RMSE"), ("a", 1)] and seen[-1] == ("b", 2)
    for e in fit.history:
        named = dict(e.figures)
        assert named["RMSE"] == e.metric == pytest.approx(math.sqrt(named["MSE"]))
        assert named["MSE"] == pytest.approx(e.validation)


def test_data_in_other_forms():
    x, y = data(40)
    trainer = Trainer(network(), plain, SGD(lr=0.05))
    expected = trainer.fit((x, y), 2, batch=8)
    pairs = trainer.fit(zip(x, y), 2, batch=8)
    assert same(pairs.model, expected.model)
    with pytest.raises(BadInput, match="rows of equal length"):
        trainer.fit(([[1.0], [1.0, 2.0]], [0, 1]))
    with pytest.raises(BadInput, match="40, 39 rows"):
        trainer.fit((x, y[1:]))
    with pytest.raises(BadInput, match="iterable of examples, not a int"):
        trainer.fit(7)
    with pytest.raises(BadInput, match="example 1 has 1 parts"):
        trainer.fit(iter([(x[0], y[0]), (x[1],)]))


def test_a_history_draws_itself():
    epochs = [
        Epoch(i, 100.0 / i**3, 90.0 / i**2, 0.5 + i / 40, 0.1, (("accuracy <b>", 0.5 + i / 40),))
        for i in range(1, 13)
    ]
    history = History(epochs)
    root = ElementTree.fromstring(history.svg())
    lines = [e for e in root.iter() if e.tag.endswith("polyline")]
    assert len(lines) == 3 and all(len(e.get("points").split()) == 12 for e in lines)
    words = [e.text for e in root.iter() if e.tag.endswith("text")]
    assert {"training loss", "validation loss", "accuracy <b>", "epoch", "10", "100"} <= set(words)
    places = [float(p.split(",")[1]) for p in lines[0].get("points").split()]
    assert places == sorted(places) and places[0] < places[-1]  # falls down the page
    assert history._repr_html_() == history.svg()


def test_many_metrics_over_many_powers_of_ten_are_drawn_apart():
    names = [f"m{i}" for i in range(9)]
    epochs = [
        Epoch(n, 1.0, rate=10.0**-n, figures=tuple((m, n * 1.5) for m in names))
        for n in range(1, 13)
    ]
    found = list(ElementTree.fromstring(draw_history(epochs)).iter())
    texts = [e for e in found if e.tag.endswith("text")]
    heads = {e.text: float(e.get("x")) for e in texts if e.get("y") == "20"}
    assert set(names) <= set(heads)
    assert all(heads[a] + 20 < heads[b] for a, b in pairwise([*names, "learning rate"]))
    places = [float(e.get("y")) for e in texts if (e.text or "").startswith("1e-")]
    assert len(places) > 3 and all(abs(a - b) > 11 for a, b in pairwise(places))


@pytest.mark.parametrize(
    "epochs",
    [
        [],
        [Epoch(1, 0.5, math.nan, math.nan, 0.1)],
        [Epoch(1, 0.0, 0.0, math.nan, 0.1), Epoch(2, 0.0, math.inf, math.nan, 0.1)],
        [Epoch(1, 3.0, -2.0, math.nan, 0.1), Epoch(2, 3.0, -2.0, math.nan, 0.1)],
    ],
)
def test_odd_histories_draw_too(epochs):
    text = draw_history(epochs)
    ElementTree.fromstring(text)
    assert "nan" not in text and "inf" not in text


def test_a_checkpoint_is_plain(tmp_path):
    Trainer(network(), plain, SGD(lr=0.05)).fit(data(), 2, checkpoint=tmp_path / "c")
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    config = json.loads((tmp_path / "c" / "config.json").read_text())
    assert config["about"]["rows"] == 96 and len(config["history"]) == 2
