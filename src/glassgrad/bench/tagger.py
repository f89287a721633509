"""The window taggers of W8 and W9: a large table of vectors of which a step uses few rows.

V = 50,000 vectors of 50 numbers, windows of 5, a hidden layer of 100 tanh units, 9 classes; Adam
for the network and its sparse form for the table. Every step takes another of a few batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from glassgrad.bench.classifier import B1, B2, EPS, jax_adam
from glassgrad.bench.torch_threads import on_threads
from glassgrad.bench.training import glassgrad_loop, jax_loop, torch_loop
from glassgrad.bench.workload import Contender, Contenders, Step, peer

WORDS, DIMENSION, WINDOW, HIDDEN, TAGS = 50_000, 50, 5, 100, 9
BATCHES, RATE = 16, 1e-3


@dataclass(frozen=True)
class Tagger:
    """How many windows a step looks at."""

    batch: int

    def start(self) -> tuple[np.ndarray, list[np.ndarray], list[tuple[np.ndarray, np.ndarray]]]:
        """The table; weights (inputs, outputs) and offsets of two layers; windows and tags."""
        rng = np.random.default_rng(0)
        table = 0.3 * rng.standard_normal((WORDS, DIMENSION), np.float32)
        inputs = WINDOW * DIMENSION
        layers = [
            rng.standard_normal((inputs, HIDDEN), np.float32) / np.float32(inputs**0.5),
            np.zeros(HIDDEN, np.float32),
            rng.standard_normal((HIDDEN, TAGS), np.float32) / np.float32(HIDDEN**0.5),
            np.zeros(TAGS, np.float32),
        ]
        batches = [
            (rng.integers(0, WORDS, (self.batch, WINDOW)), rng.integers(0, TAGS, self.batch))
            for _ in range(BATCHES)
        ]
        return table, layers, batches

    def contenders(self) -> Contenders:
        """All who can do it."""
        return {
            "glassgrad": Contender(self.glassgrad),
            "jax.jit, dense Adam": Contender(self.jax_dense, "jax"),
            "jax.jit, rows by hand": Contender(self.jax_rows, "jax"),
            **on_threads(self.torch_sparse, name="torch SparseAdam"),
        }

    def glassgrad(self) -> Step:
        """`WindowTagger`, `SparseAdam` for its table, `Adam` for its network."""
        import glassgrad as gg
        from glassgrad.text.window_tagger import WindowTagger

        table, (w1, b1, w2, b2), batches = self.start()
        layers = gg.nn.Linear(w1.T.copy(), b1), gg.nn.Linear(w2.T.copy(), b2)
        model = WindowTagger(table, gg.nn.MLP(layers, "tanh"))
        sparse, dense = gg.optim.SparseAdam(RATE), gg.optim.Adam(RATE)

        def loss(model: Any, windows: Any, tags: Any) -> Any:
            return gg.nn.cross_entropy(model(windows), tags)

        def train(carried: Any, windows: Any, tags: Any) -> Any:
            model, rows, rest = carried
            value, grads = gg.value_and_grad(loss)(model, windows, tags)
            vectors, rows = sparse.step(model.vectors, grads.vectors, rows)
            network, rest = dense.step(model.network, grads.network, rest)
            return value, (WindowTagger(vectors, network), rows, rest)

        state = model, sparse.init(model.vectors), dense.init(model.network)
        return glassgrad_loop(train, state, batches)

    def jax_dense(self) -> Step:
        """What `jax.grad` gives: a dense gradient of the table, and Adam over all of it."""
        jax = peer("jax")
        table, layers, batches = self.start()

        def loss(params: Any, windows: Any, tags: Any) -> Any:
            return jax_loss(params[0][windows], params[1:], tags)

        params = [table, *layers]
        zeros = [np.zeros_like(p) for p in params]
        train = jax_adam(jax.value_and_grad(loss), RATE)
        return jax_loop(train, (params, zeros, zeros, np.float32(0)), batches)

    def jax_rows(self) -> Step:
        """The rows that a batch uses, found, gathered, moved and scattered by hand."""
        jax = peer("jax")
        jnp = jax.numpy
        table, layers, batches = self.start()
        count = self.batch * WINDOW

        def rows_loss(params: Any, where: Any, tags: Any) -> Any:
            return jax_loss(params[0][where], params[1:], tags)

        dense = jax_adam(lambda params, grads: (0.0, grads), RATE)

        def train(carried: Any, windows: Any, tags: Any) -> Any:
            table, mean, square, rest = carried
            rows, where = jnp.unique(windows, size=count, fill_value=WORDS, return_inverse=True)
            used = [a.at[rows].get(mode="fill", fill_value=0) for a in (table, mean, square)]
            value, grads = jax.value_and_grad(rows_loss)(
                [used[0], *rest[0]], where.reshape(windows.shape), tags
            )
            t = rest[3] + 1
            size = RATE * jnp.sqrt(1 - B2**t) / (1 - B1**t)
            m = B1 * used[1] + (1 - B1) * grads[0]
            v = B2 * used[2] + (1 - B2) * grads[0] ** 2
            moved = used[0] - size * m / (jnp.sqrt(v) + EPS)
            table, mean, square = (
                a.at[rows].set(new, mode="drop", unique_indices=True)
                for a, new in zip((table, mean, square), (moved, m, v))
            )
            return value, (table, mean, square, dense(rest, grads[1:])[1])

        zeros = [np.zeros_like(p) for p in layers]
        state = table, np.zeros_like(table), np.zeros_like(table)
        return jax_loop(train, (*state, (layers, zeros, zeros, np.float32(0))), batches)

    def torch_sparse(self) -> Step:
        """`Embedding(sparse=True)` with SparseAdam, the network with the fused Adam."""
        torch = peer("torch")
        table, layers, batches = self.start()
        vectors = torch.nn.Embedding.from_pretrained(torch.tensor(table), freeze=False, sparse=True)
        w1, b1, w2, b2 = (torch.tensor(p, requires_grad=True) for p in layers)

        def loss(windows: Any, tags: Any) -> Any:
            h = torch.tanh(vectors(windows).flatten(1) @ w1 + b1)
            return torch.nn.functional.cross_entropy(h @ w2 + b2, tags)

        sparse = torch.optim.SparseAdam(list(vectors.parameters()), lr=RATE)
        dense = torch.optim.Adam([w1, b1, w2, b2], lr=RATE, fused=True)
        return torch_loop(loss, [sparse, dense], batches)


def jax_loss(vectors: Any, layers: Any, tags: Any) -> Any:
    """The cross-entropy of the tags, from the vectors of each window."""
    jax = peer("jax")
    w1, b1, w2, b2 = layers
    h = jax.numpy.tanh(vectors.reshape(len(tags), -1) @ w1 + b1)
    scores = jax.nn.log_softmax(h @ w2 + b2)
    return -jax.numpy.take_along_axis(scores, tags[:, None], axis=1).mean()
