"""The loop over batches inside the compiled program."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from glassgrad.data.batches import batches
from glassgrad.train import sweep
from glassgrad.train.sweep import Sweep, interrupts_held

ENGINES = ("reference", "native")


def step(leaves, x, y):
    """One step of least squares by hand."""
    w, count, flag = leaves
    error = x @ w - y
    return (w - 0.1 * (x.T @ error) / len(y), count + 1, flag), np.mean(error**2), 0.1


def problem(rows=103):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, 3)).astype(np.float32)
    return x, x @ np.array([1, -2, 0.5], np.float32), (np.zeros(3, np.float32), np.int64(0), True)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pass_is_the_same_steps_on_the_same_batches(engine):
    x, y, leaves = problem()
    passed = Sweep(step, (x, y), 8, engine)
    *_, (found, done, mean, rate) = passed.run(leaves, np.random.default_rng(3))
    wanted, losses, sizes = leaves, [], []
    for batch in batches((x, y), 8, np.random.default_rng(3)):
        wanted, loss, _ = step(wanted, *batch)
        losses.append(loss)
        sizes.append(len(batch[0]))
    assert sizes == [8] * 12 + [7]
    assert done == len(losses) == passed.batches == 13 and rate == 0.1
    assert found[0] == pytest.approx(wanted[0], rel=1e-5)
    assert found[1] == 13 and found[2] is True
    assert mean == pytest.approx(np.average(losses, weights=sizes), rel=1e-5)
    assert (leaves[0] == 0).all()  # the caller's arrays are left alone


@pytest.mark.parametrize("engine", ENGINES)
def test_how_batches_are_dealt_out_to_calls_changes_no_bit(engine, monkeypatch):
    x, y, leaves = problem()
    results = []
    for away in (0.0, 1e9):
        monkeypatch.setattr(sweep, "AWAY", away)
        passed = Sweep(step, (x, y), 8, engine)
        for _ in range(2):
            stops = list(passed.run(leaves, np.random.default_rng(3)))
        results.append((len(stops), stops[-1]))
    (many, one), (few, other) = results
    assert many == 13 and few < 12
    assert one[0][0].tobytes() == other[0][0].tobytes() and one[2] == other[2]


@pytest.mark.parametrize(("rows", "programs"), [(104, 1), (103, 1), (7, 1)])
def test_a_short_last_batch_compiles_nothing_anew(rows, programs):
    x, y, leaves = problem(rows)
    passed = Sweep(step, (x, y), 8, "native")
    generator = np.random.default_rng(3)
    for _ in range(3):
        for reached in passed.run(leaves, generator):
            leaves = reached.leaves
    assert leaves[1] == 3 * passed.batches
    assert f"{programs} programs" in repr(passed._several)
    assert "anew" not in passed._several.report()


def test_rows_in_any_layout():
    x, y, leaves = problem()
    wide = np.zeros((103, 6), np.float32)
    wide[:, ::2] = x
    runs = [
        list(Sweep(step, data, 8, "reference").run(leaves, np.random.default_rng(0)))[-1]
        for data in ((x, y), (wide[:, ::2], y), (np.asfortranarray(x), y))
    ]
    assert all((run[0][0] == runs[0][0][0]).all() for run in runs)


def test_ctrl_c_is_heard_when_the_block_is_whole():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        os.kill(os.getpid(), signal.SIGINT)
        done.extend(range(1000))
    assert len(done) == 1000
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_is_heard_at_once():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        os.kill(os.getpid(), signal.SIGINT)
        done.append(1)
        os.kill(os.getpid(), signal.SIGINT)
        done.append(2)
    assert done == [1]


def test_another_handler_is_left_alone():
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with interrupts_held():
            os.kill(os.getpid(), signal.SIGINT)
        assert heard == [1]
    finally:
        signal.signal(signal.SIGINT, before)


LONG = """
import sys, time
import numpy as np
import glassgrad as gg
from glassgrad import nn

rng = np.random.default_rng(0)
rows = int(sys.argv[1])
x, y = rng.normal(size=(rows, 64)).astype(np.float32), rng.integers(0, 10, rows)
model = nn.MLP.init([64, 128, 10], key=gg.random.key(0))


class Told:
    def begin(self, *_): pass
    def batch(self, epoch, batch, loss):
        if epoch == 2:
            print("under way", flush=True)
    def epoch(self, record): pass
    def close(self): pass


fit = gg.Trainer(model, lambda m, x, y: nn.cross_entropy(m(x), y), gg.optim.Adam()).fit(
    (x, y), 100000, batch=32, watch=Told())
print("stopped", time.time(), fit.stopped, np.isfinite(fit.model.layers[0].weight).all(), fit.best)
"""


@pytest.mark.parametrize("rows", [60000, 60007], ids=["full batches", "a short one"])
def test_ctrl_c_ends_a_run_within_half_a_second(rows):
    late = []
    for wait in (0.0, 0.02, 0.05):
        words = [sys.executable, "-c", LONG, str(rows)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "under way\n"
        time.sleep(wait)
        pressed = time.time()
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[0].splitlines()
        word, at, stopped, finite, best = rest[-1].split()
        assert (word, stopped, finite) == ("stopped", "interrupted", "True") and int(best) >= 1
        late.append(float(at) - pressed)
    print(late)
    assert sorted(late)[1] < 0.5
