"""Layers, losses and initial values here and in PyTorch, with the same weights, in float64.

    python benchmarks/compare_layers.py

prints the largest relative difference of each, and exits with 1 if one is above 1e-12. PyTorch must
be installed (the extra `bench`).
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
import torch

import glassgrad as gg
from glassgrad import nn, random

F = torch.nn.functional
KEY = random.key(1)
RNG = np.random.default_rng(0)
ALLOWED = 1e-12


def tensor(a):
    return None if a is None else torch.tensor(np.asarray(a))


def into(module, model):
    """PyTorch's module with our weights."""
    state = module.double().state_dict()
    module.load_state_dict({**state, **{k: tensor(v) for k, v in nn.named_arrays(model).items()}})
    return module


def draws(*shape):
    return RNG.normal(size=shape)


def layers():
    """(name, ours, theirs)"""
    x = draws(6, 4)
    linear = nn.Linear.init(4, 3, key=KEY, dtype=np.float64)
    yield "Linear", linear(x), into(torch.nn.Linear(4, 3), linear)(tensor(x))
    table, ids = nn.Embedding.init(7, 3, key=KEY, dtype=np.float64), np.array([[1, 6], [1, 0]])
    yield "Embedding", table(ids), into(torch.nn.Embedding(7, 3), table)(tensor(ids))
    norm = nn.LayerNorm(draws(4), draws(4))
    yield "LayerNorm", norm(x), into(torch.nn.LayerNorm(4), norm)(tensor(x))
    slope = nn.PReLU.init(dtype=np.float64)
    yield "PReLU", slope(x), into(torch.nn.PReLU(), slope)(tensor(x))
    net = nn.MLP.init([4, 5, 3], key=KEY, activation="tanh", dtype=np.float64)
    same = [torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)]
    yield "MLP", net(x), into(torch.nn.Sequential(*same), net)(tensor(x))
    yield from batch_norm()
    yield from recurrent(nn.RNNCell, torch.nn.RNNCell, torch.nn.RNN)
    yield from recurrent(nn.GRUCell, torch.nn.GRUCell, torch.nn.GRU)


def batch_norm():
    for shape, kind in (((6, 3), torch.nn.BatchNorm1d), ((2, 3, 4, 5), torch.nn.BatchNorm2d)):
        norm = nn.BatchNorm(draws(3), draws(3))
        theirs, state = into(kind(3), norm), norm.initial_state()
        for _ in range(3):
            x = draws(*shape)
            y, state = norm(x, state=state)
            yield f"{kind.__name__}, training", y, theirs(tensor(x))
        yield f"{kind.__name__}, running mean", state.running_mean, theirs.running_mean
        yield f"{kind.__name__}, running var", state.running_var, theirs.running_var
        theirs.eval()
        y, _ = nn.evaluating(norm)(x, state=state)
        yield f"{kind.__name__}, evaluating", y, theirs(tensor(x))


def recurrent(ours, cell, sequence):
    model = ours.init(4, 5, key=KEY, dtype=np.float64)
    x, h, xs = draws(6, 4), draws(6, 5), draws(7, 6, 4)
    yield ours.__name__, model(x, h), into(cell(4, 5), model)(tensor(x), tensor(h))
    theirs = sequence(4, 5).double()
    named = nn.named_arrays(model)
    theirs.load_state_dict({f"{k}_l0": tensor(v) for k, v in named.items()})
    states, last = nn.Recurrent(model)(xs)
    expected, final = theirs(tensor(xs))
    yield f"{ours.__name__}, all states", states, expected
    yield f"{ours.__name__}, last state", last, final[0]
    (expected**2).sum().backward()
    gradient = gg.grad(lambda model: np.sum(nn.Recurrent(model)(xs)[0] ** 2))(model)
    for name, g in nn.named_arrays(gradient).items():
        yield f"{ours.__name__}, gradient of {name}", g, getattr(theirs, f"{name}_l0").grad


def losses():
    """(name, ours, theirs)"""
    z, y, w = draws(6, 3), RNG.uniform(size=(6, 3)), RNG.uniform(size=3)
    hard, soft = RNG.integers(0, 3, 6), RNG.dirichlet(np.ones(3), 6)
    for red in ("mean", "sum", "none"):
        for part, weights in itertools.product((0.0, 0.1), (None, w)):
            for target in (hard, soft):
                given = {"weight": tensor(weights), "label_smoothing": part, "reduction": red}
                yield (
                    f"cross_entropy, {red}",
                    nn.cross_entropy(z, target, weights=weights, smoothing=part, reduction=red),
                    F.cross_entropy(tensor(z), tensor(target), **given),
                )
        a, b = tensor(z), tensor(y)
        positive = tensor(3.0).double()
        yield (
            f"binary_cross_entropy, {red}",
            nn.binary_cross_entropy(z, y, positive_weight=3.0, reduction=red),
            F.binary_cross_entropy_with_logits(a, b, pos_weight=positive, reduction=red),
        )
        ours = nn.huber(z, y, delta=0.7, reduction=red)
        yield f"huber, {red}", ours, F.huber_loss(a, b, delta=0.7, reduction=red)
        yield (
            f"absolute_error, {red}",
            nn.absolute_error(z, y, reduction=red),
            F.l1_loss(a, b, reduction=red),
        )
        yield (
            f"squared_error, {red}",
            nn.squared_error(z, y, reduction=red),
            F.mse_loss(a, b, reduction=red),
        )


def initial_values():
    """Largest size and standard deviation of many drawn numbers, ours and theirs."""
    pairs = {
        "Linear": (nn.Linear.init(300, 500, key=KEY), torch.nn.Linear(300, 500)),
        "Embedding": (nn.Embedding.init(500, 300, key=KEY), torch.nn.Embedding(500, 300)),
        "RNNCell": (nn.RNNCell.init(300, 200, key=KEY), torch.nn.RNNCell(300, 200)),
        "GRUCell": (nn.GRUCell.init(300, 200, key=KEY), torch.nn.GRUCell(300, 200)),
    }
    for name, (ours, theirs) in pairs.items():
        for part, values in nn.named_arrays(ours).items():
            other = theirs.state_dict()[part].numpy()
            yield f"{name}.{part}", values, other


def main():
    wrong = 0
    for name, ours, theirs in itertools.chain(layers(), losses()):
        ours, theirs = np.asarray(ours), theirs.detach().numpy()
        assert ours.shape == theirs.shape, name
        gap = np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs))
        wrong += gap > ALLOWED
        print(f"{name:<40} {gap:.1e}")
    print(f"\n{'initial values: largest, deviation':<40} {'ours':>17} {'PyTorch':>17}")
    for name, *both in initial_values():
        shown = [f"{np.abs(v).max():8.4f} {v.std():8.4f}" for v in both]
        print(f"{name:<40} {shown[0]} {shown[1]}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
