"""Networks of every kind on rows that are no multiple of the batch: one program, and right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim, random
from glassgrad.train.run import start
from glassgrad.train.sweep import Sweep

rng = np.random.default_rng(0)
X = rng.normal(size=(53, 6)).astype(np.float32)
Y = rng.integers(0, 3, 53)
TOKENS = rng.integers(0, 40, (53, 5))
KEY = random.key(7)


class Tagger(nn.Module):
    """A table of vectors, and a network on a window of them."""

    table: nn.Embedding
    network: nn.MLP

    def __call__(self, x: Any) -> Any:
        return self.network(np.reshape(self.table(x), (len(x), -1)))


class Reader(nn.Module):
    """A cell that reads a row number by number, and a layer on its last state."""

    cell: nn.Recurrent
    last: nn.Linear

    def __call__(self, x: Any) -> Any:
        return self.last(self.cell(np.transpose(x)[:, :, None])[1])


def dense(*layers: Any) -> nn.Sequential:
    return nn.Sequential((nn.Linear.init(6, 8, key=KEY), *layers, nn.Linear.init(8, 3, key=KEY)))


def loss(model: Any, x: Any, y: Any) -> Any:
    return nn.cross_entropy(model(x), y)


def drawing(model: Any, x: Any, y: Any, *, key: Any) -> Any:
    return nn.cross_entropy(model(x, key=key), y)


def remembering(model: Any, x: Any, y: Any, *, state: Any) -> Any:
    z, state = model(x, state=state)
    return nn.cross_entropy(z, y), state


def window(rows: Any = "exact") -> Callable[[], tuple[Any, ...]]:
    def made() -> tuple[Any, ...]:
        net = Tagger(nn.Embedding.init(40, 4, key=KEY), nn.MLP.init([20, 8, 3], key=KEY))
        return net, loss, optim.Adam(0.01, rows=rows), TOKENS

    return made


KINDS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "perceptron": lambda: (nn.MLP.init([6, 8, 3], key=KEY), loss, optim.Adam(0.01), X),
    "momentum": lambda: (dense(nn.Activation("tanh")), loss, optim.SGD(0.1, momentum=0.9), X),
    "dropout": lambda: (dense(nn.Dropout(0.3), nn.Activation("silu")), drawing, optim.Adam(), X),
    "layer norm": lambda: (dense(nn.LayerNorm.init(8)), loss, optim.Adam(0.01), X),
    "batch norm": lambda: (dense(nn.BatchNorm.init(8)), remembering, optim.SGD(0.1), X),
    "gated": lambda: (dense(nn.Gated.init(8, 8, key=KEY)), loss, optim.AdamW(0.01), X),
    "clipped": lambda: (dense(), loss, optim.Clipped(optim.Adam(0.01), norm=0.1), X),
    "accumulated": lambda: (dense(), loss, optim.Accumulated(optim.SGD(0.1), 3), X),
    "falling rate": lambda: (dense(), loss, optim.Adam(optim.Cosine(0.1, steps=21)), X),
    "table": window(),
    "rows of a table": window("lazy"),
    "recurrent": lambda: (
        Reader(nn.Recurrent(nn.GRUCell.init(1, 4, key=KEY)), nn.Linear.init(4, 3, key=KEY)),
        loss, optim.Adam(0.01), X,
    ),
}  # fmt: skip


def passes(kind: str, engine: str, count: int = 3) -> tuple[tuple[Any, ...], list[float], Sweep]:
    """The leaves after some passes, the mean losses, and the compiled pass."""
    model, of, opt, x = KINDS[kind]()
    trainer = gg.Trainer(model, of, opt, statistics=nn.initial_state(model))
    run = start(model, opt.init(model), trainer.statistics, KEY if of is drawing else ())
    sweep = Sweep(trainer.step(run.structure), (x, Y), 8, engine)
    leaves, losses, generator = run.leaves, [], np.random.default_rng(1)
    for _ in range(count):
        *_, reached = sweep.run(leaves, generator)
        leaves = reached.leaves
        losses.append(reached.loss)
        assert reached.done == 7
    return leaves, losses, sweep


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_last_batch_is_a_step_like_any_other(kind: str) -> None:
    leaves, losses, sweep = passes(kind, "native")
    expected, wanted, _ = passes(kind, "reference")
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)
    for a, b in zip(leaves, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)
    report = sweep._several.report()  # pyright: ignore[reportPrivateUsage]
    assert "1 programs" in report
    assert "by itself" not in report
