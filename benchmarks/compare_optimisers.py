"""Twenty steps of every optimiser and schedule, here and in PyTorch, in float64.

    python benchmarks/compare_optimisers.py            # a table of the largest relative differences
    python benchmarks/compare_optimisers.py --write    # and PyTorch's numbers into the tests

The problem is a layer with tanh and a mean of squares. Where rows of a table are the question,
it is a table of which each step reads three rows; in the problem "weighted" some of these have
weight 0, so that a row is read and its gradient is zero. PyTorch must be installed (the extra
`bench`).
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import torch

import glassgrad as gg
from glassgrad import optim

STEPS = 20
REFERENCE = Path(__file__).parent.parent / "tests" / "optim_torch.json"


def grid(*shape, stride):
    """Eighths that look random and are exact in binary."""
    n = int(np.prod(shape))
    return ((np.arange(n) * stride % 23 - 11) / 8).reshape(shape)


X, Y = grid(5, 3, stride=7), grid(5, 2, stride=5) / 2
START = {"weight": grid(3, 2, stride=9), "bias": grid(2, stride=13)}
TABLE = grid(6, 2, stride=11)
ROWS = [[(3 * t) % 6, (t + 1) % 6, (3 * t) % 6] for t in range(STEPS)]
WEIGHTS = [[float(t % 5 > 1), float(t % 4 > 0), float(t % 5 > 1)] for t in range(STEPS)]


def loss(params, x, y):
    return np.mean((np.tanh(x @ params["weight"] + params["bias"]) - y) ** 2)


def table_loss(table, rows, weights):
    return np.sum(weights[:, None] * (table[rows] - 1) ** 2)


# -- what is compared: our spelling, PyTorch's optimiser, its schedule -------------------------

T, S = torch.optim, torch.optim.lr_scheduler


def spec(kind, **settings):
    return {"kind": kind, **settings}


def sgd(p):
    return T.SGD(p, 0.3)


def warm_cosine(o):
    rise = S.LinearLR(o, start_factor=0.25, end_factor=1.0, total_iters=5)
    return S.SequentialLR(o, [rise, S.CosineAnnealingLR(o, 15)], milestones=[5])


OPTIMISERS = [
    (spec("SGD", lr=0.3), sgd),
    (spec("SGD", lr=0.2, momentum=0.9), lambda p: T.SGD(p, 0.2, 0.9)),
    (
        spec("SGD", lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda p: T.SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.01),
    ),
    (spec("RMSProp", lr=0.01), lambda p: T.RMSprop(p, 0.01)),
    (
        spec("RMSProp", lr=0.01, momentum=0.5, centred=True),
        lambda p: T.RMSprop(p, 0.01, momentum=0.5, centered=True),
    ),
    (spec("Adagrad", lr=0.1), lambda p: T.Adagrad(p, 0.1)),
    (
        spec("Adagrad", lr=0.1, lr_decay=0.1, weight_decay=0.01),
        lambda p: T.Adagrad(p, 0.1, lr_decay=0.1, weight_decay=0.01),
    ),
    (spec("AdaDelta"), lambda p: T.Adadelta(p)),
    (spec("Adam", lr=0.05), lambda p: T.Adam(p, 0.05)),
    (
        spec("Adam", lr=0.05, betas=[0.8, 0.95], eps=1e-3, weight_decay=0.1),
        lambda p: T.Adam(p, 0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    ),
    (spec("AdamW", lr=0.05, weight_decay=0.1), lambda p: T.AdamW(p, 0.05, weight_decay=0.1)),
]

TABLES = [
    ("table", spec("SparseAdam", lr=0.05), lambda p: T.SparseAdam(p, 0.05)),
    ("weighted", spec("SparseAdam", lr=0.05), lambda p: T.SparseAdam(p, 0.05)),
    ("table", spec("Adam", lr=0.05, rows="exact"), lambda p: T.Adam(p, 0.05)),
    ("weighted", spec("Adam", lr=0.05, rows="exact"), lambda p: T.Adam(p, 0.05)),
    (
        "weighted",
        spec("AdamW", lr=0.05, weight_decay=0.1, rows="exact"),
        lambda p: T.AdamW(p, 0.05, weight_decay=0.1),
    ),
]

SCHEDULES = [
    (spec("Constant", lr=0.3), lambda o: S.ConstantLR(o, factor=1.0)),
    (spec("Step", lr=0.3, every=4, factor=0.5), lambda o: S.StepLR(o, 4, 0.5)),
    (spec("Exponential", lr=0.3, factor=0.9), lambda o: S.ExponentialLR(o, 0.9)),
    (spec("Cosine", lr=0.3, steps=20, final=0.01), lambda o: S.CosineAnnealingLR(o, 20, 0.01)),
    (spec("Inverse", lr=0.3, decay=0.5), lambda o: S.LambdaLR(o, lambda t: 1 / (1 + 0.5 * t))),
    (
        spec("WarmUp", then=0.3, steps=8, first=0.125),
        lambda o: S.LinearLR(o, start_factor=0.125, total_iters=8),
    ),
    (
        spec("WarmUp", then=spec("Cosine", lr=0.3, steps=15), steps=5, first=0.25),
        warm_cosine,
    ),
    (
        spec("OneCycle", lr=0.5, steps=20),
        lambda o: S.OneCycleLR(o, 0.5, total_steps=20, cycle_momentum=False),
    ),
]


def cases():
    """(problem, our optimiser, PyTorch's, PyTorch's schedule or None) of every comparison."""
    yield from (("layer", ours, theirs, None) for ours, theirs in OPTIMISERS)
    yield from ((problem, ours, theirs, None) for problem, ours, theirs in TABLES)
    yield from (("layer", spec("SGD", lr=ours), sgd, theirs) for ours, theirs in SCHEDULES)
    name, theirs = SCHEDULES[-1]
    yield "layer", spec("AdamW", lr=name), lambda p: T.AdamW(p, 0.3), theirs


def batch(problem, t):
    """What step t is given."""
    if problem == "layer":
        return X, Y
    return np.array(ROWS[t]), np.array(WEIGHTS[t]) if problem == "weighted" else np.ones(3)


# -- both sides ---------------------------------------------------------------------------------


def built(settings):
    """Our optimiser or schedule of a description."""
    values = {k: built(v) if isinstance(v, dict) else v for k, v in settings.items()}
    return getattr(optim, values.pop("kind"))(**values)


def ours(problem, settings):
    opt = built(settings)
    params, function = (START, loss) if problem == "layer" else (TABLE, table_loss)

    @gg.jit
    def step(params, state, *given):
        return opt.step(params, gg.grad(function)(params, *given), state)

    state = opt.init(params)
    for t in range(STEPS):
        params, state = step(params, state, *batch(problem, t))
    return [params["weight"], params["bias"]] if problem == "layer" else [params]


def theirs(problem, settings, optimiser, schedule):
    start = [START["weight"], START["bias"]] if problem == "layer" else [TABLE]
    params = [torch.tensor(a, requires_grad=True) for a in start]
    opt = optimiser(params)
    plan = schedule(opt) if schedule else None
    for t in range(STEPS):
        opt.zero_grad()
        first, second = map(torch.tensor, batch(problem, t))
        if problem == "layer":
            weight, bias = params
            value = ((torch.tanh(first @ weight + bias) - second) ** 2).mean()
        else:
            sparse = settings["kind"] == "SparseAdam"
            read = torch.nn.functional.embedding(first, params[0], sparse=sparse)
            value = (second[:, None] * (read - 1) ** 2).sum()
        value.backward()
        opt.step()
        if plan is not None:
            plan.step()
    return [p.detach().numpy() for p in params]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {REFERENCE.name}")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="torch")
    found = []
    print(f"{'largest relative difference after':<72}{STEPS} steps, PyTorch {torch.__version__}")
    for problem, settings, optimiser, schedule in cases():
        expected = theirs(problem, settings, optimiser, schedule)
        gaps = [np.max(np.abs(a / b - 1)) for a, b in zip(ours(problem, settings), expected)]
        print(f"{built(settings)!r:<110} {max(gaps):.1e}")
        numbers = np.concatenate([a.ravel() for a in expected]).tolist()
        found.append({"problem": problem, "optimiser": settings, "after": numbers})
    if arguments.write:
        made = {"made_by": "benchmarks/compare_optimisers.py --write", "torch": torch.__version__}
        REFERENCE.write_text(json.dumps({**made, "steps": STEPS, "cases": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
