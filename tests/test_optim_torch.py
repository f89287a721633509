"""Twenty steps of every optimiser and schedule give PyTorch's numbers.

These stand in optim_torch.json, written by benchmarks/compare_optimisers.py with PyTorch.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import optim

REFERENCE = json.loads((Path(__file__).parent / "optim_torch.json").read_text(encoding="utf-8"))
STEPS = REFERENCE["steps"]


def grid(*shape, stride):
    n = int(np.prod(shape))
    return ((np.arange(n) * stride % 23 - 11) / 8).reshape(shape)


X, Y = grid(5, 3, stride=7), grid(5, 2, stride=5) / 2
START = {"weight": grid(3, 2, stride=9), "bias": grid(2, stride=13)}
TABLE = grid(6, 2, stride=11)
ROWS = np.array([[(3 * t) % 6, (t + 1) % 6, (3 * t) % 6] for t in range(STEPS)])
WEIGHTS = np.array([[float(t % 5 > 1), float(t % 4 > 0), float(t % 5 > 1)] for t in range(STEPS)])


def loss(params, x, y):
    return np.mean((np.tanh(x @ params["weight"] + params["bias"]) - y) ** 2)


def table_loss(params, rows, weights):
    return np.sum(weights[:, None] * (params["table"][rows] - 1) ** 2)


def built(settings):
    values = {k: built(v) if isinstance(v, dict) else v for k, v in settings.items()}
    return getattr(optim, values.pop("kind"))(**values)


def problem(name):
    """Start, loss, and the batch of each step."""
    if name == "layer":
        return START, loss, [(X, Y)] * STEPS
    weights = WEIGHTS if name == "weighted" else np.ones((STEPS, 3))
    return {"table": TABLE}, table_loss, list(zip(ROWS, weights))


def trained(case, compiled):
    opt = built(case["optimiser"])
    params, function, batches = problem(case["problem"])

    def step(params, state, *batch):
        return opt.step(params, gg.grad(function)(params, *batch), state)

    step = compiled(step)
    state = opt.init(params)
    for batch in batches:
        params, state = step(params, state, *batch)
    return np.concatenate([a.ravel() for a in params.values()])


CASES = {f"{case['problem']} {case['optimiser']}": case for case in REFERENCE["cases"]}
READ = "weighted {'kind': 'SparseAdam', 'lr': 0.05}"  # which rows were read, no array tells


@pytest.mark.parametrize("name", [name for name in CASES if name != READ])
def test_twenty_steps(name):
    found = trained(CASES[name], lambda f: f)
    np.testing.assert_allclose(found, CASES[name]["after"], rtol=1e-12, atol=0)


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("name", CASES)
def test_twenty_compiled_steps(name, engine):
    found = trained(CASES[name], lambda f: gg.jit(f, engine=engine))
    np.testing.assert_allclose(found, CASES[name]["after"], rtol=1e-12, atol=0)


def test_a_row_that_is_read_with_a_gradient_of_zero_is_used_in_a_compiled_step():
    apart = np.abs(trained(CASES[READ], lambda f: f) - CASES[READ]["after"])
    assert apart.max() > 0.01  # an array of numbers does not tell that the row was read


def test_all_optimisers_and_schedules_are_compared():
    def kinds(settings):
        inner = [kinds(v) for v in settings.values() if isinstance(v, dict)]
        return {settings["kind"]}.union(*inner)

    compared = set().union(*(kinds(c["optimiser"]) for c in REFERENCE["cases"]))
    named = {n for n in optim.__all__ if isinstance(getattr(optim, n), type)}
    others = {
        "Accumulated",
        "Clipped",
        "Collected",
        "Optimiser",
        "Rule",
        "State",
        "Trial",
        "Trials",
    }
    assert compared == named - others | {"SparseAdam"}
