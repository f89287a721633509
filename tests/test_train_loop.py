"""The training loop: it learns, stops early, survives Ctrl-C, and says when it diverges."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest

from glassgrad import nn
from glassgrad.data.bad_input import BadInput
from glassgrad.optim import SGD, Accumulated, Adam, Clipped, Cosine
from glassgrad.train import trainer as module
from glassgrad.train.history import Silent
from glassgrad.train.metric import Metric, Score
from glassgrad.train.progress import LiveProgress, PlainProgress, progress
from glassgrad.train.trainer import Trainer
from glassgrad.transform import random
from glassgrad.transform.jit import jit
from glassgrad.transform.tree import flatten, tree_map, unflatten


def loss(model, x, y):
    return nn.squared_error(model(x), y)


def line(rows=64, seed=0):
    x = np.random.default_rng(seed).standard_normal((rows, 2)).astype(np.float32)
    return x, (x @ np.array([[1.0], [-2.0]], np.float32)) + 0.5


def trainer(opt=None, engine="reference"):
    return Trainer(nn.MLP.init([2, 1], key=random.key(0)), loss, opt or SGD(lr=0.2), engine)


def test_a_short_last_chunk_of_the_validation_needs_no_program_of_its_own(monkeypatch):
    made, held = [], line(37, 1)
    monkeypatch.setattr(module, "CHUNK", 16)
    monkeypatch.setattr(module, "jit", lambda *a, **k: made.append(jit(*a, **k)) or made[-1])
    fit = trainer(SGD(lr=0.0), "native").fit(line(), 2, batch=16, validation=held)
    (judge,) = made
    assert repr(judge).endswith("1 programs>")
    assert "sizes so far: n0 = 16,5" in judge.report()
    np.testing.assert_allclose(fit.history[-1].validation, loss(fit.model, *held), rtol=1e-6)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_line_is_learned(engine):
    fit = trainer(engine=engine).fit(line(), 20, batch=16, validation=line(32, 1))
    assert fit.stopped == "epochs" and len(fit.history) == 20
    assert fit.history[-1].validation < 1e-5 < fit.history[0].validation
    layer = fit.model.layers[0]
    assert layer.weight == pytest.approx(np.array([[1.0, -2.0]]), abs=0.01)
    assert layer.bias == pytest.approx(np.array([0.5]), abs=0.01)


def test_the_engines_agree_and_a_seed_repeats():
    runs = [
        trainer(Adam(lr=0.01), engine).fit(line(), 3, batch=16, seed=5)
        for engine in ("reference", "native", "native")
    ]
    reference, native, again = (run.model.layers[0].weight for run in runs)
    assert native == pytest.approx(reference, rel=1e-4)
    assert (native == again).all()


def test_the_step_is_the_gradient_step_by_hand():
    x, y = line(8)
    model = trainer().model
    leaves, structure = flatten((model, SGD(lr=0.1).init(model), None, ()))
    new, value, rate = trainer(SGD(lr=0.1)).step(structure)(tuple(leaves), x, y)
    new, *_ = unflatten(structure, list(new))
    w, b = model.layers[0].weight, model.layers[0].bias
    error = x @ w.T + b - y
    assert float(value) == pytest.approx(float((error**2).mean()), rel=1e-6)
    assert float(rate) == 0.1
    assert new.layers[0].weight == pytest.approx(w - 0.1 * 2 * (error.T @ x) / 8, rel=1e-5)
    assert new.layers[0].bias == pytest.approx(b - 0.1 * 2 * error.mean(), rel=1e-5)


def test_the_best_epoch_is_kept_and_patience_ends_the_run():
    x, y = line()
    held = x, -y  # the better the fit, the worse on these
    fit = trainer(SGD(lr=0.05)).fit((x, y), 50, validation=held, patience=3)
    assert fit.stopped == "early" and len(fit.history) == fit.best + 3
    best = min(fit.history, key=lambda e: e.validation)
    assert best.number == fit.best
    assert float(loss(fit.model, *held)) == pytest.approx(best.validation, rel=1e-5)


def test_a_metric_may_say_which_model_is_kept():
    x, y = line()
    told = iter([0.2, 0.5, 0.5, 0.9, 0.1, 0.1, 0.1, 0.1])
    seen = []

    def of(model):
        seen.append(model)
        return next(told)

    options = {"validation": (x, y), "patience": 3, "keep_best": "F1"}
    fit = trainer(SGD(lr=0.05)).fit((x, y), 50, metric=Score("F1", of), **options)
    assert fit.stopped == "early" and fit.best == 4 and len(fit.history) == 7
    assert fit.model.layers[0].weight.tolist() == seen[3].layers[0].weight.tolist()
    assert [e.metric for e in fit.history][:4] == [0.2, 0.5, 0.5, 0.9]
    least = Metric("RMSE", loss, math.sqrt, highest=False)
    first = trainer().fit((x, y), 5, validation=(x, y), metric=least, keep_best="RMSE")
    assert first.best == min(first.history, key=lambda e: e.metric).number
    equal = trainer().fit(
        (x, y), 5, validation=(x, y), metric=Score("F1", lambda m: math.nan), keep_best="F1"
    )
    assert equal.best == min(equal.history, key=lambda e: e.validation).number
    with pytest.raises(BadInput, match=r"names no metric of this run. Did you mean 'RMSE'"):
        trainer().fit((x, y), 5, validation=(x, y), metric=least, keep_best="RMS")
    with pytest.raises(BadInput, match="needs validation data"):
        trainer().fit((x, y), 5, metric=least, keep_best="RMSE")


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_the_learning_rate_is_logged(engine):
    cosine = Cosine(0.1, steps=12, final=0.01)
    for opt in (SGD(lr=cosine), Clipped(SGD(lr=cosine), norm=1.0)):
        fit = trainer(opt, engine).fit(line(), 3, batch=16)
        expected = [float(cosine(t)) for t in (3.0, 7.0, 11.0)]  # four steps an epoch
        assert [e.rate for e in fit.history] == pytest.approx(expected, rel=1e-12)
    moves = Accumulated(SGD(lr=cosine), every=4)
    fit = trainer(moves, engine).fit(line(), 3, batch=16)
    expected = [float(cosine(t)) for t in (0.0, 1.0, 2.0)]
    assert [e.rate for e in fit.history] == pytest.approx(expected, rel=1e-12)
    assert "learning rate" in fit.history.svg()
    constant = trainer(SGD(lr=0.1), engine).fit(line(), 2, batch=16).history
    assert [e.rate for e in constant] == [0.1, 0.1] and "learning rate" not in constant.svg()


def test_an_optimiser_of_ones_own_need_not_tell_its_rate():
    class Descent:
        def init(self, params):
            return ()

        def step(self, params, grads, state):
            return tree_map(lambda p, g: p - 0.1 * g, params, grads), state

    fit = trainer(Descent()).fit(line(), 2)
    assert math.isnan(fit.history[0].rate) and fit.history[1].loss < fit.history[0].loss


def test_ctrl_c_keeps_the_best_so_far():
    class Impatient(Silent):
        def batch(self, epoch, batch, loss):
            if epoch == 3 and batch >= 2:
                raise KeyboardInterrupt

    fit = trainer().fit(line(), 10, batch=16, validation=line(32, 1), watch=Impatient())
    assert fit.stopped == "interrupted" and len(fit.history) == 2 and fit.best == 2
    assert float(loss(fit.model, *line(32, 1))) == pytest.approx(
        fit.history[1].validation, rel=1e-5
    )


def test_divergence_is_said():
    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        trainer(SGD(lr=1e30)).fit(line(), 5, validation=line(32, 1))


def test_labels_that_are_no_class_are_said():
    net = nn.MLP.init([1, 3], key=random.key(0))
    fit = Trainer(net, lambda net, x, y: nn.cross_entropy(net(x), y), SGD(lr=0.1)).fit
    with pytest.raises(FloatingPointError, match="labels that are no class"):
        fit((np.zeros((6, 1), np.float32), np.array([1, 2, 3, 1, 2, 3])), 2)


def test_divergence_after_a_good_epoch_keeps_it():
    x, y = line()

    class Poison(Silent):
        def epoch(self, record):
            y[:] = np.nan

    fit = trainer().fit((x, y), 5, validation=line(32, 1), watch=Poison())
    assert fit.stopped == "diverged" and fit.best == 1
    assert np.isfinite(fit.model.layers[0].weight).all()


def test_data_that_do_not_fit_together():
    x, y = line()
    with pytest.raises(BadInput, match="64, 63 rows"):
        trainer().fit((x, y[1:]))
    with pytest.raises(BadInput, match="no rows"):
        trainer().fit((x[:0], y[:0]))
    with pytest.raises(BadInput, match="at least 1"):
        trainer().fit((x, y), 0)


def test_fewer_rows_than_a_batch():
    fit = trainer().fit(line(5), 3, batch=100)
    assert len(fit.history) == 3 and math.isnan(fit.history[0].validation)


def test_progress_in_plain_lines():
    stream = io.StringIO()
    metric = Metric("RMSE", loss, math.sqrt)
    trainer().fit(line(), 40, validation=line(32, 1), metric=metric, watch=PlainProgress(stream))
    lines = stream.getvalue().splitlines()
    assert 10 <= len(lines) <= 16
    assert lines[0].startswith("epoch 1/40  loss ") and "validation" in lines[0]
    assert lines[-1].startswith("epoch 40/40") and "RMSE" in lines[-1]
    assert lines[-1].endswith("rate 0.2")
    assert type(progress(stream)) is PlainProgress


def test_progress_as_a_bar():
    stream = io.StringIO()
    trainer().fit(line(), 4, validation=line(32, 1), watch=LiveProgress(stream))
    assert "epoch 4/4" in stream.getvalue() and "validation" in stream.getvalue()
