"""The ReLU classifiers of W4, W6 and W7: softmax cross-entropy, SGD or Adam, float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from glassgrad.bench.torch_threads import on_threads
from glassgrad.bench.training import (
    glassgrad_loop,
    jax_loop,
    jax_sgd,
    pytensor_sgd,
    pytensor_step,
    torch_loop,
)
from glassgrad.bench.workload import Contender, Step, peer

Layers = list[tuple[np.ndarray, np.ndarray]]
B1, B2, EPS = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Classifier:
    """Layer widths, examples a step, the learning rate, and Adam or plain descent."""

    sizes: tuple[int, ...]
    batch: int
    rate: float
    adam: bool

    def start(self) -> tuple[Layers, np.ndarray, np.ndarray]:
        """Weights (inputs, outputs) and offsets of each layer; inputs; labels."""
        return _start(self.sizes, self.batch)

    def contenders(self, most_threads: int = 2) -> Mapping[str, Contender]:
        """All who can do it."""
        return {
            "glassgrad": Contender(self.glassgrad),
            "jax.jit": Contender(self.jax_jit, "jax"),
            "pytensor": Contender(self.pytensor_shared, "pytensor"),
            **on_threads(self.torch_eager, *range(1, most_threads + 1)),
        }

    def glassgrad(self, budget: int | None = None) -> Step:
        """Plain NumPy, a loss of `gg.nn` and an optimiser of `gg.optim` in one compiled step."""
        import glassgrad as gg

        params, x, labels = self.start()
        optimiser = gg.optim.Adam(self.rate) if self.adam else gg.optim.SGD(self.rate)

        def loss(params: Any, x: Any, labels: Any) -> Any:
            for w, b in params[:-1]:
                x = np.maximum(x @ w + b, 0)
            return gg.nn.cross_entropy(x @ params[-1][0] + params[-1][1], labels)

        def train(carried: Any, x: Any, labels: Any) -> Any:
            params, state = carried
            value, grads = gg.value_and_grad(loss)(params, x, labels)
            return value, optimiser.step(params, grads, state)

        return glassgrad_loop(train, (params, optimiser.init(params)), [(x, labels)], budget)

    def jax_jit(self) -> Step:
        """`jax.jit` of the whole step."""
        jax = peer("jax")
        jnp = jax.numpy
        params, x, labels = self.start()

        def loss(params: Any, x: Any, labels: Any) -> Any:
            for w, b in params[:-1]:
                x = jax.nn.relu(x @ w + b)
            scores = jax.nn.log_softmax(x @ params[-1][0] + params[-1][1])
            return -jnp.take_along_axis(scores, labels[:, None], axis=1).mean()

        if not self.adam:
            return jax_loop(jax_sgd(loss, self.rate), params, [(x, labels)])
        zeros = [(np.zeros_like(w), np.zeros_like(b)) for w, b in params]
        train = jax_adam(jax.value_and_grad(loss), self.rate)
        return jax_loop(train, (params, zeros, zeros, np.float32(0)), [(x, labels)])

    def torch_eager(self) -> Step:
        """`torch.nn.Sequential` and the fused optimiser."""
        return self.torch(lambda model: model)

    def torch_compiled(self) -> Step:
        """The same with the model compiled by way of C++."""
        return self.torch(peer("torch").compile)

    def torch(self, compiled: Callable[[Any], Any]) -> Step:
        """PyTorch's usual loop over a model that may be compiled."""
        torch = peer("torch")
        params, x, labels = self.start()
        layers: list[Any] = []
        for w, b in params:
            linear = torch.nn.Linear(*w.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(w.T))
                linear.bias.copy_(torch.tensor(b))
            layers += [linear, torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1])
        kind = torch.optim.Adam if self.adam else torch.optim.SGD
        optimiser = kind(model.parameters(), lr=self.rate, fused=True)
        forward = compiled(model)

        def loss(x: Any, labels: Any) -> Any:
            return torch.nn.functional.cross_entropy(forward(x), labels)

        return torch_loop(loss, [optimiser], [(x, labels)])

    def pytensor_shared(self) -> Step:
        """Shared variables, updated in place."""
        pytensor, pt = peer("pytensor"), peer("pytensor.tensor")
        params, x, labels = self.start()
        shared = [pytensor.shared(p) for layer in params for p in layer]
        h, last = pytensor.shared(x), len(params) - 1
        for i in range(last + 1):
            h = h @ shared[2 * i] + shared[2 * i + 1]
            h = pt.maximum(h, np.float32(0)) if i < last else h
        chosen = pytensor.shared(np.eye(self.sizes[-1], dtype=np.float32)[labels])
        value = -(chosen * pt.special.log_softmax(h, axis=1)).sum(axis=1).mean()
        if not self.adam:
            return pytensor_sgd(value, shared, self.rate)
        return pytensor_step(value, pytensor_adam(value, shared, self.rate))


@cache
def _start(sizes: tuple[int, ...], batch: int) -> tuple[Layers, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    params = [(draw(m, n) * np.float32((2 / m) ** 0.5), 0.1 * draw(n)) for m, n in pairwise(sizes)]
    return params, draw(batch, sizes[0]), rng.integers(0, sizes[-1], batch)


def jax_adam(value_and_grad: Any, rate: float) -> Callable[..., Any]:
    """A training step of Adam in JAX; carried are parameters, both means, and the count."""
    jax = peer("jax")
    jnp = jax.numpy

    def train(carried: Any, *batch: Any) -> Any:
        params, mean, square, count = carried
        value, grads = value_and_grad(params, *batch)
        count = count + 1
        size, root = rate / (1 - B1**count), jnp.sqrt(1 - B2**count)
        mean = jax.tree.map(lambda m, g: B1 * m + (1 - B1) * g, mean, grads)
        square = jax.tree.map(lambda v, g: B2 * v + (1 - B2) * g * g, square, grads)
        params = jax.tree.map(
            lambda p, m, v: p - size * m / (jnp.sqrt(v) / root + EPS), params, mean, square
        )
        return value, (params, mean, square, count)

    return train


def pytensor_adam(value: Any, shared: Any, rate: float) -> list[tuple[Any, Any]]:
    """The updates of Adam in PyTensor."""
    pytensor, pt = peer("pytensor"), peer("pytensor.tensor")
    f = np.float32
    count = pytensor.shared(f(0))
    new = count + f(1)
    size, root = f(rate) / (f(1) - f(B1) ** new), pt.sqrt(f(1) - f(B2) ** new)
    updates = [(count, new)]
    for p, g in zip(shared, pytensor.grad(value, shared)):
        mean, square = (pytensor.shared(np.zeros_like(p.get_value())) for _ in range(2))
        m = f(B1) * mean + f(1 - B1) * g
        v = f(B2) * square + f(1 - B2) * g * g
        updates += [(mean, m), (square, v), (p, p - size * m / (pt.sqrt(v) / root + f(EPS)))]
    return updates
